import type { X509Certificate } from "node:crypto";
import { AsnConvert } from "@peculiar/asn1-schema";
import { Certificate } from "@peculiar/asn1-x509";
import { readAttributes, readTags } from "../attributes.ts";
import { lifeOf } from "../collection.ts";
import { readFree, refuseTaken } from "../kind.ts";
import type { Call, Operation, Reply } from "../model.ts";
import { badParameter, conflict } from "../refusal.ts";
import { newVersion } from "../version.ts";
import { certificateKind, pendingId } from "./certificate.ts";
import { describeKey, readContent } from "./content.ts";
import type { Material } from "./content.ts";
import { readExtensions } from "./extensions.ts";
import { boolean, readSection } from "./fields.ts";
import type { Given } from "./fields.ts";
import { refuseUnknownIssuer } from "./issuers.ts";
import { maxTagLength } from "./limits.ts";
import { makeKey } from "./make-key.ts";
import { pemType, pkcs12Type } from "./model.ts";
import type { CertificateObject, Policy } from "./model.ts";
import { begin, keyOpsOf, operationBody, publish, wholeVersion } from "./pending.ts";
import { makePolicy, patchPolicy, readPolicy } from "./policy.ts";
import { dueOf } from "./timing.ts";
import { formatSubject, parseSubject } from "./subject.ts";

// Both ways to a new version: made here by a policy, or brought along.

/** The key takes its time; all checks that look at the vault are made again when it is there. */
async function create(call: Call): Promise<Reply> {
  const { vault, now, apiVersion } = call;
  const body = call.body();
  const { enabled = true } = readAttributes(body);
  const tags = readTags(body, maxTagLength);
  const given = readPolicy(body);
  const keepOrder = boolean(body, "preserveCertOrder", "preserveCertOrder") ?? false;
  const check = () => {
    const before = readUnoccupied(call);
    const policy = given ? makePolicy(given, apiVersion, now) : before?.policy;
    if (!policy) throw badParameter("The parameter policy is missing.");
    refuseUnknownIssuer(vault, policy);
    return { before, policy: { ...policy, created: before?.policy.created ?? policy.created } };
  };
  const first = check();
  const key = await makeKey(vault, first.before, first.policy.key_props);
  const { before, policy } = check();
  const beginning = { policy, key, due: dueOf(vault, policy, now), enabled, keepOrder, tags };
  const [certificate, version] = begin(before, call.name, now, beginning);
  vault.certificates.write(certificate, [version]);
  const { requestId } = certificate.pending!;
  const location = `${pendingId(vault, certificate.name)}?api-version=${apiVersion}&request_id=${requestId}`;
  return {
    status: 202,
    headers: { Location: location, "Retry-After": "10" },
    body: operationBody(vault, certificate),
  };
}

/** Brings a key with its certificates. What the caller's policy leaves open is read from the X.509 certificate. */
function bring(call: Call): Reply {
  const { vault, now, apiVersion, name } = call;
  const body = call.body();
  const { value, pwd } = body;
  if (typeof value !== "string" || value === "") throw badParameter("The parameter value is missing or not a string.");
  if (typeof (pwd ?? "") !== "string") throw badParameter("The parameter pwd is not a string.");
  const { enabled = true } = readAttributes(body);
  const tags = readTags(body, maxTagLength);
  const given = readPolicy(body);
  const keepOrder = boolean(body, "preserveCertOrder", "preserveCertOrder") ?? false;
  const before = readUnoccupied(call);
  const type = contentTypeOf(given, value);
  const material = readContent(value, type, (pwd ?? "") as string, keepOrder);
  const own = policyOf(material, type, now);
  const policy = given ? patchPolicy(own, withoutKeyFacts(given), apiVersion, now) : own;
  refuseUnknownIssuer(vault, policy);
  const version = wholeVersion(
    { ...newVersion(now), tags, ...(keepOrder ? { keepOrder } : {}) },
    material,
    now,
    enabled,
  );
  const certificate: CertificateObject = {
    ...before,
    name: before?.name ?? name,
    versions: [...(before?.versions ?? []), version],
    policy: { ...policy, created: before?.policy.created ?? now },
    pending: undefined,
  };
  publish(vault, certificate, version, material, policy, keyOpsOf(policy));
  return { status: 200, body: certificateKind.bundle(call, certificate, version) };
}

/** The certificate under the call's name, if any; refuses when the name is not free for a new version. */
function readUnoccupied(call: Call): CertificateObject | undefined {
  const { vault, now, name } = call;
  const before = readFree(certificateKind, call);
  if (before?.pending?.status === "inProgress") {
    throw conflict(
      "A new key vault certificate can not be created or imported while a pending key vault certificate's status is inProgress.",
    );
  }
  for (const [type, collection] of [
    ["Key", vault.keys],
    ["Secret", vault.secrets],
  ] as const) {
    const other = collection.find(name);
    refuseTaken(type, other, now);
    if (other && lifeOf(other, now) === "live" && !other.versions.at(-1)!.managed) {
      throw conflict(`${type} ${other.name} already exists in this key vault and is not managed by a certificate.`);
    }
  }
  return before;
}

/** Official JS clients leave out the policy that they are given, so a PEM text must speak for itself. */
function contentTypeOf(given: Given | undefined, value: string) {
  const usual = value.includes("-----BEGIN ") ? pemType : pkcs12Type;
  const { contentType = usual } = (given && readSection(given, "secret_props", "policy.secret_props")) ?? {};
  return contentType === pemType ? pemType : pkcs12Type;
}

/** The key is what it is; a policy may only say whether it can be exported and used again. */
function withoutKeyFacts(given: Given): Given {
  const props = readSection(given, "key_props", "policy.key_props");
  if (!props) return given;
  const { kty: _kty, key_size: _size, crv: _crv, ...rest } = props;
  return { ...given, key_props: rest };
}

/** The policy that an X.509 certificate tells. */
function policyOf({ key, leaf }: Material, contentType: Policy["secret_props"]["contentType"], now: number): Policy {
  const subject = subjectOf(leaf);
  return {
    key_props: { exportable: true, reuse_key: false, ...describeKey(key) },
    secret_props: { contentType },
    x509_props: {
      ...(parseSubject(subject) ? { subject } : {}),
      ...extensionsOf(leaf),
      validity_months: monthsOf(leaf),
    },
    lifetime_actions: [{ trigger: { lifetime_percentage: 80 }, action: { action_type: "EmailContacts" } }],
    issuer: { name: "Unknown" },
    created: now,
    updated: now,
  };
}

const parsed = (leaf: X509Certificate) => AsnConvert.parse(leaf.raw, Certificate);

function subjectOf(leaf: X509Certificate): string {
  return formatSubject(parsed(leaf).tbsCertificate.subject);
}

function extensionsOf(leaf: X509Certificate) {
  try {
    return readExtensions(parsed(leaf));
  } catch {
    throw badParameter(
      "The specified X.509 certificate content can not be read. Please check if certificate is valid.",
    );
  }
}

const month = (365.25 / 12) * 86_400_000;

/** Whole months, at least one. */
function monthsOf({ validFromDate, validToDate }: X509Certificate): number {
  const months = Math.round((validToDate.getTime() - validFromDate.getTime()) / month);
  return Math.min(1200, Math.max(1, months));
}

export const createOperations: readonly Operation[] = [
  { operation: "certificate.create", method: "POST", path: "certificates/:name/create", run: create },
  { operation: "certificate.import", method: "POST", path: "certificates/:name/import", run: bring },
];
