import type { OrchestrationContext } from "durable-functions";
import type { Fault } from "../errors.ts";
import type { Outcome } from "../store/types.ts";
import { type Progress, uptake } from "./progress.ts";
import { retire } from "./retire.ts";
import { cleanup, issuance } from "./retry.ts";
import {
  beginRun,
  type Flow,
  RollbackAsked,
  type Run,
  say,
  step,
  StepFailed,
  waitUnlessTurned,
  withFault,
} from "./run.ts";
import type { Candidate, Ended, Ending } from "./steps.ts";
import { turnBack } from "./turn-back.ts";

/** The life of a rotation (design section 3), as a checklist. It branches on strategy and facts, never on kind. */
export function* rotate(context: OrchestrationContext): Flow<{ outcome: Outcome }> {
  const run = beginRun(context);

  const preflight = yield* attempt(() => step(run, "preflight", {}));
  if (!preflight.ok) {
    // Without a fault a person called it off.
    return yield* end(run, { outcome: preflight.fault ? "refused" : "rolled-back", ...withFault(preflight.fault) });
  }
  if ("end" in preflight.value) return yield* end(run, { outcome: preflight.value.end });

  const plan = preflight.value.plan;
  const progress: Progress = { plan, stageBegun: false, setBegun: false, publishBegun: false, suspended: undefined };

  const forward = yield* attempt(() => moveForward(run, progress));
  const waited = forward.ok ? yield* attempt(() => graceAndRetire(run, progress)) : forward;
  if (waited.ok) {
    const retired = [plan.sourceVersion, ...(plan.sourceAliases ?? [])];
    const ending: Ended = waited.value ? { outcome: "kept", fault: waited.value } : { outcome: "rotated", retired };
    try {
      return yield* end(run, ending, progress);
    } catch (error) {
      // Somebody asked for a rollback just before the end was written down.
      if (!(error instanceof RollbackAsked)) throw error;
    }
  }

  const outcome = yield* turnBack(run, progress, waited.ok ? undefined : waited.fault);
  return yield* end(run, outcome, progress);
}

/** Stage, set, validate, publish, cutover, verify: everything up to the moment when the consumers use the candidate. */
function* moveForward(run: Run, progress: Progress): Flow<undefined> {
  const { plan } = progress;
  const { sourceVersion, current, idle } = plan;

  progress.stageBegun = true;
  // A version that the vault makes in the object is there before anything is known of it.
  progress.publishBegun = plan.madeInObject === true;
  const patience = plan.issueSeconds === undefined ? undefined : issuance(plan.issueSeconds);
  const staged = yield* step(run, "stage", { sourceVersion, current, idle }, patience);
  const candidate: Candidate = { ...staged, sourceVersion, current };
  progress.candidate = candidate;

  progress.setBegun = true;
  yield* step(run, "set", candidate);
  for (let success = 1; ; success++) {
    // Once for each account: in place, preflight has made it.
    yield* step(run, "validate", { ...candidate, negativeControl: success === 1 && idle.id !== current.id });
    if (success >= plan.validations) break;
    yield* waitUnlessTurned(run, plan.validateEverySeconds, { step: "validate" });
  }

  progress.publishBegun = true;
  const published = yield* step(run, "publish", candidate);
  progress.publishedVersion = published.publishedVersion;

  yield* step(run, "cutover", { version: published.publishedVersion, consumers: plan.consumers });
  yield* step(run, "verify", { version: published.publishedVersion }, uptake(plan));
  if (plan.recheckSeconds > 0) {
    yield* waitUnlessTurned(run, plan.recheckSeconds, { step: "verify" });
    yield* step(run, "verify", { version: published.publishedVersion }, uptake(plan));
  }
  return undefined;
}

/** The grace, while rollback is one command away; then the old credential goes, through its gates. */
function* graceAndRetire(run: Run, progress: Progress): Flow<Fault | undefined> {
  const { plan, candidate, publishedVersion } = progress;
  if (candidate === undefined || publishedVersion === undefined) return undefined;
  // As long as somebody may hold the old value, not even a finish ends the grace.
  yield* waitUnlessTurned(run, plan.lagSeconds, { step: "grace" });
  if (!run.finishAsked) yield* waitUnlessTurned(run, plan.graceSeconds - plan.lagSeconds, { step: "grace" }, "finish");
  const retirement = {
    old: plan.current,
    oldVersion: plan.sourceVersion,
    keptVersion: publishedVersion,
  };
  return yield* retire(run, plan, retirement, (round) => (progress.suspended = round));
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
function* end(run: Run, ending: Ended, progress?: Progress): Flow<{ outcome: Outcome }> {
  run.listens = false;
  if (ending.fault?.code !== "COMMAND_MISSING") {
    const done: Ending = {
      ...ending,
      ...(progress && { plan: progress.plan }),
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
