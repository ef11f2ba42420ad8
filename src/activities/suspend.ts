import { PinionError } from "../errors.ts";
import type { Proof } from "../rotator.ts";
import type { Deps } from "./deps.ts";
import { passGates, proveIdle } from "./gates.ts";
import { createStep, type Scene } from "./step.ts";

/**
 * The reversible kill, after every gate, and only when nothing has used the credential for the policy's window of time. Until that
 * has passed it only looks whether the credential is idle, and answers with the seconds to wait: the gates are for the moment before
 * the kill.
 */
export const createSuspend = (deps: Deps) =>
  createStep(deps, {
    name: "suspend",
    leased: true,
    phases: ["grace", "retiring", "held", "rolling-back"],
    async run(scene, retirement) {
      const { rotator } = scene.subject;
      const { round } = retirement;
      const known = scene.state.idleRound === round ? scene.state.idleSince : undefined;
      if (secondsLeft(scene, known) > 0) {
        // After a hold, the gate that held is looked at before anybody waits again.
        if (round > 1 && known === undefined) await passGates(scene, retirement);
        // A gate that is shut tells better than the target why somebody still uses it.
        await watchIdle(scene, retirement.old).catch(async (error: unknown) => {
          await passGates(scene, retirement);
          throw error;
        });
        const since = known ?? new Date(scene.deps.now()).toISOString();
        return { result: { waitSeconds: secondsLeft(scene, since) }, state: { idleSince: since, idleRound: round } };
      }
      const { proofs } = await passGates(scene, retirement);
      const idle = await watchIdle(scene, retirement.old);
      if (rotator.strategy === "in-place" || rotator.suspension === undefined) return { result: {}, proofs };
      // Recorded before it is done: whoever takes the rotation up must know what to lift.
      await scene.patch(({ phase, idleRound = round }) => ({
        // A late copy of a round that is over does not hide the later one.
        idleRound: Math.max(idleRound, round),
        ...(phase === "rolling-back" ? {} : { phase: "retiring" }),
      }));
      const suspended = await rotator.suspension.suspend(scene.step, retirement.old);
      return {
        result: {},
        proofs: [...proofs, idle, ...suspended],
        event: { name: "Suspended", data: { credential: retirement.old.id } },
      };
    },
  });

/** Of the window of time in which nobody may use it; all of it while it has not been seen idle. */
function secondsLeft({ deps, subject }: Scene, since: string | undefined): number {
  const waited = since === undefined ? 0 : deps.now() - Date.parse(since);
  return Math.max(0, Math.ceil((subject.object.suspend.idleFor - waited) / 1000));
}

/** Proves the credential idle now; a use of it begins the window anew. */
async function watchIdle(scene: Scene, old: { readonly id: string }): Promise<Proof> {
  try {
    return await proveIdle(scene, old);
  } catch (error) {
    if (error instanceof PinionError && error.code === "OLD_IN_USE" && scene.state.idleSince !== undefined) {
      await scene.patch({ idleSince: undefined });
    }
    throw error;
  }
}
