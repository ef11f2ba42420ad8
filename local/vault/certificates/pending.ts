import { createPrivateKey, randomBytes } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { withVersion } from "../collection.ts";
import type { Change } from "../collection.ts";
import { idOf } from "../kind.ts";
import type { Fields } from "../kind.ts";
import type { KeyVersion, ObjectType, SecretVersion, Vault, VaultObject, VersionRecord } from "../model.ts";
import { newVersion } from "../version.ts";
import { certificateKind, pendingId } from "./certificate.ts";
import { secretValue } from "./content.ts";
import type { Material } from "./content.ts";
import type { CertificateObject, CertificateVersion, OperationError, PendingOperation, Policy } from "./model.ts";
import { addMonths, createRequest, validityOf } from "./x509.ts";

// How a version comes to be: an operation with a placeholder begins it, and material completes it.

const nbfLeeway = 600_000;
/** A placeholder is no version yet: nothing is to be told of it. */
const untold = ["NewVersionCreated", "NearExpiry", "Expired"] as const;

/** When a certificate made at this instant is valid: from ten minutes before. In milliseconds, on whole seconds. */
export function periodOf({ x509_props: { validity_months } }: Policy, now: number) {
  const second = Math.floor(now / 1000) * 1000;
  return { from: second - nbfLeeway, until: addMonths(second, validity_months) };
}

/** What a beginning operation is told, beside its policy. */
export interface Beginning {
  readonly policy: Policy;
  readonly key: KeyObject;
  readonly due: number | undefined;
  readonly enabled: boolean;
  readonly keepOrder: boolean;
  readonly tags: CertificateVersion["tags"];
}

/** The certificate with an operation that begins now, and the placeholder of its version. */
export function begin(
  before: CertificateObject | undefined,
  name: string,
  now: number,
  { policy, key, due, enabled, keepOrder, tags }: Beginning,
): [CertificateObject, CertificateVersion] {
  const period = periodOf(policy, now);
  const version: CertificateVersion = {
    ...newVersion(now),
    enabled: false,
    nbf: period.from / 1000,
    exp: period.until / 1000,
    tags,
    ...(keepOrder ? { keepOrder } : {}),
    announced: untold,
  };
  const pending: PendingOperation = {
    requestId: randomBytes(16).toString("hex"),
    versionId: version.id,
    policy,
    csr: createRequest(policy.x509_props, key).toString("base64"),
    key: key.export({ format: "der", type: "pkcs8" }).toString("base64"),
    status: "inProgress",
    cancellationRequested: false,
    due,
    keepOrder,
    enabled,
  };
  const versions = [...(before?.versions ?? []), version];
  return [{ ...before, name: before?.name ?? name, versions, policy, pending }, version];
}

/** The private key of an operation in progress. */
export function keyOf({ key }: PendingOperation): KeyObject {
  return createPrivateKey({ key: Buffer.from(key!, "base64"), format: "der", type: "pkcs8" });
}

/** The certificate with its operation ended without a version. */
export function end(
  certificate: CertificateObject,
  status: "cancelled" | "failed",
  error?: OperationError,
): CertificateObject {
  return { ...certificate, pending: { ...certificate.pending!, status, error, key: undefined, due: undefined } };
}

/** Writes a whole version with its key and secret, all three under one id and in one commit, and tells of them. */
export function publish(
  vault: Vault,
  certificate: CertificateObject,
  version: CertificateVersion,
  material: Material,
  { key_props, secret_props }: Pick<Policy, "key_props" | "secret_props">,
  keyOps: readonly string[],
): void {
  const { contentType } = secret_props;
  const record: VersionRecord = { ...recordOf(version), managed: true };
  const key: KeyVersion = { ...record, jwk: material.key.export({ format: "jwk" }), keyOps };
  const value = secretValue(material, contentType, key_props.exportable);
  const secret: SecretVersion = { ...record, value, contentType };
  const written: [ObjectType, VaultObject<VersionRecord>, VersionRecord][] = [];
  const extend = <V extends VersionRecord>(type: ObjectType, collection: Vault["keys" | "secrets"], one: V): Change => {
    const before = collection.find(certificate.name);
    const object = { ...before, name: certificate.name, versions: [...(before?.versions ?? []), one] };
    written.push([type, object, one]);
    return collection.writing(object as never, [one as never]);
  };
  written.push(["Certificate", certificate, version]);
  vault.commit([
    vault.certificates.writing(certificate, [version]),
    extend("Key", vault.keys, key),
    extend("Secret", vault.secrets, secret),
  ]);
  for (const [type, object, one] of written) vault.created(type, object, one);
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
  publish(vault, done, version, material, pending.policy, keyOpsOf(pending.policy));
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

const waiting =
  "Pending certificate created. Certificate request is in progress. This may take some time based on the issuer provider. Please check again later.";
const wantsMerge = "Pending certificate created. Please Perform Merge to complete the request.";

/** The body that shows an operation. */
export function operationBody(vault: Vault, { name, pending }: CertificateObject): Fields {
  const { policy, csr, cancellationRequested, status, error, requestId, keepOrder } = pending!;
  const manual = policy.issuer.name === "Unknown";
  return {
    id: pendingId(vault, name),
    issuer: { name: policy.issuer.name },
    csr,
    cancellation_requested: cancellationRequested,
    status,
    ...(status === "inProgress" ? { status_details: manual ? wantsMerge : waiting } : {}),
    ...(error ? { error: { ...error } } : {}),
    ...(status === "completed" ? { target: idOf(certificateKind, vault, name) } : {}),
    ...(keepOrder ? { preserveCertOrder: true } : {}),
    request_id: requestId,
  };
}
