import type { Fault } from "../errors.ts";
import { type Progress, uptake } from "./progress.ts";
import { beginOf, retire } from "./retire.ts";
import { cleanup, lift } from "./retry.ts";
import { type Flow, type Run, step, StepFailed, waitUnlessTurned, withFault } from "./run.ts";
import type { Ended } from "./steps.ts";

/**
 * Undoes a rotation (design 3.1). Before publish the candidate is taken out of the target and nobody noticed. After it the current
 * credential is made usable first, then the consumers go back to exactly the reference they had, then the newest version carries the
 * former credential again; the candidate goes last, through the same gates as any credential, since somebody may hold it.
 * `fault` is absent when a person asked.
 */
export function* turnBack(run: Run, progress: Progress, fault: Fault | undefined): Flow<Ended> {
  const { plan, candidate } = progress;
  const published = progress.publishBegun && progress.candidate !== undefined;
  const outcome = fault === undefined || published ? "rolled-back" : "failed";
  const done = { outcome, ...withFault(fault) } as const;
  run.turningBack = true;
  run.listens = false;
  try {
    if (candidate === undefined) {
      const { sourceVersion, issueSeconds } = plan;
      if (progress.stageBegun && issueSeconds !== undefined) yield* step(run, "abandon", { sourceVersion }, cleanup);
      return done;
    }
    if (progress.suspended !== undefined)
      yield* step(run, "resume", { old: plan.current, round: progress.suspended }, lift);
    const { publishedVersion } = progress;
    const where = { ...candidate, ...(publishedVersion !== undefined && { publishedVersion }) };
    if (progress.setBegun) yield* step(run, "restore", where, cleanup);
    if (!progress.publishBegun) {
      yield* step(run, "discard", candidate, cleanup);
      return done;
    }
    yield* step(run, "retreat", { consumers: plan.consumers }, cleanup);
    const { version, candidateVersion } = yield* step(run, "republish", candidate, cleanup);
    // Readers of *latest* can only fetch what is newest by now.
    const follows = plan.consumers.some(({ reads }) => reads === "latest");
    // What the vault made cannot be unmade: its followers wait for another version, and nobody waits for them.
    const stay = follows && plan.madeInObject === true;
    if (follows && !stay) yield* step(run, "retreat", { consumers: plan.consumers }, cleanup);
    const patient = { ...uptake(plan), most: 3600, total: cleanup.total };
    const verify = { version, back: plan.consumers, ...(stay && { followersStay: true as const }) };
    yield* step(run, "verify", verify, stay ? uptake(plan) : patient);
    if (candidateVersion === undefined) {
      if (plan.madeInObject !== true) yield* step(run, "discard", candidate, cleanup);
      return done;
    }
    yield* waitUnlessTurned(run, plan.lagSeconds, { step: "lag" });
    const retirement = { old: candidate.candidate, oldVersion: candidateVersion, keptVersion: version };
    const kept = yield* retire(run, plan, retirement, () => undefined, beginOf(progress));
    return { outcome, ...withFault(fault ?? kept), ...(kept === undefined && { retired: [candidateVersion] }) };
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error;
    // The way back is blocked too: both credentials stay alive, and a person is told what stopped it.
    return { outcome: "failed", fault: error.fault };
  }
}
