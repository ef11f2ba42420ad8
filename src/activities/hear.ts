import type { Deps } from "./deps.ts";
import { createStep } from "./step.ts";

/** Reads the command records after a wake-up. Rollback beats finish. */
export const createHear = (deps: Deps) =>
  createStep(deps, {
    name: "hear",
    phases: ["running", "grace", "retiring", "held", "rolling-back"],
    interruptible: () => false,
    async run({ commands }) {
      const heard = (["rollback", "finish", "merge"] as const).find((verb) =>
        commands.some((command) => command.verb === verb),
      );
      return { result: heard === undefined ? {} : { heard } };
    },
  });
