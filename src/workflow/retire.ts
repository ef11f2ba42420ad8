import type { Fault } from "../errors.ts";
import { cleanup, glance, hold, looksWithin, nextDelay, whileSuspended } from "./retry.ts";
import { type Flow, type Run, step, StepFailed, waitUnlessTurned } from "./run.ts";
import type { Plan, Retirement } from "./steps.ts";

/**
 * Suspend, watch, revoke and prove: the end of a credential. A gate that is shut lifts the suspension and holds the rotation, ever
 * longer, and never turns it back; after the policy's longest hold the credential is left alive and the last fault is returned.
 * `onSuspend` is told the round before anything is done, so that a rollback also lifts a suspension that failed half way.
 */
export function* retire(
  run: Run,
  plan: Plan,
  given: Omit<Retirement, "round">,
  onSuspend: (round: number | undefined) => void,
): Flow<Fault | undefined> {
  const since = run.context.df.currentUtcDateTime.getTime();

  for (let round = 1; ; round++) {
    const retirement = { ...given, round };
    const patience = round === 1 ? undefined : glance;
    let suspended = false;
    try {
      if (plan.suspends) {
        onSuspend(round);
        for (;;) {
          const { waitSeconds } = yield* step(run, "suspend", retirement, patience);
          if (waitSeconds === undefined) break;
          run.timeline.pop();
          yield* waitUnlessTurned(run, waitSeconds, { step: "watch" });
        }
        suspended = true;
        yield* watch(run, plan, retirement);
      }
      yield* step(run, "revoke", { ...retirement, suspended }, suspended ? whileSuspended : patience);
      return undefined;
    } catch (error) {
      if (!(error instanceof StepFailed)) throw error;
      const elapsed = (run.context.df.currentUtcDateTime.getTime() - since) / 1000;
      const delay = elapsed < plan.maxHoldSeconds ? nextDelay(hold, round, elapsed) : undefined;
      // A suspend that failed on its way back may have been done; whatever was, nothing stays suspended for good.
      if (plan.suspends && (suspended || error.fault.class !== "permanent" || delay === undefined)) {
        const lifted = yield* evenIfItFails(step(run, "resume", { old: given.old, round }, cleanup));
        if (lifted) onSuspend(undefined);
      }
      const escalate = delay === undefined || endsWithin(plan, run, delay);
      if (round === 1 || escalate) yield* tell(run, error.fault, escalate);
      if (delay === undefined) return error.fault;
      yield* waitUnlessTurned(run, delay, { step: "held", fault: error.fault }, "finish");
    }
  }
}

/** Waits after a suspension, and looks now and then: whoever misses the credential is not left without it until the end. */
function* watch(run: Run, plan: Plan, retirement: Retirement): Flow<void> {
  let passed = 0;
  for (const at of looksWithin(plan.watchSeconds)) {
    yield* waitUnlessTurned(run, at - passed, { step: "watch" });
    yield* step(run, "watch", retirement, whileSuspended);
    passed = at;
  }
  yield* waitUnlessTurned(run, plan.watchSeconds - passed, { step: "watch" });
}

/** Whether the former version's own expiry comes before the next look. */
function endsWithin(plan: Plan, run: Run, seconds: number): boolean {
  if (plan.expiresAt === undefined) return false;
  // oxlint-disable-next-line no-restricted-globals -- parses a given instant
  return Date.parse(plan.expiresAt) < run.context.df.currentUtcDateTime.getTime() + seconds * 1000;
}

/** An alert that cannot be sent is not worth stopping for: the status shows the same. */
function* tell(run: Run, fault: Fault, escalate: boolean): Flow<void> {
  yield* evenIfItFails(step(run, "hold", { fault, escalate }));
  run.timeline.pop();
}

/** Goes on after a step that could not be done: its fault is in the timeline, and a hold follows. */
function* evenIfItFails(part: Flow<unknown>): Flow<boolean> {
  try {
    yield* part;
    return true;
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error;
    return false;
  }
}
