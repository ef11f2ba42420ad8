import type { TokenCredential } from "@azure/core-auth";
import { SecretClient } from "@azure/keyvault-secrets";
import { byAge, clientOptions, dateOf, describe } from "./client.ts";
import { toVaultError } from "./faults.ts";
import type { Log } from "../signals.ts";
import { createValueCache } from "./value-cache.ts";
import type { ObjectSummary, ObjectVersion, Vault } from "./vault.ts";

/** Opens the secrets of a vault by its URL. */
export function openSecrets(uri: string, credential: TokenCredential, log?: Log): Vault {
  const at = { uri, log };
  const client = new SecretClient(uri, credential, clientOptions(uri));
  const cache = createValueCache();

  return {
    uri,
    kind: "secret",
    url: (name, version) => `${uri}/secrets/${name}/${version}`,
    async latest(name, signal) {
      const date = dateOf();
      const secret = await toVaultError(at, name, () =>
        client.getSecret(name, { abortSignal: signal, onResponse: date.onResponse }),
      );
      const version = describe(secret.properties);
      const value = secret.value ?? "";
      cache.keep(name, version.version, value);
      return { ...version, value, at: date.read() };
    },
    async value(name, version, signal) {
      const known = cache.find(name, version);
      if (known !== undefined) return known;
      const secret = await toVaultError(at, name, () => client.getSecret(name, { version, abortSignal: signal }));
      cache.keep(name, version, secret.value ?? "");
      return secret.value ?? "";
    },
    async write(name, next, signal) {
      const secret = await toVaultError(at, name, () =>
        client.setSecret(name, next.value, {
          enabled: true,
          ...(next.expiresOn === undefined ? {} : { expiresOn: next.expiresOn }),
          tags: { ...next.tags },
          ...(next.contentType === undefined ? {} : { contentType: next.contentType }),
          abortSignal: signal,
        }),
      );
      const written = describe(secret.properties);
      cache.keep(name, written.version, next.value);
      return written;
    },
    async versions(name, signal) {
      const all = await toVaultError(at, name, async () => {
        const found: ObjectVersion[] = [];
        for await (const item of client.listPropertiesOfSecretVersions(name, { abortSignal: signal })) {
          found.push(describe(item));
        }
        return found;
      });
      return byAge(all);
    },
    async tag(name, version, tags, signal) {
      await toVaultError(at, name, () =>
        client.updateSecretProperties(name, version, { tags: { ...tags }, abortSignal: signal }),
      );
    },
    async disable(name, version, signal) {
      await toVaultError(at, name, () =>
        client.updateSecretProperties(name, version, { enabled: false, abortSignal: signal }),
      );
      cache.forget(name, version);
    },
    async inventory(signal) {
      return toVaultError(at, "", async () => {
        const found: ObjectSummary[] = [];
        for await (const item of client.listPropertiesOfSecrets({ abortSignal: signal })) found.push(describe(item));
        return found;
      });
    },
    async recover(name, signal) {
      await toVaultError(at, name, async () => {
        const poller = await client.beginRecoverDeletedSecret(name, { abortSignal: signal });
        await poller.pollUntilDone({ abortSignal: signal });
      });
    },
  };
}
