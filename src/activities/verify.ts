import { proveConsumers } from "./consumers.ts";
import type { Deps } from "./deps.ts";
import { createStep } from "./step.ts";

/** Proves every consumer on a version: by its platform, and by its own health. After this the grace begins and others may start. */
export const createVerify = (deps: Deps) =>
  createStep(deps, {
    name: "verify",
    phases: ["running", "grace", "rolling-back"],
    async run(scene, { version, back, rotationId, turningBack }) {
      const { key } = scene.subject;
      const before = new Map(back?.map(({ id, text }) => [id, text]));
      const proofs = await proveConsumers(scene, ({ id }) => pinnedIn(before.get(id)) ?? version);
      if (turningBack) return { result: {}, proofs };
      await deps.fleet.release(key, rotationId);
      return {
        result: {},
        proofs,
        state: { phase: "grace" },
        event: { name: "Verified", data: { publishedVersion: version } },
      };
    },
  });

/** The version in a reference's text, or undefined when it follows the newest. */
function pinnedIn(text: string | undefined): string | undefined {
  return text === undefined ? undefined : /\/secrets\/[^/]+\/([0-9a-z]+)\)?$/i.exec(text)?.[1];
}
