import { PinionError } from "../errors.ts";
import { demand } from "./credentials.ts";
import type { Deps } from "./deps.ts";
import { createStep } from "./step.ts";

/** Lifts a suspension. Harmless when there is none. */
export const createResume = (deps: Deps) =>
  createStep(deps, {
    name: "resume",
    leased: true,
    phases: ["grace", "retiring", "held", "rolling-back"],
    interruptible: () => false,
    async run({ subject, step, state }, { old }) {
      const { rotator, object } = subject;
      if (rotator.strategy === "in-place" || rotator.suspension === undefined) return { result: {} };
      const proofs = await rotator.suspension.resume(step, old);
      demand(
        proofs,
        ({ name }) =>
          new PinionError("TARGET_REFUSED", `${object.id}: the suspension of ${old.id} was not lifted (${name}).`, {
            class: "transient",
          }),
      );
      return {
        result: {},
        proofs,
        // What could be lifted was not revoked: a rollback is possible again.
        state: state.phase === "rolling-back" ? {} : { phase: "held", pointOfNoReturn: false },
        event: { name: "Resumed", data: { credential: old.id } },
      };
    },
  });
