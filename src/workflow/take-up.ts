import type { Fault } from "../errors.ts";
import type { Progress } from "./progress.ts";
import { lift, whileSuspended } from "./retry.ts";
import { evenIfItFails } from "./retire.ts";
import { type Flow, now, RollbackAsked, type Run, step, StepFailed } from "./run.ts";
import type { Plan, TakenUp } from "./steps.ts";

// A rotation whose orchestration is gone goes on where the object's record says that it stood. Every step is idempotent for its rotation,
// so what was done in part is done again.

/** What is known of a rotation when it begins, or is taken up again. What may have been begun counts as begun. */
export function progressOf(plan: Plan, taken: TakenUp | undefined): Progress {
  const begun = taken?.staged !== undefined;
  const { sourceVersion, current } = plan;
  return {
    plan,
    stageBegun: taken !== undefined,
    setBegun: begun,
    publishBegun: begun || (taken !== undefined && plan.madeInObject === true),
    suspended: taken?.round,
    lastRound: taken?.round ?? 0,
    ...(taken?.staged && { candidate: { ...taken.staged, sourceVersion, current } }),
    ...(taken?.publishedVersion !== undefined && { publishedVersion: taken.publishedVersion }),
  };
}

/** Seconds of the grace that were over when the rotation was taken up. */
export function graceSoFar(run: Run, taken: TakenUp | undefined): number {
  if (taken?.verifiedAt === undefined) return 0;
  // oxlint-disable-next-line no-restricted-globals -- parses a given instant
  return Math.max(0, now(run) - Date.parse(taken.verifiedAt) / 1000);
}

/** Turns to where a rotation that is taken up was going: throws as the part would that was interrupted. */
export function* takeUp(run: Run, progress: Progress, taken: TakenUp | undefined): Flow<void> {
  if (taken === undefined) return;
  const { plan, candidate } = progress;
  run.finishAsked = taken.finishAsked;
  if (taken.at === "turning-back") {
    run.turningBack = true;
    // It may have been the candidate's turn to be suspended. One that was revoked stays so.
    if (plan.suspends && taken.round !== undefined && candidate !== undefined)
      yield* evenIfItFails(step(run, "resume", { old: candidate.candidate, round: taken.round }, whileSuspended));
    throw taken.rollbackAsked ? new RollbackAsked("asked for before it was lost") : new StepFailed("preflight", lost);
  }
  // Nobody goes without the old credential for another grace.
  if (taken.at === "suspended" && plan.suspends && taken.round !== undefined) {
    const lifted = yield* evenIfItFails(step(run, "resume", { old: plan.current, round: taken.round }, lift));
    if (lifted) progress.suspended = undefined;
  }
  if (taken.rollbackAsked && taken.at !== "revoking") throw new RollbackAsked("asked for while it was lost");
}

const lost: Fault = {
  code: "ORCHESTRATION_LOST",
  class: "permanent",
  message:
    "The rotation was being turned back when its orchestration was lost, and was then turned back to the end: the app's log of that time says what failed.",
};
