import type { OrchestrationContext } from "durable-functions";
import type { Fault } from "../errors.ts";
import type { Outcome } from "../store/types.ts";
import { type Progress, uptake } from "./progress.ts";
import { retire } from "./retire.ts";
import { cleanup } from "./retry.ts";
import { beginRun, type Flow, RollbackAsked, type Run, say, step, StepFailed, wait, withFault } from "./run.ts";
import type { Candidate, Ending } from "./steps.ts";
import { turnBack } from "./turn-back.ts";

/** The life of a rotation (design section 3), as a checklist. It branches on strategy and facts, never on kind. */
export function* rotate(context: OrchestrationContext): Flow<{ outcome: Outcome }> {
  const run = beginRun(context);

  const preflight = yield* attempt(() => step(run, "preflight", {}));
  if (!preflight.ok) return yield* end(run, { outcome: "refused", ...withFault(preflight.fault) });
  if ("end" in preflight.value) return yield* end(run, { outcome: preflight.value.end });

  const plan = preflight.value.plan;
  const progress: Progress = { plan, setBegun: false, publishBegun: false, moved: [], suspended: false };

  const forward = yield* attempt(() => moveForward(run, progress));
  const waited = forward.ok ? yield* attempt(() => graceAndRetire(run, progress)) : forward;
  if (waited.ok)
    return yield* end(run, { outcome: waited.value ? "kept" : "rotated", ...withFault(waited.value) }, progress);

  const outcome = yield* turnBack(run, progress, waited.fault);
  return yield* end(run, outcome, progress);
}

/** Stage, set, validate, publish, cutover, verify: everything up to the moment when the consumers use the candidate. */
function* moveForward(run: Run, progress: Progress): Flow<undefined> {
  const { sourceVersion, current, idle } = progress.plan;

  const staged = yield* step(run, "stage", { sourceVersion, current, idle });
  const candidate: Candidate = { ...staged, sourceVersion, current };
  progress.candidate = candidate;

  progress.setBegun = true;
  yield* step(run, "set", candidate);
  yield* step(run, "validate", candidate);

  progress.publishBegun = true;
  const published = yield* step(run, "publish", candidate);
  progress.publishedVersion = published.publishedVersion;

  const { moved } = yield* step(run, "cutover", { version: published.publishedVersion, sourceVersion });
  progress.moved = moved;
  yield* step(run, "verify", { version: published.publishedVersion }, uptake(progress.plan));
  return undefined;
}

/** The grace, while rollback is one command away; then the old credential goes, through its gates. */
function* graceAndRetire(run: Run, progress: Progress): Flow<Fault | undefined> {
  const { plan, candidate, publishedVersion } = progress;
  if (candidate === undefined || publishedVersion === undefined) return undefined;
  const heard = yield* wait(run, plan.graceSeconds, { step: "grace" });
  if (heard === "rollback") throw new RollbackAsked("asked for during the grace");
  return yield* retire(run, plan, {
    retirement: { old: plan.current, oldVersion: plan.sourceVersion, keptVersion: publishedVersion },
    onSuspend: (suspended) => (progress.suspended = suspended),
    interruptible: true,
  });
}

/** A part that ended: with its value, with a fault, or, without one, because a person asked to turn back. */
type Attempt<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: Fault | undefined };

/** Runs a part; a failed step or an asked rollback becomes a value. Anything else is a fault in this code and ends the instance. */
function* attempt<T>(part: () => Flow<T>): Flow<Attempt<T>> {
  try {
    return { ok: true, value: yield* part() };
  } catch (error) {
    if (error instanceof StepFailed) return { ok: false, fault: error.fault };
    if (error instanceof RollbackAsked) return { ok: false, fault: undefined };
    throw error;
  }
}

/** The last step: evidence, state, notification. Without a command record there is nothing to write and nobody to tell. */
function* end(run: Run, ending: Pick<Ending, "outcome" | "fault">, progress?: Progress): Flow<{ outcome: Outcome }> {
  if (ending.fault?.code !== "COMMAND_MISSING") {
    const done: Ending = {
      ...ending,
      ...(progress && { plan: progress.plan, moved: progress.moved }),
      ...(progress?.candidate && { stagedVersion: progress.candidate.stagedVersion }),
      ...(progress?.publishedVersion !== undefined && { publishedVersion: progress.publishedVersion }),
      timeline: [...run.timeline],
      startedAt: run.startedAt,
      endedAt: run.context.df.currentUtcDateTime.toISOString(),
    };
    yield* step(run, "record", done, cleanup);
  }
  say(run, { step: "ended", outcome: ending.outcome, ...withFault(ending.fault) });
  return { outcome: ending.outcome };
}
