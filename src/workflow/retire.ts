import type { Fault } from "../errors.ts";
import type { Progress } from "./progress.ts";
import { glance, hold, lift, looksWithin, nextDelay, whileSuspended } from "./retry.ts";
import { type Flow, now, type Run, step, StepFailed, waitUnlessTurned } from "./run.ts";
import type { Plan, Retirement } from "./steps.ts";

/** Where a retirement begins: the round it counts from, and whether it is past the point of no return already. */
interface Beginning {
  readonly first: number;
  readonly revoking: boolean;
}

/** After what an orchestration that was lost had done. */
export const beginOf = ({ lastRound }: Progress, revoking = false): Beginning =>
  revoking ? { first: Math.max(1, lastRound), revoking } : { first: lastRound + 1, revoking };

/**
 * Suspend, watch, revoke and prove: the end of a credential. A gate that is shut lifts the suspension and holds the rotation, ever
 * longer, and never turns it back; after the policy's longest hold the credential is left alive and the last fault is returned.
 * A rotation that was taken up begins with the round `first`, and where the point of no return is passed (`revoking`) it goes straight on
 * from there. `onSuspend` is told the round before anything is done, so that a rollback also lifts a suspension that failed half way.
 */
export function* retire(
  run: Run,
  plan: Plan,
  given: Omit<Retirement, "round">,
  onSuspend: (round: number | undefined) => void,
  { first, revoking }: Beginning,
): Flow<Fault | undefined> {
  let heldSince: number | undefined;
  let told = false;

  for (let round = first; ; round++) {
    const retirement = { ...given, round };
    try {
      if (plan.suspends) onSuspend(round);
      if (plan.suspends && !(revoking && round === first)) yield* suspendAndWatch(run, plan, retirement);
      else {
        const patience = round === 1 ? undefined : glance;
        yield* step(run, "revoke", { ...retirement, suspended: plan.suspends }, patience);
      }
      return undefined;
    } catch (error) {
      if (!(error instanceof StepFailed)) throw error;
      const { fault } = error;
      heldSince ??= now(run);
      const elapsed = now(run) - heldSince;
      // A shut window holds nothing up: it opens when it opens.
      const shut = fault.code === "WINDOW_CLOSED" ? Math.max(fault.retryAfterSeconds ?? 0, 1) : undefined;
      const delay = shut ?? (elapsed < plan.maxHoldSeconds ? nextDelay(hold, round, elapsed) : undefined);
      // Whatever was done, by a copy whose reply never came too: nothing stays suspended in a hold.
      if (plan.suspends) {
        const lifted = yield* evenIfItFails(step(run, "resume", { old: given.old, round }, lift));
        if (lifted) onSuspend(undefined);
      }
      if (shut === undefined) {
        const escalate = delay === undefined || endsWithin(plan, run, delay);
        if (!told || escalate) yield* tell(run, fault, escalate);
        told = true;
      }
      if (delay === undefined) return fault;
      yield* waitUnlessTurned(run, delay, { step: "held", fault }, "finish");
    }
  }
}

/** The reversible kill, once the credential was seen idle; the watch; and, where nobody misses it, the end. */
function* suspendAndWatch(run: Run, plan: Plan, retirement: Retirement): Flow<void> {
  for (;;) {
    const { waitSeconds } = yield* step(run, "suspend", retirement, whileSuspended);
    if (waitSeconds === undefined) break;
    run.timeline.pop();
    yield* waitUnlessTurned(run, waitSeconds, { step: "watch" });
  }
  for (let seconds = plan.watchSeconds; ;) {
    yield* watch(run, retirement, seconds);
    try {
      yield* step(run, "revoke", { ...retirement, suspended: true }, whileSuspended);
      return;
    } catch (error) {
      if (!(error instanceof StepFailed && error.fault.code === "WINDOW_CLOSED")) throw error;
      // The window shut meanwhile: watched on until it opens.
      run.timeline.pop();
      seconds = Math.max(error.fault.retryAfterSeconds ?? 0, 1);
    }
  }
}

/** Waits after a suspension, and looks now and then: whoever misses the credential is not left without it until the end. */
function* watch(run: Run, retirement: Retirement, seconds: number): Flow<void> {
  let passed = 0;
  for (const at of looksWithin(seconds)) {
    yield* waitUnlessTurned(run, at - passed, { step: "watch" });
    yield* step(run, "watch", retirement, whileSuspended);
    passed = at;
  }
  yield* waitUnlessTurned(run, seconds - passed, { step: "watch" });
}

/** Whether the former version's own expiry comes before the next look. */
function endsWithin(plan: Plan, run: Run, seconds: number): boolean {
  if (plan.expiresAt === undefined) return false;
  // oxlint-disable-next-line no-restricted-globals -- parses a given instant
  return Date.parse(plan.expiresAt) / 1000 < now(run) + seconds;
}

/** An alert that cannot be sent is not worth stopping for: the status shows the same. */
function* tell(run: Run, fault: Fault, escalate: boolean): Flow<void> {
  yield* evenIfItFails(step(run, "hold", { fault, escalate }));
  run.timeline.pop();
}

/** Goes on after a step that could not be done: its fault is in the timeline, and a hold follows. */
export function* evenIfItFails(part: Flow<unknown>): Flow<boolean> {
  try {
    yield* part;
    return true;
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error;
    return false;
  }
}
