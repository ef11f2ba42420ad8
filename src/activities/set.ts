import { PinionError } from "../errors.ts";
import { credentialIn, demand, stagedCredential } from "./credentials.ts";
import type { Deps } from "./deps.ts";
import { createStep } from "./step.ts";
import { requireOpenWindow } from "./window.ts";

/** Puts the candidate into the target. The rotator asks first whether it already logs in. */
export const createSet = (deps: Deps) =>
  createStep(deps, {
    name: "set",
    leased: true,
    phases: ["running"],
    async run(scene, { stagedVersion, candidate, sourceVersion, current }) {
      const { object, rotator } = scene.subject;
      // In place, this is the moment of the gap.
      if (rotator.strategy === "in-place") requireOpenWindow(scene);
      const next = await stagedCredential(scene, stagedVersion, candidate);
      const old = await credentialIn(scene, sourceVersion, current);
      const proofs = await rotator.set(scene.step, next, old);
      demand(
        proofs,
        ({ name }) =>
          new PinionError("TARGET_REFUSED", `${object.id}: the target did not take the candidate (${name}).`),
      );
      return { result: {}, proofs };
    },
  });
