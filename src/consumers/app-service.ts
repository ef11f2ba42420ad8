import type { AzureRole } from "../azure/role.ts";
import type { Consumer, ConsumerStep, Reference } from "../consumer.ts";
import { PinionError } from "../errors.ts";
import type { ConsumerOf } from "../policy-consumers.ts";
import type { Proof } from "../rotator.ts";
import { probeHealth } from "./health.ts";

type Site = ConsumerOf<"app-service">;
type Step = ConsumerStep<"app-service">;

const apiVersion = "2025-03-01";
const refreshApiVersion = "2022-03-01";

interface SettingList {
  readonly properties: Readonly<Record<string, string>>;
}

interface ConfigReference {
  readonly properties?: {
    readonly reference?: string;
    readonly status?: string;
    readonly secretVersion?: string;
    readonly activeVersion?: string;
  };
}

const rolesAt = (key: string, what: string, type: string) => ({
  settings: {
    key,
    description: `Reads and writes the app settings of ${what}, and reads how its Key Vault references were resolved.`,
    actions: ["list/action", "read", "write", "appsettings/read"].map((action) => `${type}/config/${action}`),
  } satisfies AzureRole,
  refresh: {
    key: `${key}-refresh`,
    description: `Has ${what} fetch its Key Vault references again.`,
    // Unconfirmed: Azure's list of operations has none for this call; a custom role takes only what is there, or a pattern.
    actions: [`${type}/config/*/action`],
    unasked: [`${type}/config/*/action`],
  } satisfies AzureRole,
});
const siteRoles = rolesAt("app-service", "a site", "Microsoft.Web/sites");
const slotRoles = rolesAt("app-service-slot", "a deployment slot", "Microsoft.Web/sites/slots");

/**
 * An App Service or Functions setting that is a Key Vault reference. A changed reference restarts the site; a plain restart does not
 * fetch again, so *latest* is refreshed by its own call (facts: rotation-protocols section 4).
 */
export const appService: Consumer<"app-service"> = {
  kind: "app-service",
  roles: [...Object.values(siteRoles), ...Object.values(slotRoles)],

  needs: (consumer) => {
    const { settings, refresh } = consumer.slot === undefined ? siteRoles : slotRoles;
    const at = siteId(consumer);
    return [{ role: settings, at }, ...(consumer.reads === "latest" ? [{ role: refresh, at }] : [])];
  },

  resource: (consumer) => `${consumer.resourceId}/${consumer.slot ?? ""}`.toLowerCase(),

  async read(step) {
    const text = (await listSettings(step)).properties[step.consumer.setting];
    if (text === undefined) throw misconfigured(step, "has no such setting");
    const pinned = parseReference(text, step);
    if (pinned === undefined) throw misconfigured(step, `is not a Key Vault reference to ${step.object.baseUrl}`);
    // A pin says what is read; what *latest* stands for only the platform knows.
    const active = pinned === "" ? (await getReference(step)).properties : undefined;
    const version = active?.activeVersion ?? active?.secretVersion;
    return {
      text,
      ...(pinned === "" ? {} : { pinned }),
      ...(version === undefined ? {} : { active: version }),
    } satisfies Reference;
  },

  reference: ({ consumer, object }, version) =>
    consumer.reads === "pinned"
      ? `@Microsoft.KeyVault(SecretUri=${object.baseUrl}/${version})`
      : `@Microsoft.KeyVault(SecretUri=${object.baseUrl})`,

  async move(step, text) {
    const { properties } = await listSettings(step);
    const before = properties[step.consumer.setting];
    if (before === undefined || parseReference(before, step) === undefined)
      throw misconfigured(step, "is no longer a reference to the object");
    if (before !== text) {
      // PUT replaces the whole list, so the list is read right before and compared right after.
      const next = { ...properties, [step.consumer.setting]: text };
      await step.arm({
        method: "PUT",
        path: `${site(step)}/config/appsettings`,
        apiVersion,
        body: { properties: next },
        signal: step.signal,
      });
      const written = (await listSettings(step)).properties;
      const lost = Object.keys(next).filter((name) => written[name] !== next[name]);
      if (lost.length > 0) {
        throw new PinionError(
          "CONSUMER_NOT_MOVED",
          `${step.consumer.id}: somebody else wrote its settings at the same moment (${lost.join(", ")}); the step looks again.`,
          {
            class: "transient",
          },
        );
      }
      return;
    }
    if (step.consumer.reads === "latest") {
      await step.arm({
        method: "POST",
        path: `${site(step)}/config/configreferences/appsettings/refresh`,
        apiVersion: refreshApiVersion,
        signal: step.signal,
      });
    }
  },

  async prove(step, version) {
    const properties = (await getReference(step)).properties;
    const active = properties?.activeVersion ?? properties?.secretVersion;
    const resolved: Proof = {
      name: `${step.consumer.id} resolved the version`,
      ok: properties?.status === "Resolved" && active === version,
      detail: `status ${properties?.status ?? "unknown"}, version ${active ?? "unknown"}`,
    };
    const { health } = step.consumer;
    return health === undefined
      ? [resolved]
      : [resolved, await probeHealth(step.consumer.id, health, version, step.signal)];
  },
};

/** The version in a reference to this object, "" when it has none, undefined when the text is not a reference to it. */
function parseReference(text: string, { object }: Step): string | undefined {
  const uri = /^@Microsoft\.KeyVault\(SecretUri=([^;)]+)\)$/i.exec(text.trim())?.[1]?.replace(/\/+$/, "");
  if (uri === undefined) return undefined;
  if (uri.toLowerCase() === object.baseUrl.toLowerCase()) return "";
  const prefix = `${object.baseUrl}/`;
  return uri.toLowerCase().startsWith(prefix.toLowerCase()) ? uri.slice(prefix.length) : undefined;
}

const siteId = ({ resourceId, slot }: Site): string =>
  slot === undefined ? resourceId : `${resourceId}/slots/${slot}`;

const site = ({ consumer }: Step): string => siteId(consumer);

async function listSettings(step: Step): Promise<SettingList> {
  return (await step.arm({
    method: "POST",
    path: `${site(step)}/config/appsettings/list`,
    apiVersion,
    signal: step.signal,
  })) as SettingList;
}

async function getReference(step: Step): Promise<ConfigReference> {
  const path = `${site(step)}/config/configreferences/appsettings/${encodeURIComponent(step.consumer.setting)}`;
  return (await step.arm({ method: "GET", path, apiVersion, signal: step.signal })) as ConfigReference;
}

function misconfigured({ consumer }: Step, what: string): PinionError {
  return new PinionError(
    "CONSUMER_MISCONFIGURED",
    `The setting ${consumer.setting} of ${consumer.id} ${what}: correct the site or the policy.`,
  );
}
