import type { Consumer } from "../consumer.ts";
import { holdsKey, isOurs, keyUrl, misconfigured, unsettled, wholeResource, type HeldKey } from "./customer-key.ts";

const apiVersion = "2024-01-01";

interface KeyEntry {
  readonly keyName?: string;
  readonly keyVaultUri?: string;
  readonly keyVersion?: string;
}

interface Encryption {
  readonly keyVaultProperties?: readonly KeyEntry[];
}

interface Namespace {
  readonly properties?: { readonly provisioningState?: string; readonly encryption?: Encryption };
}

interface Held extends HeldKey {
  readonly encryption: Encryption;
  readonly ours: KeyEntry;
}

/**
 * A premium namespace. It may name up to three keys, for redundancy: only the entry of this key is changed. A `keyVersion` opts out of the
 * service's own rotation; which version it works with it never tells, so the configuration it took is the proof.
 */
function namespace<K extends "service-bus" | "event-hubs">(kind: K, provider: string): Consumer<K> {
  // The policy takes none that follows the newest version.
  const { pinned } = wholeResource(kind, "a namespace", `${provider}/namespaces`);
  return holdsKey<K, Held>({
    kind,
    roles: [pinned],
    needs: ({ resourceId }) => [{ role: pinned, at: resourceId }],

    async look(step) {
      const { arm, consumer, signal } = step;
      const found = await arm({ method: "GET", path: consumer.resourceId, apiVersion, signal });
      const { encryption = {}, provisioningState } = (found as Namespace).properties ?? {};
      const entries = (encryption.keyVaultProperties ?? []).filter(({ keyVaultUri = "", keyName = "" }) =>
        isOurs(step, keyUrl(keyVaultUri, keyName)),
      );
      const [ours] = entries;
      if (ours === undefined) throw misconfigured(step, `is not encrypted with ${step.object.baseUrl}`);
      if (entries.length > 1) throw misconfigured(step, "names two versions of the key");
      const { keyVersion = "" } = ours;
      return {
        encryption,
        ours,
        pinned: keyVersion === "" ? undefined : keyVersion.toLowerCase(),
        active: undefined,
        pending: unsettled(provisioningState),
      };
    },

    async write({ arm, consumer, signal }, keyVersion, { encryption, ours }) {
      const keyVaultProperties = encryption.keyVaultProperties?.map((entry) =>
        entry === ours ? { ...entry, keyVersion } : entry,
      );
      const body = { properties: { encryption: { ...encryption, keyVaultProperties } } };
      await arm({ method: "PATCH", path: consumer.resourceId, apiVersion, body, signal });
    },
  });
}

export const serviceBus = namespace("service-bus", "Microsoft.ServiceBus");
export const eventHubs = namespace("event-hubs", "Microsoft.EventHub");
