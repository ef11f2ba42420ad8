import type { Deps } from "./deps.ts";
import { createStep } from "./step.ts";

/** Tells people that a gate is shut, and why. */
export const createHold = (deps: Deps) =>
  createStep(deps, {
    name: "hold",
    phases: ["grace", "retiring", "held", "rolling-back"],
    interruptible: () => false,
    async run({ state, subject }, { rotationId, fault, escalate }) {
      const object = subject.object.id;
      deps.log(escalate ? "error" : "warning", `${object} is held: ${fault.code}. ${fault.message}`, {
        counter: "rotation.held",
        object,
        rotationId,
        code: fault.code,
        escalated: escalate,
      });
      return {
        result: {},
        state: {
          ...(state.phase === "rolling-back" ? {} : { phase: "held" as const }),
          code: fault.code,
          message: fault.message,
        },
        event: { name: escalate ? "Escalated" : "Held", data: { code: fault.code, message: fault.message } },
      };
    },
  });
