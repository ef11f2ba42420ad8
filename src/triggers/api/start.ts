import { z } from "zod";
import { PinionError } from "../../errors.ts";
import { newRotationId, requestStart } from "../request.ts";
import { readBody, reasonText, versionText } from "./body.ts";
import { may } from "./caller.ts";
import { json } from "./problem.ts";
import { type ApiHandler, subjectOf } from "./route.ts";

const body = z.strictObject({ version: versionText, reason: reasonText.optional(), change: reasonText.optional() });
const idempotencyKey = z.string().min(1).max(200);

/**
 * `POST /api/rotations/{id}/start`: rotates the version that the caller names, once for each Idempotency-Key. 202, or 200 when it is
 * running; `status` is `started`, `running`, or `finishing`: then an operator asked during the grace, which is ended first.
 */
export const start: ApiHandler = async (call) => {
  const subject = await subjectOf(call);
  const { version, reason, change } = await readBody(call.request, body);
  const given = call.request.headers.get("idempotency-key");
  if (given !== null && !idempotencyKey.safeParse(given).success)
    throw new PinionError("BAD_REQUEST", "Idempotency-Key: 1 to 200 characters.");
  const key = `http:${given ?? newRotationId(call.deps.now())}`;
  const wish = {
    subject,
    version,
    actor: call.actor,
    mayFinish: may(call.actor, "command", call.config),
    key,
    ...(reason !== undefined && { reason }),
    ...(change !== undefined && { change }),
  };
  const reply = await requestStart(call.deps, call.engine, wish);
  if ("why" in reply) throw new PinionError(reply.code, reply.why);
  return json(reply.kind === "running" ? 200 : 202, {
    id: subject.object.id,
    rotationId: reply.rotationId,
    status: reply.kind,
  });
};
