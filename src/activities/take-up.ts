import type { ObjectState, Phase } from "../store/types.ts";
import { isOurs } from "../vault/publishing.ts";
import type { Reached, StepInput, TakenUp } from "../workflow/steps.ts";
import { claimAgain } from "./place.ts";
import { reaching } from "./reached.ts";
import { announce, type Done, type Scene } from "./step.ts";

const goesOnAt: Readonly<Record<Phase, TakenUp["at"]>> = {
  idle: "forward",
  running: "forward",
  grace: "grace",
  held: "suspended",
  retiring: "suspended",
  "rolling-back": "turning-back",
};

/** Whether an orchestration was started for a rotation whose own was lost after it had come somewhere. */
export const isLost = (
  { takeUp, rotationId }: Pick<StepInput<"preflight">, "takeUp" | "rotationId">,
  { reached, phase, rotationId: current }: ObjectState,
): boolean => takeUp === true && reached !== undefined && phase !== "idle" && current === rotationId;

/**
 * What an orchestration must know to go on with a rotation whose own was lost. One that still moves consumers takes its place in the
 * fleet again.
 */
export async function takeUp(scene: Scene, reached: Reached): Promise<Done<"preflight">> {
  const { state, commands, step, subject, signal } = scene;
  const { phase } = state;
  const given = (verb: "rollback" | "finish") => commands.some((command) => command.verb === verb);
  // What is turned back at once needs no place, and what waits for somebody takes it when that is over.
  if (phase === "running" && state.parked !== true && !given("rollback")) await claimAgain(scene);
  const written = async () =>
    (await subject.vault.versions(subject.object.name, signal)).some((version) => isOurs(version, step.rotationId));
  const takenUp: TakenUp = {
    ...reached,
    at: state.pointOfNoReturn ? "revoking" : goesOnAt[phase],
    // What the vault makes in the object is there before it is published.
    written: reached.staged !== undefined && subject.madeIn === "staging" && (await written()),
    ...(state.idleRound !== undefined && { round: state.idleRound }),
    rollbackAsked: given("rollback"),
    finishAsked: given("finish"),
  };
  const { plan } = reached;
  await tellAgain(scene, reached);
  scene.deps.log("warning", `a rotation of ${subject.object.id} lost its orchestration, and is taken up (${phase})`, {
    counter: "rotation.recovered",
    object: subject.object.id,
    rotationId: step.rotationId,
    phase,
  });
  return {
    result: { plan, takenUp },
    // The step stays what it was: with that of a preflight a start without `takeUp` would begin it anew.
    state: (now) => ({ ...reaching(now, { takenUp: (reached.takenUp ?? 0) + 1 }), step: now.step }),
    proofs: [
      {
        name: "its orchestration was lost, and it is taken up where its record says",
        ok: true,
        detail: `${phase}; what it did before is in the app's log`,
      },
    ],
  };
}

/** What the lost orchestration may have written down and died before it told of. Listeners know a repeated event by its id. */
async function tellAgain({ deps, subject, step, state, signal }: Scene, reached: Reached): Promise<void> {
  const { sourceVersion } = reached.plan;
  const { publishedVersion } = reached;
  const events = {
    preflight: state.phase === "running" ? { name: "Started", data: { sourceVersion } } : undefined,
    verify: state.phase === "grace" ? { name: "Verified", data: { publishedVersion } } : undefined,
  };
  for (const [name, event] of Object.entries(events))
    if (event !== undefined) await announce(deps, subject, step.rotationId, name, event, signal);
}
