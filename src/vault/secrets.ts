import type { TokenCredential } from "@azure/core-auth";
import { SecretClient, type SecretProperties } from "@azure/keyvault-secrets";
import { toVaultError } from "./faults.ts";
import { createValueCache } from "./value-cache.ts";

/** One version of a secret, without its value. */
export interface SecretVersion {
  readonly name: string;
  readonly version: string;
  readonly enabled: boolean;
  readonly tags: Readonly<Record<string, string>>;
  readonly contentType?: string;
  readonly createdOn: Date;
  readonly expiresOn?: Date;
}

/** The newest version with its value, and the vault's own time of the reply. */
export interface LatestSecret extends SecretVersion {
  readonly value: string;
  /** From the reply's `Date`: what expiry and due dates are computed from (design 3.5). */
  readonly at: Date;
}

export interface NewSecretVersion {
  readonly value: string;
  readonly contentType?: string;
  readonly expiresOn: Date;
  readonly tags: Readonly<Record<string, string>>;
}

/** A vault's secrets. Every call is one request: retries belong to the orchestrator, which knows what was already done. */
export interface Vault {
  readonly uri: string;
  /** The newest created version; `SECRET_DISABLED` when that one is disabled, whatever older ones are. */
  latest(name: string, signal: AbortSignal): Promise<LatestSecret>;
  /** The value of one version, from memory when it was read or written a short while ago. */
  value(name: string, version: string, signal: AbortSignal): Promise<string>;
  write(name: string, next: NewSecretVersion, signal: AbortSignal): Promise<SecretVersion>;
  /** All versions, newest first by creation time (whole seconds: versions of one second have no order). */
  versions(name: string, signal: AbortSignal): Promise<readonly SecretVersion[]>;
  /** Disables one version and forgets its value. */
  disable(name: string, version: string, signal: AbortSignal): Promise<void>;
  /** Name, tags and expiry of every secret's newest version, without versions or values. */
  inventory(signal: AbortSignal): Promise<readonly SecretSummary[]>;
  /** Brings a soft-deleted secret back, waiting for the vault to finish. */
  recover(name: string, signal: AbortSignal): Promise<void>;
}

export interface SecretSummary {
  readonly name: string;
  readonly enabled: boolean;
  readonly expiresOn?: Date;
  readonly tags: Readonly<Record<string, string>>;
}

/**
 * Opens a vault by its URL. The SDK's own retries are off: a PUT repeated after a lost reply would make a second version.
 */
export function openVault(uri: string, credential: TokenCredential): Vault {
  const client = new SecretClient(uri, credential, {
    retryOptions: { maxRetries: 0 },
    // A loopback host can never end in the challenge's resource; everywhere else the check stays on.
    disableChallengeResourceVerification: isLoopback(uri),
  });
  const cache = createValueCache();

  return {
    uri,
    async latest(name, signal) {
      let date: string | undefined;
      const secret = await toVaultError(uri, name, () =>
        client.getSecret(name, { abortSignal: signal, onResponse: (raw) => (date = raw.headers.get("date")) }),
      );
      const version = describe(secret.properties);
      const value = secret.value ?? "";
      cache.keep(name, version.version, value);
      return { ...version, value, at: date === undefined ? new Date(Number.NaN) : new Date(date) };
    },
    async value(name, version, signal) {
      const known = cache.find(name, version);
      if (known !== undefined) return known;
      const secret = await toVaultError(uri, name, () => client.getSecret(name, { version, abortSignal: signal }));
      cache.keep(name, version, secret.value ?? "");
      return secret.value ?? "";
    },
    async write(name, next, signal) {
      const secret = await toVaultError(uri, name, () =>
        client.setSecret(name, next.value, {
          enabled: true,
          expiresOn: next.expiresOn,
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
      const all = await toVaultError(uri, name, async () => {
        const found: SecretVersion[] = [];
        for await (const item of client.listPropertiesOfSecretVersions(name, { abortSignal: signal })) {
          found.push(describe(item));
        }
        return found;
      });
      return all.sort((a, b) => b.createdOn.getTime() - a.createdOn.getTime());
    },
    async disable(name, version, signal) {
      await toVaultError(uri, name, () =>
        client.updateSecretProperties(name, version, { enabled: false, abortSignal: signal }),
      );
      cache.forget(name, version);
    },
    async inventory(signal) {
      return toVaultError(uri, "", async () => {
        const found: SecretSummary[] = [];
        for await (const item of client.listPropertiesOfSecrets({ abortSignal: signal })) found.push(describe(item));
        return found;
      });
    },
    async recover(name, signal) {
      await toVaultError(uri, name, async () => {
        const poller = await client.beginRecoverDeletedSecret(name, { abortSignal: signal });
        await poller.pollUntilDone({ abortSignal: signal });
      });
    },
  };
}

/** Whether a vault URL names this machine; the one place where loopback matters. */
export function isLoopback(uri: string): boolean {
  const host = new URL(uri).hostname;
  return host === "localhost" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}

function describe(properties: SecretProperties): SecretVersion {
  return {
    name: properties.name,
    version: properties.version ?? "",
    enabled: properties.enabled ?? true,
    tags: properties.tags ?? {},
    createdOn: properties.createdOn ?? new Date(0),
    ...(properties.contentType === undefined ? {} : { contentType: properties.contentType }),
    ...(properties.expiresOn === undefined ? {} : { expiresOn: properties.expiresOn }),
  };
}
