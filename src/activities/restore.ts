import { PinionError } from "../errors.ts";
import { credentialIn, demand, stagedCredential } from "./credentials.ts";
import type { Deps } from "./deps.ts";
import { createStep } from "./step.ts";

/** The first step back: the current credential works, after its value was put back where the strategy is in place. */
export const createRestore = (deps: Deps) =>
  createStep(deps, {
    name: "restore",
    leased: true,
    phases: ["running", "grace", "retiring", "held", "rolling-back"],
    async run(scene, { sourceVersion, current, stagedVersion, candidate, publishedVersion }) {
      const { rotator, object } = scene.subject;
      const previous = await credentialIn(scene, sourceVersion, current);
      const next = async () =>
        publishedVersion === undefined
          ? await stagedCredential(scene, stagedVersion, candidate)
          : await credentialIn(scene, publishedVersion, candidate);
      const restored =
        rotator.strategy === "in-place" && rotator.restorable
          ? await rotator.restore(scene.step, previous, await next())
          : [];
      const works = {
        name: "the former credential logs in",
        ok: await rotator.works(scene.step, previous),
        detail: previous.id,
      };
      const proofs = demand(
        [...restored, works],
        () =>
          new PinionError(
            "OUT_OF_BAND_CHANGE",
            `${object.id}: the former credential does not log in: somebody changed it in the target. Both versions are kept; put the target right, then start again.`,
          ),
      );
      return { result: {}, proofs };
    },
  });
