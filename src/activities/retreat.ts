import { moveConsumers, pinNow } from "./consumers.ts";
import type { Deps } from "./deps.ts";
import { createStep } from "./step.ts";

/**
 * Puts back exactly the reference that each consumer had before the cutover. A consumer that somebody else has moved meanwhile is
 * neither where it was nor where we moved it, and is left where it is.
 */
export const createRetreat = (deps: Deps) =>
  createStep(deps, {
    name: "retreat",
    phases: ["running", "grace", "retiring", "held", "rolling-back"],
    async run(scene, { consumers }) {
      const before = new Map(consumers.map(({ id, text }) => [id, text]));
      const proofs = await moveConsumers(scene, async (bound) => {
        const text = before.get(bound.at.consumer.id);
        if (bound.at.consumer.reads === "latest") return text;
        const pin = await pinNow(bound);
        return pin !== undefined && (pin === scene.state.publishedVersion || text?.includes(pin)) ? text : undefined;
      });
      return { result: {}, proofs };
    },
  });
