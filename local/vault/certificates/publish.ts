import { withVersion } from "../collection.ts";
import type { Collection } from "../collection.ts";
import type { KeyVersion, SecretVersion, Vault, VaultObject, VersionRecord } from "../model.ts";
import { secretValue } from "./content.ts";
import type { Material } from "./content.ts";
import type { CertificateObject, CertificateVersion, Policy } from "./model.ts";
import { validityOf } from "./x509.ts";

// Whole versions: of a certificate, and of the key and secret that belong to it.

/** Writes a whole version with its key and secret, all three under one id and in one commit, and tells of them. */
export function publish(
  vault: Vault,
  certificate: CertificateObject,
  version: CertificateVersion,
  material: Material,
  policy: Policy,
): void {
  const { contentType } = policy.secret_props;
  const record: VersionRecord = { ...recordOf(version), managed: true };
  const jwk = material.key.export({ format: "jwk" });
  const keyVersion: KeyVersion = { ...record, jwk, keyOps: keyOpsOf(policy) };
  const value = secretValue(material, contentType, policy.key_props.exportable);
  const secretVersion: SecretVersion = { ...record, value, contentType };
  const key = extended(vault.keys, certificate.name, keyVersion);
  const secret = extended(vault.secrets, certificate.name, secretVersion);
  vault.commit([
    vault.certificates.writing(certificate, [version]),
    vault.keys.writing(key, [keyVersion]),
    vault.secrets.writing(secret, [secretVersion]),
  ]);
  vault.created("Certificate", certificate, version);
  vault.created("Key", key, keyVersion);
  vault.created("Secret", secret, secretVersion);
}

/** The object of that name, which may be new, with one more version. */
function extended<V extends VersionRecord>(collection: Collection<V>, name: string, version: V): VaultObject<V> {
  const before = collection.find(name);
  return { ...before, name, versions: [...(before?.versions ?? []), version] };
}

/** The version that material makes of a placeholder, or of nothing: valid as its X.509 certificate says. */
export function wholeVersion(placeholder: CertificateVersion, { leaf }: Material, now: number, enabled: boolean) {
  const whole: CertificateVersion = {
    ...placeholder,
    ...validityOf(leaf),
    cer: leaf.raw.toString("base64"),
    created: now,
    updated: now,
    enabled,
    announced: [],
  };
  return whole;
}

/** Completes the operation of a certificate with the material that was issued or merged. */
export function complete(
  vault: Vault,
  certificate: CertificateObject,
  material: Material,
  now: number,
  given: Partial<Pick<CertificateVersion, "enabled" | "tags">> = {},
) {
  const pending = certificate.pending!;
  const placeholder = certificate.versions.find(({ id }) => id === pending.versionId)!;
  const version = { ...wholeVersion(placeholder, material, now, pending.enabled), ...given };
  const done: CertificateObject = {
    ...certificate,
    versions: withVersion(certificate.versions, version),
    pending: { ...pending, status: "completed", key: undefined, due: undefined },
  };
  publish(vault, done, version, material, pending.policy);
  return [done, version] as const;
}

const opsByUsage: Readonly<Record<string, readonly string[]>> = {
  digitalSignature: ["sign", "verify"],
  nonRepudiation: ["sign", "verify"],
  keyCertSign: ["sign", "verify"],
  cRLSign: ["sign", "verify"],
  keyEncipherment: ["wrapKey", "unwrapKey"],
  dataEncipherment: ["encrypt", "decrypt"],
};

/** What the key may be used for: as the key usage says, of what its type can do. No usage at all restricts nothing. */
export function keyOpsOf({ key_props, x509_props: { key_usage } }: Policy): readonly string[] {
  const usages = key_usage.length > 0 ? key_usage : Object.keys(opsByUsage);
  const ops = new Set(usages.flatMap((usage) => opsByUsage[usage] ?? []));
  const able =
    key_props.kty === "RSA" ? ["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"] : ["sign", "verify"];
  return able.filter((op) => ops.has(op));
}

function recordOf({
  cer: _cer,
  emailed: _emailed,
  keepOrder: _keepOrder,
  ...record
}: CertificateVersion): VersionRecord {
  return record;
}
