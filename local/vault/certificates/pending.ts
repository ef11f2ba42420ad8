import { createPrivateKey, randomBytes } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { idOf } from "../kind.ts";
import type { Fields } from "../kind.ts";
import type { Vault } from "../model.ts";
import { newVersion } from "../version.ts";
import { certificateKind, pendingId } from "./certificate.ts";
import type { CertificateObject, CertificateVersion, OperationError, PendingOperation, Policy } from "./model.ts";
import { addMonths, createRequest } from "./x509.ts";

// How a version comes to be: an operation with a placeholder begins it; publish.ts completes it.

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
