import { writeValue } from "../format.ts";
import { PinionError } from "../errors.ts";
import { findStaged, writeStaged } from "../vault/staging.ts";
import { toCredential } from "./credentials.ts";
import type { Deps } from "./deps.ts";
import { publicFacts } from "./preflight.ts";
import { createStep } from "./step.ts";

/** Makes the candidate and puts it into the staging secret, before the target knows of it. What was staged for this rotation is reused. */
export const createStage = (deps: Deps) =>
  createStep(deps, {
    name: "stage",
    leased: true,
    phases: ["running"],
    async run(scene, { sourceVersion, current, idle, rotationId }) {
      const { subject, step, signal } = scene;
      const { object, key, staging, vault, rotator } = subject;
      const found = await findStaged(staging, key, rotationId, signal);
      if (found !== undefined) {
        const candidate = publicFacts(toCredential(scene, found.value, idle));
        return { result: { stagedVersion: found.version, candidate } };
      }
      const candidate = await rotator.create(step, { current, idle });
      if (typeof candidate.material !== "string") {
        throw new PinionError(
          "TARGET_MISCONFIGURED",
          `${rotator.kind} makes a credential that is no text; a secret cannot hold it.`,
        );
      }
      const text = await vault.value(object.name, sourceVersion, signal);
      const value = writeValue(object.format, text, { username: candidate.id, password: candidate.material });
      const staged = await writeStaged(
        staging,
        key,
        rotationId,
        { value, contentType: "application/vnd.pinion.staged", at: new Date(deps.now()) },
        signal,
      );
      return { result: { stagedVersion: staged.version, candidate: publicFacts(candidate) } };
    },
  });
