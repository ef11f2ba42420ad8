import { PinionError } from "../errors.ts";
import type { Deps } from "./deps.ts";
import { passGates, proveIdle } from "./gates.ts";
import { createStep, patchState, type Scene } from "./step.ts";

/**
 * The reversible kill, after every gate, and only when nothing has used the credential for the policy's window of time. Until that
 * has passed it answers with the seconds to wait.
 */
export const createSuspend = (deps: Deps) =>
  createStep(deps, {
    name: "suspend",
    leased: true,
    phases: ["grace", "retiring", "held", "rolling-back"],
    async run(scene, retirement) {
      const { rotator } = scene.subject;
      const { proofs } = await passGates(scene, retirement);
      const idle = await watchIdle(scene, retirement.old);
      if (idle.waitSeconds > 0) return { result: { waitSeconds: idle.waitSeconds }, state: { idleSince: idle.since } };
      if (rotator.strategy === "in-place" || rotator.suspension === undefined) return { result: {}, proofs };
      const suspended = await rotator.suspension.suspend(scene.step, retirement.old);
      return {
        result: {},
        proofs: [...proofs, idle.proof, ...suspended],
        state: scene.state.phase === "rolling-back" ? {} : { phase: "retiring" },
        event: { name: "Suspended", data: { credential: retirement.old.id } },
      };
    },
  });

async function watchIdle(scene: Scene, old: { readonly id: string }) {
  const { deps, subject, state, step } = scene;
  try {
    const proof = await proveIdle(scene, old);
    const since = state.idleSince ?? new Date(deps.now()).toISOString();
    const waited = deps.now() - Date.parse(since);
    return { proof, since, waitSeconds: Math.ceil((subject.object.suspend.idleFor - waited) / 1000) };
  } catch (error) {
    if (error instanceof PinionError && error.code === "OLD_IN_USE" && state.idleSince !== undefined) {
      await patchState(deps, subject.key, step.rotationId, { idleSince: undefined });
    }
    throw error;
  }
}
