import { PinionError } from "../errors.ts";
import { credentialIn, demand, stagedCredential } from "./credentials.ts";
import type { Deps } from "./deps.ts";
import { createStep } from "./step.ts";

/** Proves the candidate as its future readers will use it: as itself, wrong one refused, privileges equal to the old one's, own probe. */
export const createValidate = (deps: Deps) =>
  createStep(deps, {
    name: "validate",
    phases: ["running"],
    async run(scene, { stagedVersion, candidate, sourceVersion, current, negativeControl }) {
      const { object, rotator } = scene.subject;
      // Where the target replicates, a login just after the change may reach a server that has not heard of it.
      const settles = object.validate.successes > 1 || (rotator.settleSeconds ?? 0) > 0;
      const next = await stagedCredential(scene, stagedVersion, candidate);
      const old = await credentialIn(scene, sourceVersion, current);
      const proofs = await rotator.validate(scene.step, next, old, { negativeControl });
      demand(
        proofs,
        ({ name, detail }) =>
          new PinionError(
            "CANDIDATE_LOGIN_FAILED",
            `${object.id}: the candidate was not proven: ${name} (${detail ?? "no detail"}).`,
            { class: settles ? "propagation" : "permanent" },
          ),
      );
      return { result: {}, proofs };
    },
  });
