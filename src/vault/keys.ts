import type { TokenCredential } from "@azure/core-auth";
import { KeyClient, type KeyVaultKey } from "@azure/keyvault-keys";
import { PinionError } from "../errors.ts";
import { byAge, clientOptions, dateOf, describe } from "./client.ts";
import { toVaultError } from "./faults.ts";
import type { Log } from "../signals.ts";
import { ownMarks, tags as ours } from "./tags.ts";
import type { ObjectSummary, ObjectVersion, Vault } from "./vault.ts";

/** The keys of a vault, with the one way in which a key gets a version: the vault makes it. */
export interface KeyVault extends Vault {
  /** `POST .../rotate`: a new version of the same type, size, operations and tags. It cannot be marked in the same request. */
  rotate(name: string, signal: AbortSignal): Promise<ObjectVersion>;
  /** Writes the key's own rotation policy where it differs: expiry after `validity`, notice `rotateBefore` before it (milliseconds), no rotation. */
  keepPolicy(
    name: string,
    wanted: { readonly validity: number; readonly rotateBefore: number },
    signal: AbortSignal,
  ): Promise<boolean>;
  /** Sets when a version ends. */
  expire(name: string, version: string, expiresOn: Date, signal: AbortSignal): Promise<void>;
}

const day = 86_400_000;
/** A rotation policy takes no shorter expiry, in days. */
const shortest = 28;

/** Opens the keys of a vault by its URL. */
export function openKeys(uri: string, credential: TokenCredential, log?: Log): KeyVault {
  const at = { uri, log };
  const client = new KeyClient(uri, credential, clientOptions(uri));
  const url = (name: string, version: string) => `${uri}/keys/${name}/${version}`;
  const update = async (
    name: string,
    version: string,
    change: { tags?: Record<string, string>; enabled?: boolean; expiresOn?: Date },
    signal: AbortSignal,
  ) =>
    void (await toVaultError(at, name, () =>
      client.updateKeyProperties(name, version, { ...change, abortSignal: signal }),
    ));

  return {
    uri,
    kind: "key",
    url,
    async latest(name, signal) {
      const date = dateOf();
      const get = (version?: string): Promise<KeyVaultKey> =>
        toVaultError(at, name, () =>
          client.getKey(name, {
            ...(version === undefined ? {} : { version }),
            abortSignal: signal,
            onResponse: date.onResponse,
          }),
        );
      let version = describe((await get()).properties);
      const withdrawnFor = ownMarks(version)[ours.withdrawn];
      if (withdrawnFor !== undefined) version = describe((await get(withdrawnFor)).properties);
      return { ...version, value: url(name, version.version), at: date.read() };
    },
    async value(name, version) {
      return url(name, version);
    },
    async write(name) {
      throw new PinionError("TARGET_MISCONFIGURED", `A version of the key ${name} cannot be brought in from outside.`);
    },
    async versions(name, signal) {
      return toVaultError(at, name, async () => {
        const found: ObjectVersion[] = [];
        for await (const item of client.listPropertiesOfKeyVersions(name, { abortSignal: signal }))
          found.push(describe(item));
        return byAge(found);
      });
    },
    tag: (name, version, tags, signal) => update(name, version, { tags: { ...tags } }, signal),
    disable: (name, version, signal) => update(name, version, { enabled: false }, signal),
    expire: (name, version, expiresOn, signal) => update(name, version, { expiresOn }, signal),
    async rotate(name, signal) {
      const made = await toVaultError(at, name, () => client.rotateKey(name, { abortSignal: signal }));
      return describe(made.properties);
    },
    async keepPolicy(name, { validity, rotateBefore }, signal) {
      const days = (milliseconds: number) => `P${Math.max(1, Math.round(milliseconds / day))}D`;
      const wanted = {
        expiresIn: days(Math.max(validity, shortest * day)),
        lifetimeActions: [{ action: "Notify" as const, timeBeforeExpiry: days(rotateBefore) }],
      };
      return await toVaultError(at, name, async () => {
        const { expiresIn, lifetimeActions = [] } = await client.getKeyRotationPolicy(name, { abortSignal: signal });
        const said = lifetimeActions.map(({ action, timeBeforeExpiry }) => ({ action, timeBeforeExpiry }));
        if (JSON.stringify({ expiresIn, lifetimeActions: said }) === JSON.stringify(wanted)) return false;
        await client.updateKeyRotationPolicy(name, wanted, { abortSignal: signal });
        return true;
      });
    },
    async inventory(signal) {
      return toVaultError(at, "", async () => {
        const found: ObjectSummary[] = [];
        // The keys of certificates are listed too, as managed; they rotate with their certificate.
        for await (const item of client.listPropertiesOfKeys({ abortSignal: signal }))
          if (item.managed !== true) found.push(describe(item));
        return found;
      });
    },
    async recover(name, signal) {
      await toVaultError(at, name, async () => {
        const poller = await client.beginRecoverDeletedKey(name, { abortSignal: signal });
        await poller.pollUntilDone({ abortSignal: signal });
      });
    },
  };
}
