import { z } from "zod";
import { stepBeside } from "../../activities/beside.ts";
import { accountOf, type Deps, findSubject, type Subject } from "../../activities/deps.ts";
import { announce } from "../../activities/step.ts";
import { PinionError, toFault } from "../../errors.ts";
import type { PublicDocument } from "../../rotator.ts";
import { newRotationId, observeOnly } from "../request.ts";
import { readBody, reasonText } from "./body.ts";
import { json } from "./problem.ts";
import { type ApiHandler, type Call, type PublicHandler, subjectOf } from "./route.ts";

const patience = 20_000;

/**
 * Milliseconds of process time. Anybody may ask, and each look costs the vault requests: the vault is asked again only after `lifetime`, or
 * when the object's notes have changed, since a step may just have published another key; the notes are read once in a `moment`.
 */
const lifetime = 5_000;
const moment = 250;

/** What one object publishes, as it was last asked: everybody who asks meanwhile gets the same answer, be it a failure. */
interface Known {
  answer: Promise<PublicDocument | undefined>;
  /** By the process's clock; endless while the answer is on its way. */
  until: number;
  /** The last document, and the object's notes that it was made from. */
  good: { readonly document: PublicDocument; readonly notes: string } | undefined;
  /** The last look failed, whatever was answered. */
  failing?: true;
  /** What the vault was last asked for, be it nothing. */
  last: { readonly document: PublicDocument | undefined; readonly notes: string; readonly at: number } | undefined;
}

/** By id, for objects of the policy only: what strangers ask for takes no room. */
const known = new Map<string, Known>();

/**
 * `GET /api/jwks/{id}`: the public keys of a signer, for everybody, where its rotator has no other place to publish them. While the vault
 * fails they get the last ones; 404 says the same of whatever publishes nothing here, 503 that nothing is known yet.
 */
export const serveJwks: PublicHandler = async ({ request, deps }) => {
  const id = request.params["id"] ?? "";
  const { policy } = await deps.policy();
  const subject = await findSubject(deps, id);
  const unread = policy === undefined ? known.get(id)?.good?.document : undefined;
  if (policy === undefined && unread === undefined) throw unavailable();
  const document = unread ?? (subject?.rotator.document && (await current(deps, subject, policy?.objects ?? [])));
  if (document === undefined) throw new PinionError("NOT_FOUND", "No keys are published here.");
  const { headers, body } = document;
  return { status: 200, headers: { ...headers }, body };
};

function current(
  deps: Deps,
  subject: Subject,
  objects: readonly { readonly id: string }[],
): Promise<PublicDocument | undefined> {
  const { id } = subject.object;
  const former = known.get(id);
  if (former !== undefined && performance.now() < former.until) return former.answer;
  const ids = new Set(objects.map((object) => object.id));
  for (const other of known.keys()) if (!ids.has(other)) known.delete(other);
  const { good, last } = former ?? { good: undefined, last: undefined };
  const next: Known = { answer: Promise.resolve(undefined), until: Number.POSITIVE_INFINITY, good, last };
  known.set(id, next);
  const wait = (milliseconds: number) => void (next.until = performance.now() + milliseconds);
  next.answer = look(deps, subject, next);
  // A failure is an answer for longer: whoever throttles is left alone.
  next.answer.then(
    () => wait(next.failing === true ? lifetime : moment),
    () => wait(lifetime),
  );
  return next.answer;
}

async function look(deps: Deps, subject: Subject, mine: Known): Promise<PublicDocument | undefined> {
  let notes: string | undefined;
  try {
    notes = JSON.stringify((await deps.records.read(subject.key)).state.value.notes ?? {});
    const { last } = mine;
    if (last !== undefined && last.notes === notes && performance.now() - last.at < lifetime) return last.document;
    const document = await subject.rotator.document?.(
      await stepBeside(deps, subject, "jwks", AbortSignal.timeout(patience)),
    );
    mine.good = document && { document, notes };
    mine.last = { document, notes, at: performance.now() };
    return document;
  } catch (error) {
    const fault = toFault(error);
    mine.failing = true;
    deps.log("warning", `the published keys of ${subject.object.id}: ${fault.code}`, { message: fault.message });
    const { good } = mine;
    // Other notes may be those of an emergency, and a key that was disabled was perhaps meant to go.
    if (good !== undefined && fault.class !== "permanent" && (notes ?? good.notes) === good.notes) return good.document;
    throw unavailable();
  }
}

const unavailable = () =>
  new PinionError("VAULT_UNAVAILABLE", "The keys cannot be read at the moment: ask again.", {
    class: "throttled",
    retryAfterSeconds: lifetime / 1000,
  });

const body = z.strictObject({
  kid: z.string().regex(/^[A-Za-z0-9_-]{1,100}$/, "the kid of a published key"),
  reason: reasonText,
  change: reasonText.optional(),
});

/**
 * `POST /api/rotations/{id}/withdraw`: the emergency, at a path that App Service authentication guards. A key that others know is taken out of the published set at once, whatever that breaks, and
 * is never published again. The command is recorded before anything is done; 409 where a step holds the set for too long: then it is sent again.
 */
export const withdrawJwk: ApiHandler = async (call) => {
  const { deps } = call;
  if (deps.observe) throw observeOnly;
  const subject = await subjectOf(call);
  const { object, rotator } = subject;
  const { kid, reason, change } = await readBody(call.request, body);
  if (rotator.withdraw === undefined)
    throw new PinionError("CONFLICT", `${object.id} has nothing that could be withdrawn.`);
  const { withdraw } = rotator;
  const emergency = await record(call, subject, { reason, ...(change !== undefined && { change }) });
  const proofs = await insist(deps, subject, async () =>
    withdraw(await stepBeside(deps, subject, emergency, AbortSignal.timeout(patience)), kid),
  );
  known.delete(object.id);
  await announce(
    deps,
    subject,
    emergency,
    "withdraw",
    { name: "Withdrawn", data: { kid, reason } },
    AbortSignal.timeout(patience),
  );
  return json(200, { id: object.id, kid, command: "withdraw", proofs });
};

/** Waits for a step that changes the same set. */
async function insist<T>(deps: Deps, subject: Subject, work: () => Promise<T>): Promise<T> {
  const end = performance.now() + patience;
  for (;;) {
    try {
      return await deps.withLease(accountOf(subject), work);
    } catch (error) {
      if (!(error instanceof PinionError && error.code === "LEASE_HELD")) throw error;
      if (performance.now() >= end) {
        throw new PinionError(
          "LEASE_HELD",
          `The command is recorded, but a step of a rotation holds what ${subject.object.id} publishes: the key is still published. Repeat the request until it is done; a step that died lets go within a minute.`,
          { class: "throttled", retryAfterSeconds: 5 },
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
  }
}

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
