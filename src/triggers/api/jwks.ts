import { z } from "zod";
import { stepBeside } from "../../activities/beside.ts";
import { accountOf, type Subject } from "../../activities/deps.ts";
import { announce } from "../../activities/step.ts";
import { PinionError } from "../../errors.ts";
import type { PublicDocument } from "../../rotator.ts";
import { newRotationId } from "../request.ts";
import { readBody, reasonText } from "./body.ts";
import { requireOperator } from "./caller.ts";
import { json } from "./problem.ts";
import { type ApiHandler, type Call, subjectOf } from "./route.ts";

const patience = 20_000;

/** Milliseconds of process time for which a document is served from memory: anybody may ask, and each answer costs the vault requests. */
const lifetime = 5_000;
const known = new Map<string, { readonly document: PublicDocument; readonly at: number }>();

/** `GET /api/jwks/{id}`: the public keys of a signer, for everybody, where its rotator has no other place to publish them. */
export const serveJwks: ApiHandler = async (call) => {
  const subject = await subjectOf(call);
  const { object, rotator } = subject;
  const found = known.get(object.id);
  if (found !== undefined && performance.now() - found.at < lifetime) return reply(found.document);
  const step = await stepBeside(call.deps, subject, "jwks", AbortSignal.timeout(patience));
  const document = await rotator.document?.(step);
  if (document === undefined) throw new PinionError("NOT_FOUND", `${object.id} publishes no keys here.`);
  known.set(object.id, { document, at: performance.now() });
  return reply(document);
};

const reply = ({ headers, body }: PublicDocument) => ({ status: 200, headers: { ...headers }, body });

const body = z.strictObject({
  kid: z.string().regex(/^[A-Za-z0-9_-]{1,100}$/, "the kid of a published key"),
  reason: reasonText,
  change: reasonText.optional(),
});

/**
 * `POST /api/jwks/{id}/withdraw`: the emergency. A key that others know is taken out of the published set at once, whatever that breaks, and
 * is never published again. The command is recorded before anything is done.
 */
export const withdrawJwk: ApiHandler = async (call) => {
  requireOperator(call.actor, call.config);
  const { deps } = call;
  const subject = await subjectOf(call);
  const { object, rotator } = subject;
  const { kid, reason, change } = await readBody(call.request, body);
  if (rotator.withdraw === undefined)
    throw new PinionError("CONFLICT", `${object.id} has nothing that could be withdrawn.`);
  const { withdraw } = rotator;
  const emergency = await record(call, subject, { reason, ...(change !== undefined && { change }) });
  const signal = AbortSignal.timeout(patience);
  const proofs = await deps.withLease(accountOf(subject), async () =>
    withdraw(await stepBeside(deps, subject, emergency, signal), kid),
  );
  known.delete(object.id);
  await announce(deps, subject, emergency, "withdraw", { name: "Withdrawn", data: { kid, reason } }, signal);
  return json(200, { id: object.id, kid, command: "withdraw", proofs });
};

/** Writes the command beside those of rotations; its id is later than that of every rotation so far. */
async function record(
  { deps, actor }: Call,
  subject: Subject,
  given: { readonly reason: string; readonly change?: string },
): Promise<string> {
  for (;;) {
    const { state } = await deps.records.read(subject.key);
    const { rotationId: last, sourceVersion: version = "" } = state.value;
    const rotationId = newRotationId(deps.now(), last);
    const at = new Date(deps.now()).toISOString();
    const command = { id: "withdraw", verb: "withdraw", rotationId, version, actor, at, ...given } as const;
    if (await deps.records.command(subject.key, command, state)) return rotationId;
  }
}
