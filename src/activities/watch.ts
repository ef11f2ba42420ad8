import type { Deps } from "./deps.ts";
import { lookAtGates } from "./gates.ts";
import { createStep } from "./step.ts";

/**
 * A look in the midst of the watch: whether every consumer still does well without the old credential. A window says when changes may be
 * made, and this makes none.
 */
export const createWatch = (deps: Deps) =>
  createStep(deps, {
    name: "watch",
    phases: ["grace", "retiring", "held", "rolling-back"],
    async run(scene, retirement) {
      const { proofs } = await lookAtGates(scene, retirement);
      return { result: {}, proofs };
    },
  });
