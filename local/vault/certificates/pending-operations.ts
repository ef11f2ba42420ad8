import { readAttributes, readTags } from "../attributes.ts";
import { lifeOf } from "../collection.ts";
import { idOf } from "../kind.ts";
import type { Call, Operation, Reply } from "../model.ts";
import { Refusal, badParameter } from "../refusal.ts";
import { certificateKind } from "./certificate.ts";
import { assemble, readCertificate } from "./content.ts";
import { maxTagLength } from "./limits.ts";
import type { CertificateObject, PendingOperation } from "./model.ts";
import { keyOf, operationBody } from "./pending.ts";
import { complete } from "./publish.ts";
import { dueOf } from "./timing.ts";

// The operation that makes a version: look at it, call it off, forget it, or complete it by hand.

type Pending = CertificateObject & { readonly pending: PendingOperation };

const retryAfter = { "Retry-After": "10" };
const maxCertificates = 100;

/** The live certificate with its operation; 404 when there is none, or not the one that the query asks for. */
function readPending({ vault, now, name, query }: Call): Pending {
  const certificate = vault.certificates.find(name);
  const asked = query.get("request_id");
  if (certificate?.pending && lifeOf(certificate, now) === "live") {
    const { pending } = certificate;
    if (asked === undefined || asked.toLowerCase() === pending.requestId) return { ...certificate, pending };
  }
  throw new Refusal(404, "PendingCertificateNotFound", `Pending certificate not found: ${name}`);
}

function get(call: Call): Reply {
  const certificate = readPending(call);
  const headers = certificate.pending.status === "inProgress" ? retryAfter : {};
  return { status: 200, headers, body: operationBody(call.vault, certificate) };
}

/** A cancellation is granted a moment later, like everything that an issuer does. */
function update(call: Call): Reply {
  const { vault, now } = call;
  const requested = call.body()["cancellation_requested"];
  if (typeof requested !== "boolean") {
    throw badParameter("The parameter cancellation_requested is missing or not a boolean.");
  }
  const certificate = readPending(call);
  const { pending } = certificate;
  if (pending.status !== "inProgress") {
    throw badParameter(`The operation cannot be cancelled: its status is ${pending.status}, not inProgress.`);
  }
  const due = requested ? now + vault.settings.certificateDelayMs : dueOf(vault, pending.policy, now);
  const changed = { ...certificate, pending: { ...pending, cancellationRequested: requested, due } };
  vault.certificates.write(changed, []);
  return { status: 200, body: operationBody(vault, changed) };
}

/** The placeholder of its version stays. */
function remove(call: Call): Reply {
  const certificate = readPending(call);
  call.vault.certificates.write({ ...certificate, pending: undefined }, []);
  return { status: 200, body: operationBody(call.vault, certificate) };
}

function merge(call: Call): Reply {
  const { vault, now, apiVersion } = call;
  const body = call.body();
  const { enabled } = readAttributes(body);
  const tags = readTags(body, maxTagLength);
  const certificates = readChain(body["x5c"]);
  const certificate = readPending(call);
  const { pending } = certificate;
  if (pending.status !== "inProgress") {
    throw badParameter(`There is nothing to merge with: the operation's status is ${pending.status}, not inProgress.`);
  }
  const { name: issuer } = pending.policy.issuer;
  if (issuer !== "Unknown") {
    const text = `Merge is not allowed on a pending certificate whose issuer is ${issuer}, while it is in progress.`;
    throw new Refusal(403, "Forbidden", text);
  }
  const material = assemble(keyOf(pending), certificates, pending.keepOrder);
  const given = { ...(enabled === undefined ? {} : { enabled }), ...(tags === undefined ? {} : { tags }) };
  const [done, version] = complete(vault, certificate, material, now, given);
  return {
    status: 201,
    headers: { Location: `${idOf(certificateKind, vault, done.name)}?api-version=${apiVersion}` },
    body: certificateKind.bundle(call, done, version),
  };
}

/** `x5c`: certificates in base64 of DER. */
function readChain(x5c: unknown) {
  if (!Array.isArray(x5c) || x5c.length === 0 || x5c.length > maxCertificates) {
    throw badParameter("The parameter x5c is missing or not a list of certificates.");
  }
  return x5c.map((one: unknown) => {
    if (typeof one !== "string") throw badParameter("The parameter x5c has a member that is not a string.");
    return readCertificate(Buffer.from(one, "base64"));
  });
}

const path = "certificates/:name/pending";

export const pendingOperations: readonly Operation[] = [
  { operation: "certificate.getOperation", method: "GET", path, run: get },
  { operation: "certificate.updateOperation", method: "PATCH", path, run: update },
  { operation: "certificate.deleteOperation", method: "DELETE", path, run: remove },
  { operation: "certificate.merge", method: "POST", path: `${path}/merge`, run: merge },
];
