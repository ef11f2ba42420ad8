import type { OrchestrationContext } from "durable-functions";
import type { Fault } from "../errors.ts";
import type { Outcome } from "../store/types.ts";
import { type Progress, uptake } from "./progress.ts";
import { graceSoFar, progressOf, takeUp } from "./take-up.ts";
import { beginOf, retire } from "./retire.ts";
import { cleanup, issuance } from "./retry.ts";
import {
  beginRun,
  type Flow,
  now,
  RollbackAsked,
  type Run,
  say,
  step,
  StepFailed,
  waitUnlessTurned,
  withFault,
} from "./run.ts";
import type { Candidate, Ended, Ending, TakenUp } from "./steps.ts";
import { turnBack } from "./turn-back.ts";

/** The life of a rotation (design section 3), as a checklist. It branches on strategy and facts, never on kind. */
export function* rotate(context: OrchestrationContext): Flow<{ outcome: Outcome }> {
  const run = beginRun(context);

  const preflight = yield* attempt(() => step(run, "preflight", run.takesUp ? { takeUp: true } : {}));
  if (!preflight.ok) {
    // What was done before stays as the record has it, for whoever takes it up next.
    if (run.takesUp || runsElsewhere(preflight.fault)) return leave(run, preflight.fault);
    // Without a fault a person called it off.
    return yield* end(run, { outcome: preflight.fault ? "refused" : "rolled-back", ...withFault(preflight.fault) });
  }
  if ("end" in preflight.value) return yield* end(run, { outcome: preflight.value.end });

  const { plan, takenUp } = preflight.value;
  const progress = progressOf(plan, takenUp);
  run.startedAt = takenUp?.startedAt ?? run.startedAt;
  if (takenUp?.ended !== undefined) {
    run.turningBack = takenUp.at === "turning-back";
    return yield* end(run, takenUp.ended, progress);
  }
  run.listens = true;

  const forward = yield* attempt(() => moveForward(run, progress, takenUp));
  const waited = forward.ok ? yield* attempt(() => graceAndRetire(run, progress, takenUp)) : forward;
  if (!waited.ok && runsElsewhere(waited.fault)) return leave(run, waited.fault);
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
function* moveForward(run: Run, progress: Progress, taken: TakenUp | undefined): Flow<undefined> {
  yield* takeUp(run, progress, taken);
  if (taken !== undefined && taken.at !== "forward") return undefined;
  const { plan } = progress;
  const candidate = (progress.candidate ??= yield* stage(run, progress));
  // The staged copy of what was written is disabled: nothing could be set or proven with it.
  if (taken?.written !== true) yield* setAndValidate(run, progress, candidate);

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

function* stage(run: Run, progress: Progress): Flow<Candidate> {
  const { plan } = progress;
  const { sourceVersion, current, idle } = plan;
  progress.stageBegun = true;
  // A version that the vault makes in the object is there before anything is known of it.
  progress.publishBegun = plan.madeInObject === true;
  const patience = plan.issueSeconds === undefined ? undefined : issuance(patienceLeft(run, plan.issueSeconds));
  const staged = yield* step(run, "stage", { sourceVersion, current, idle }, patience);
  return { ...staged, sourceVersion, current };
}

/** Seconds that are left of those in which a candidate may come. Whatever was lost meanwhile, an hour is given to what takes some tries. */
function patienceLeft(run: Run, seconds: number): number {
  if (!run.takesUp) return seconds;
  // oxlint-disable-next-line no-restricted-globals -- parses a given instant
  const passed = now(run) - Date.parse(run.startedAt) / 1000;
  return Math.max(seconds - passed, Math.min(seconds, 3600));
}

function* setAndValidate(run: Run, progress: Progress, candidate: Candidate): Flow<void> {
  const { plan } = progress;
  progress.setBegun = true;
  yield* step(run, "set", candidate);
  for (let success = 1; ; success++) {
    // Once for each account: in place, preflight has made it.
    yield* step(run, "validate", { ...candidate, negativeControl: success === 1 && plan.idle.id !== plan.current.id });
    if (success >= plan.validations) return;
    yield* waitUnlessTurned(run, plan.validateEverySeconds, { step: "validate" });
  }
}

/** The grace, while rollback is one command away; then the old credential goes, through its gates. */
function* graceAndRetire(run: Run, progress: Progress, taken: TakenUp | undefined): Flow<Fault | undefined> {
  const { plan, candidate, publishedVersion } = progress;
  if (candidate === undefined || publishedVersion === undefined) return undefined;
  const { lagSeconds, graceSeconds } = plan;
  const passed = graceSoFar(run, taken);
  // As long as somebody may hold the old value, not even a finish ends the grace.
  yield* waitUnlessTurned(run, lagSeconds - passed, { step: "grace" });
  const rest = graceSeconds - Math.max(lagSeconds, passed);
  if (!run.finishAsked) yield* waitUnlessTurned(run, rest, { step: "grace" }, "finish");
  const retirement = {
    old: plan.current,
    oldVersion: plan.sourceVersion,
    keptVersion: publishedVersion,
  };
  const onSuspend = (round: number | undefined) => (progress.suspended = round);
  return yield* retire(run, plan, retirement, onSuspend, beginOf(progress, taken?.at === "revoking"));
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

/**
 * Whether the object has moved on without this orchestration: another one runs the rotation, perhaps in another task hub. Nothing of what
 * that one did may be turned back, or written off.
 */
const runsElsewhere = (fault: Fault | undefined): boolean => fault?.code === "LEASE_LOST";

/** Ends an orchestration that has no say, or could not take its rotation up. The rotation itself stays under way by its record. */
function leave(run: Run, fault: Fault | undefined): { outcome: Outcome } {
  say(run, { step: "ended", outcome: "failed", ...withFault(fault) });
  return { outcome: "failed" };
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
