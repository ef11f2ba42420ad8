import { PinionError } from "../errors.ts";
import { stagingName } from "../vault/staging.ts";
import { demand, stagedCredential } from "./credentials.ts";
import type { Deps } from "./deps.ts";
import type { Proof } from "../rotator.ts";
import { createStep } from "./step.ts";

/** Takes a candidate that was never published out of the target, unless somebody has changed that account since, and disables its staged copy. */
export const createDiscard = (deps: Deps) =>
  createStep(deps, {
    name: "discard",
    leased: true,
    phases: ["running", "rolling-back"],
    async run(scene, { stagedVersion, candidate }) {
      const { rotator, staging, key } = scene.subject;
      try {
        const next = await stagedCredential(scene, stagedVersion, candidate);
        const ours = rotator.strategy !== "in-place" && (await rotator.works(scene.step, next));
        const proofs = ours ? await rotator.revoke(scene.step, next) : [];
        // A certificate that nobody was given needs no death.
        const gone: Proof | undefined =
          rotator.former === undefined
            ? {
                name: "the candidate is refused",
                ok: !(await rotator.works(scene.step, next)),
                detail: candidate.id,
              }
            : undefined;
        const all = [...proofs, ...(gone === undefined ? [] : [gone])];
        demand(
          all,
          () =>
            new PinionError("OLD_STILL_WORKS", `The candidate ${candidate.id} still logs in after it was discarded.`, {
              class: "transient",
            }),
        );
        await staging.disable(stagingName(key), stagedVersion, scene.signal);
        return { result: {}, proofs: all };
      } catch (error) {
        // Its staged copy is disabled already: an earlier run got to the end.
        if (error instanceof PinionError && error.code === "STAGED_LOST") return { result: {} };
        throw error;
      }
    },
  });
