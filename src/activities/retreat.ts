import { moveConsumers } from "./consumers.ts";
import type { Deps } from "./deps.ts";
import { createStep } from "./step.ts";

/** Puts back exactly the reference that each consumer had before the cutover. */
export const createRetreat = (deps: Deps) =>
  createStep(deps, {
    name: "retreat",
    phases: ["running", "grace", "retiring", "held", "rolling-back"],
    async run(scene, { consumers }) {
      const before = new Map(consumers.map(({ id, text }) => [id, text]));
      const proofs = await moveConsumers(scene, ({ at }) =>
        at.consumer.owner === "pinion" ? before.get(at.consumer.id) : undefined,
      );
      return { result: {}, proofs };
    },
  });
