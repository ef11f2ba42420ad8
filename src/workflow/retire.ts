import type { Fault } from "../errors.ts";
import { cleanup, hold, nextDelay } from "./retry.ts";
import { type Flow, RollbackAsked, type Run, step, StepFailed, wait } from "./run.ts";
import type { Plan, Retirement } from "./steps.ts";

interface Retiring {
  readonly retirement: Retirement;
  /** Told before anything is done, so that a rollback lifts a suspension that failed half way too. */
  onSuspend(suspended: boolean): void;
  /** Whether a rollback command may still turn the rotation back; false when it is the rollback that retires its candidate. */
  readonly interruptible: boolean;
}

/**
 * Suspend, watch, revoke and prove: the end of a credential. A gate that is shut lifts the suspension and holds the rotation, ever
 * longer, and never turns it back; after the policy's longest hold the credential is left alive and the last fault is returned.
 */
export function* retire(run: Run, plan: Plan, retiring: Retiring): Flow<Fault | undefined> {
  const { retirement, onSuspend, interruptible } = retiring;
  const since = run.context.df.currentUtcDateTime.getTime();
  const listen = (heard: string) => {
    if (heard === "rollback" && interruptible)
      throw new RollbackAsked("asked for while the old credential was being retired");
  };

  for (let attempt = 1; ; attempt++) {
    let suspended = false;
    try {
      if (plan.suspends) {
        onSuspend(true);
        for (;;) {
          const { waitSeconds } = yield* step(run, "suspend", retirement);
          if (waitSeconds === undefined) break;
          run.timeline.pop();
          listen(yield* wait(run, waitSeconds, { step: "watch" }));
        }
        suspended = true;
        listen(yield* wait(run, plan.watchSeconds, { step: "watch" }));
      }
      yield* step(run, "revoke", { ...retirement, suspended });
      return undefined;
    } catch (error) {
      if (!(error instanceof StepFailed)) throw error;
      if (suspended) yield* step(run, "resume", { old: retirement.old }, cleanup);
      onSuspend(false);
      const elapsed = (run.context.df.currentUtcDateTime.getTime() - since) / 1000;
      const delay = elapsed < plan.maxHoldSeconds ? nextDelay(hold, attempt, elapsed) : undefined;
      const escalate = delay === undefined || endsWithin(plan, run, delay);
      if (attempt === 1 || escalate) yield* tell(run, error.fault, escalate);
      if (delay === undefined) return error.fault;
      listen(yield* wait(run, delay, { step: "held", fault: error.fault }));
    }
  }
}

/** Whether the former version's own expiry comes before the next look. */
function endsWithin(plan: Plan, run: Run, seconds: number): boolean {
  if (plan.expiresAt === undefined) return false;
  // oxlint-disable-next-line no-restricted-globals -- parses a given instant
  return Date.parse(plan.expiresAt) < run.context.df.currentUtcDateTime.getTime() + seconds * 1000;
}

/** An alert that cannot be sent is not worth stopping for: the status shows the same. */
function* tell(run: Run, fault: Fault, escalate: boolean): Flow<void> {
  try {
    yield* step(run, "hold", { fault, escalate });
    run.timeline.pop();
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error;
  }
}
