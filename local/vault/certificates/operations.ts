import { readAttributes, readTags } from "../attributes.ts";
import { backupOperations } from "../backup.ts";
import { latest, lifeOf, withVersion } from "../collection.ts";
import type { Change, Collection } from "../collection.ts";
import { idOf, readLive } from "../kind.ts";
import { listOperations } from "../lists.ts";
import type { Call, Operation, Reply, VersionRecord } from "../model.ts";
import { page } from "../paging.ts";
import { badParameter } from "../refusal.ts";
import { softDeleteOperations } from "../soft-delete.ts";
import { certificateKind, newestWhole, versionBundle } from "./certificate.ts";
import { contactOperations } from "./contacts.ts";
import { createOperation } from "./create.ts";
import type { Given } from "./fields.ts";
import { importOperation } from "./import.ts";
import { issuerOperations, refuseUnknownIssuer } from "./issuers.ts";
import { maxTagLength } from "./limits.ts";
import type { CertificateObject, CertificateVersion, Policy } from "./model.ts";
import { pendingOperations } from "./pending-operations.ts";
import { patchPolicy, readPolicy, showPolicy } from "./policy.ts";

// The certificates of a vault: https://learn.microsoft.com/rest/api/keyvault/certificates.

/** Policy and operation belong to the certificate: a reply about a named version leaves them out. */
function show(call: Call, certificate: CertificateObject, version: CertificateVersion): Reply {
  const bundle = call.version ? versionBundle : certificateKind.bundle;
  return { status: 200, body: bundle(call, certificate, version) };
}

/** Unlike secrets and keys, a disabled one can be read: it holds nothing but public parts. */
function get(call: Call): Reply {
  return show(call, ...readLive(certificateKind, call));
}

/** nbf and exp are what the X.509 certificate says; callers cannot move them. */
function update(call: Call): Reply {
  const { vault, now } = call;
  const body = call.body();
  const { enabled } = readAttributes(body);
  const tags = readTags(body, maxTagLength);
  const given = readPolicy(body);
  const [certificate, before] = readLive(certificateKind, call);
  const policy = given ? patched(call, certificate, given) : certificate.policy;
  if (enabled && before.cer === undefined) throw badParameter("A certificate that is not complete cannot be enabled.");
  const turn = { ...(enabled === undefined ? {} : { enabled }), ...(tags === undefined ? {} : { tags }), updated: now };
  const version = { ...before, ...turn };
  const changed = { ...certificate, policy, versions: withVersion(certificate.versions, version) };
  vault.commit([
    vault.certificates.writing(changed, [version]),
    ...mirrored(vault.keys, certificate.name, version.id, turn),
    ...mirrored(vault.secrets, certificate.name, version.id, turn),
  ]);
  return show(call, changed, version);
}

type Turn = Partial<Pick<CertificateVersion, "enabled" | "tags" | "updated">>;

/** The same change to the version's key, or secret; none where there is no such version yet. */
function mirrored<V extends VersionRecord>(collection: Collection<V>, name: string, id: string, turn: Turn): Change[] {
  const object = collection.find(name);
  const version = object?.versions.find((one) => one.id === id);
  if (!object || !version) return [];
  const turned = { ...version, ...turn };
  return [collection.writing({ ...object, versions: withVersion(object.versions, turned) }, [turned])];
}

/** Without `includePending` a certificate shows its newest whole version, and one that has none is left out. */
function list(call: Call): Reply {
  const { vault, now, query } = call;
  const pending = readFlag(query.get("includepending"));
  return page(call, "certificates", vault.certificates.names(), (name) => {
    const certificate = vault.certificates.find(name);
    if (!certificate || lifeOf(certificate, now) !== "live") return undefined;
    const version = pending ? latest(certificate) : newestWhole(certificate);
    return version && certificateKind.item(call, certificate, version, idOf(certificateKind, vault, certificate.name));
  });
}

function readFlag(text = "false"): boolean {
  if (/^(true|false)$/i.test(text)) return text.toLowerCase() === "true";
  throw badParameter("The parameter includePending must be true or false.");
}

function getPolicy(call: Call): Reply {
  const [{ name, policy }] = readLive(certificateKind, call);
  return { status: 200, body: policyBody(call, name, policy) };
}

function updatePolicy(call: Call): Reply {
  const { vault } = call;
  const given = call.body();
  const [certificate] = readLive(certificateKind, call);
  const policy = patched(call, certificate, given);
  vault.certificates.write({ ...certificate, policy }, []);
  return { status: 200, body: policyBody(call, certificate.name, policy) };
}

/** A certificate may keep an issuer that is gone, but not be given one. */
function patched({ vault, apiVersion, now }: Call, certificate: CertificateObject, given: Given): Policy {
  const policy = patchPolicy(certificate.policy, given, apiVersion, now);
  if (policy.issuer.name !== certificate.policy.issuer.name) refuseUnknownIssuer(vault, policy);
  return policy;
}

const policyBody = ({ vault, apiVersion }: Call, name: string, policy: Policy) =>
  showPolicy(policy, `${idOf(certificateKind, vault, name)}/policy`, apiVersion);

/** All operations on certificates, live and deleted, and on the vault's contacts and issuers. */
export const certificateOperations: readonly Operation[] = [
  createOperation,
  importOperation,
  ...pendingOperations,
  ...issuerOperations,
  ...contactOperations,
  { operation: "certificate.list", method: "GET", path: "certificates", run: list },
  ...listOperations(certificateKind).filter(({ operation }) => operation !== "certificate.list"),
  { operation: "certificate.get", method: "GET", path: "certificates/:name", run: get },
  { operation: "certificate.get", method: "GET", path: "certificates/:name/:version", run: get },
  { operation: "certificate.update", method: "PATCH", path: "certificates/:name", run: update },
  { operation: "certificate.update", method: "PATCH", path: "certificates/:name/:version", run: update },
  { operation: "certificate.getPolicy", method: "GET", path: "certificates/:name/policy", run: getPolicy },
  { operation: "certificate.updatePolicy", method: "PATCH", path: "certificates/:name/policy", run: updatePolicy },
  ...softDeleteOperations(certificateKind),
  ...backupOperations(certificateKind),
];
