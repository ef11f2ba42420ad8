import { writeEvidence } from "../evidence/record.ts";
import type { ObjectState, Outcome } from "../store/types.ts";
import type { Ended, Ending } from "../workflow/steps.ts";
import { breakersOf, type Deps } from "./deps.ts";
import { disposable } from "./tidy.ts";
import { passPointOfNoReturn } from "./point-of-no-return.ts";
import { reaching } from "./reached.ts";
import { announce, createStep, type Scene, type StatePatch } from "./step.ts";

const eventOf: Readonly<Record<Outcome, string>> = {
  rotated: "Completed",
  kept: "CompletedOldKept",
  "rolled-back": "RollbackCompleted",
  failed: "Failed",
  refused: "Refused",
  observed: "Observed",
  stale: "Stale",
};

/** The end of every rotation: evidence written once, the dead versions disabled, the object's state, the fleet's places and breakers, the notification. */
export const createRecord = (deps: Deps) =>
  createStep(deps, {
    name: "record",
    phases: ["idle", "running", "grace", "retiring", "held", "rolling-back"],
    // An old credential that was kept alive can still be gone back to, until this is written down.
    interruptible: ({ outcome }, { pointOfNoReturn }) => outcome === "kept" && !pointOfNoReturn,
    async run(scene, ending) {
      const { subject, state } = scene;
      const { outcome, fault, publishedVersion } = ending;
      const event = {
        name: eventOf[outcome],
        data: {
          outcome,
          ...(fault && { code: fault.code, message: fault.message }),
          ...(publishedVersion && { publishedVersion }),
        },
      };
      // A second copy: the first one got to its end, or died before it told of it.
      if (state.phase === "idle") {
        tellEnd(scene, ending);
        return { result: {}, event };
      }
      const noted = (now: ObjectState) => reaching(now, { ended: endedOf(ending) });
      const decided = state.phase === "rolling-back" || state.pointOfNoReturn;
      if (outcome === "kept" && !decided) await passPointOfNoReturn(scene, noted);
      else if (state.reached !== undefined) await scene.patch(noted);
      const evidence =
        outcome === "stale" ? undefined : await writeEvidence(deps.evidence, describe(scene, ending), scene.signal);
      for (const version of await disposable(scene, ending))
        await subject.vault.disable(subject.object.name, version, scene.signal);
      await deps.fleet.release(subject.key, ending.rotationId);
      if (isFailure(ending)) {
        await deps.fleet.tell(breakersOf(subject), ending.rotationId, true);
      } else if (outcome === "rotated") await deps.fleet.tell(breakersOf(subject), ending.rotationId, false);
      tellEnd(scene, ending);
      // Told before the record says so: afterwards nothing comes back to an object that is idle.
      await announce(deps, subject, ending.rotationId, "record", event, scene.signal);
      return {
        result: evidence === undefined ? {} : { evidence },
        state: { ...stateAfter(scene, state, ending), phase: "idle" },
      };
    },
  });

/** What is decided by now. One that is taken up only writes it down: its evidence may exist, and its versions may be disabled. */
function endedOf({ outcome, fault, retired }: Ending): Ended {
  return { outcome, ...(fault && { fault }), ...(retired && { retired }) };
}

/** Whether a rotation failed by itself: turned back by a person it did not. */
function isFailure({ outcome, fault }: Ending): boolean {
  return outcome === "failed" || outcome === "refused" || (outcome === "rolled-back" && fault !== undefined);
}

function tellEnd({ deps, subject, step: { rotationId } }: Scene, ending: Ending): void {
  const { outcome, fault } = ending;
  const facts = { object: subject.object.id, rotationId, outcome, code: fault?.code ?? "" };
  const why = fault === undefined ? "" : `: ${fault.code}. ${fault.message}`;
  const level = isFailure(ending) ? "error" : outcome === "kept" ? "warning" : "info";
  deps.log(level, `a rotation of ${facts.object} ended ${outcome}${why}`, { counter: "rotation.ended", ...facts });
  if (isFailure(ending))
    deps.log("error", `a rotation of ${facts.object} failed`, { counter: "rotation.failed", ...facts });
}

/** When and whether the next attempt may come: a failure backs off and in the end quarantines, a success forgives. */
function stateAfter({ deps, subject }: Scene, state: ObjectState, { outcome, fault, endedAt }: Ending): StatePatch {
  const ended = {
    outcome,
    code: fault?.code,
    message: fault?.message,
    endedAt,
    pointOfNoReturn: false,
    idleSince: undefined,
    reached: undefined,
  };
  if (outcome === "rotated" || outcome === "kept")
    return { ...ended, attempts: 0, retryNotBefore: undefined, quarantined: false };
  if (outcome === "stale" || outcome === "observed") return { ...ended, attempts: Math.max(0, state.attempts - 1) };
  const { backoff, maxBackoff, attempts } = subject.object.retry;
  const asked = (fault?.retryAfterSeconds ?? 0) * 1000;
  // What a service asked to wait is waited, or attempts would be used up on nothing.
  const delay = Math.max(Math.min(backoff * 2 ** (state.attempts - 1), maxBackoff), asked);
  return {
    ...ended,
    retryNotBefore: new Date(deps.now() + delay).toISOString(),
    quarantined: state.attempts >= attempts,
  };
}

function describe({ subject, commands }: Scene, ending: Ending & { rotationId: string }) {
  const { object, vaultName, rotator } = subject;
  const { plan, stagedVersion, publishedVersion } = ending;
  return {
    schema: "pinion-evidence/1",
    rotationId: ending.rotationId,
    object: { id: object.id, vault: vaultName, kind: object.kind, name: object.name },
    rotator: { kind: rotator.kind, strategy: rotator.strategy, idle: rotator.idle },
    outcome: ending.outcome,
    ...(ending.fault && { fault: ending.fault }),
    startedAt: ending.startedAt,
    endedAt: ending.endedAt,
    commands,
    versions: {
      ...(plan && { source: plan.sourceVersion }),
      ...(stagedVersion !== undefined && { staged: stagedVersion }),
      ...(publishedVersion !== undefined && { published: publishedVersion }),
    },
    consumers: plan?.consumers ?? [],
    steps: ending.timeline,
  } as const;
}
