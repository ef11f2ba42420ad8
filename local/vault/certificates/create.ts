import { readAttributes, readTags } from "../attributes.ts";
import type { Call, Operation, Reply } from "../model.ts";
import { badParameter } from "../refusal.ts";
import { pendingId } from "./certificate.ts";
import { readUnoccupied } from "./free-name.ts";
import { refuseUnknownIssuer } from "./issuers.ts";
import { maxTagLength } from "./limits.ts";
import { makeKey } from "./make-key.ts";
import { readKeepOrder } from "./keep-order.ts";
import { begin, operationBody } from "./pending.ts";
import { makePolicy, readPolicy } from "./policy.ts";
import { dueOf } from "./timing.ts";

/** The key takes its time; all checks that look at the vault are made again when it is there. */
async function create(call: Call): Promise<Reply> {
  const { vault, now, apiVersion } = call;
  const body = call.body();
  const { enabled = true } = readAttributes(body);
  const tags = readTags(body, maxTagLength);
  const given = readPolicy(body);
  const keepOrder = readKeepOrder(call, body);
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

/** A version made by a policy. */
export const createOperation: Operation = {
  operation: "certificate.create",
  method: "POST",
  path: "certificates/:name/create",
  run: create,
};
