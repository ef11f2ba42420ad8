import type { TokenCredential } from "@azure/core-auth";
import {
  CertificateClient,
  type KeyVaultCertificate,
  type KeyVaultCertificateWithPolicy,
} from "@azure/keyvault-certificates";
import { SecretClient } from "@azure/keyvault-secrets";
import { PinionError } from "../errors.ts";
import { byAge, clientOptions, dateOf, describe } from "./client.ts";
import { toVaultError } from "./faults.ts";
import type { Log } from "../signals.ts";
import { ownMarks, tags as ours } from "./tags.ts";
import { createValueCache } from "./value-cache.ts";
import type { LatestVersion, ObjectSummary, ObjectVersion, Vault } from "./vault.ts";

export const pem = "application/x-pem-file";
export const pfx = "application/x-pkcs12";

/**
 * Opens the certificates of a vault by its URL. While an operation is pending, and after one was cancelled, the newest version of a
 * certificate is a disabled placeholder without a certificate (facts: key-vault-rest section 7); nothing here ever takes that for a
 * version. Readers of the certificate's *secret* never see it.
 */
export function openCertificates(uri: string, credential: TokenCredential, log?: Log): Vault {
  const at = { uri, log };
  const client = new CertificateClient(uri, credential, clientOptions(uri));
  const secrets = new SecretClient(uri, credential, clientOptions(uri));
  const cache = createValueCache();
  const url = (name: string, version: string) => `${uri}/certificates/${name}/${version}`;

  const whole = async (name: string, signal: AbortSignal): Promise<ObjectVersion[]> =>
    toVaultError(at, name, async () => {
      const found: ObjectVersion[] = [];
      const all = client.listPropertiesOfCertificateVersions(name, { abortSignal: signal });
      for await (const item of all) if (item.x509Thumbprint !== undefined) found.push(describe(item));
      return byAge(found);
    });

  const newestWhole = async (name: string, signal: AbortSignal) => (await whole(name, signal))[0];

  const named = async (name: string, version: string, signal: AbortSignal): Promise<ObjectVersion> =>
    describe(
      (await toVaultError(at, name, () => client.getCertificateVersion(name, version, { abortSignal: signal })))
        .properties,
    );

  return {
    uri,
    kind: "certificate",
    url,
    async latest(name, signal) {
      const date = dateOf();
      const newest = await toVaultError(at, name, () =>
        client.getCertificate(name, { abortSignal: signal, onResponse: date.onResponse }),
      );
      let version = isWhole(newest) ? describe(newest.properties) : await newestWhole(name, signal);
      const withdrawnFor = version && ownMarks(version)[ours.withdrawn];
      if (withdrawnFor !== undefined) version = await named(name, withdrawnFor, signal);
      if (version === undefined) throw neverWhole(uri, name);
      if (!version.enabled) throw disabled(uri, name);
      return { ...version, value: url(name, version.version), at: date.read() } satisfies LatestVersion;
    },
    async value(name, version, signal) {
      const known = cache.find(name, version);
      if (known !== undefined) return known;
      const { value = "" } = await toVaultError(at, name, () =>
        secrets.getSecret(name, { version, abortSignal: signal }),
      );
      cache.keep(name, version, value);
      return value;
    },
    async write(name, { value, tags }, signal) {
      const isPem = value.includes("-----BEGIN");
      const written = await toVaultError(at, name, () =>
        client.importCertificate(name, Buffer.from(value, isPem ? "utf8" : "base64"), {
          enabled: true,
          tags: { ...tags },
          policy: { contentType: isPem ? pem : pfx, exportable: true, issuerName: "Unknown" },
          abortSignal: signal,
        }),
      );
      return describe(written.properties);
    },
    versions: whole,
    async tag(name, version, tags, signal) {
      await toVaultError(at, name, () =>
        client.updateCertificateProperties(name, version, { tags: { ...tags }, abortSignal: signal }),
      );
    },
    async disable(name, version, signal) {
      await toVaultError(at, name, () =>
        client.updateCertificateProperties(name, version, { enabled: false, abortSignal: signal }),
      );
      cache.forget(name, version);
    },
    async inventory(signal) {
      return toVaultError(at, "", async () => {
        const found: ObjectSummary[] = [];
        for await (const item of client.listPropertiesOfCertificates({ abortSignal: signal })) {
          // Unconfirmed: whether Azure lists a placeholder in the place of the newest whole version. As due as that one it must be.
          const whole = item.x509Thumbprint === undefined ? await newestWhole(item.name ?? "", signal) : describe(item);
          if (whole !== undefined) found.push(whole);
        }
        return found;
      });
    },
    async recover(name, signal) {
      await toVaultError(at, name, async () => {
        const poller = await client.beginRecoverDeletedCertificate(name, { abortSignal: signal });
        await poller.pollUntilDone({ abortSignal: signal });
      });
    },
  };
}

/** Whether a version holds a certificate, and is no placeholder of an operation. */
export function isWhole(found: KeyVaultCertificate | KeyVaultCertificateWithPolicy): boolean {
  return found.cer !== undefined && found.cer.length > 0;
}

function neverWhole(uri: string, name: string): PinionError {
  return new PinionError(
    "SECRET_NOT_FOUND",
    `The certificate ${name} in ${new URL(uri).host} has no version with a certificate yet: create or import its first one.`,
  );
}

function disabled(uri: string, name: string): PinionError {
  return new PinionError(
    "SECRET_DISABLED",
    `The current version of the certificate ${name} in ${new URL(uri).host} is disabled: enable it or make a new version.`,
  );
}
