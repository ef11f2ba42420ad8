import type { Verb } from "../store/types.ts";
import type { Deps } from "./deps.ts";
import { createStep } from "./step.ts";

/** Reads the command records after a wake-up. Rollback beats all, then comes what the wait may be cut by: an earlier command of another verb hides nothing. */
export const createHear = (deps: Deps) =>
  createStep(deps, {
    name: "hear",
    phases: ["running", "grace", "retiring", "held", "rolling-back"],
    interruptible: () => false,
    async run({ commands }, { cut }) {
      const has = (verb: Verb) => commands.some((command) => command.verb === verb);
      const heard = (["rollback", ...(cut === undefined ? [] : [cut]), "finish", "merge"] as const).find(has);
      return { result: { ...(heard && { heard }), ...(has("finish") && { finish: true }) } };
    },
  });
