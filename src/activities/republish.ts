import { PinionError } from "../errors.ts";
import { isOurs, publish } from "../vault/publishing.ts";
import { rollbackMark } from "../vault/tags.ts";
import type { Deps } from "./deps.ts";
import { createStep, type Done, type Scene } from "./step.ts";
import { takeBack } from "./taken-back.ts";

/** Makes the newest version carry the former credential again. When ours never came to be, there is nothing to do. */
export const createRepublish = (deps: Deps) =>
  createStep(deps, {
    name: "republish",
    leased: true,
    phases: ["running", "grace", "retiring", "held", "rolling-back"],
    async run(scene, { sourceVersion, stagedVersion, rotationId }) {
      const { subject, signal, state } = scene;
      const { object, vault } = subject;
      if (subject.madeIn === "object") return await leaveInObject(scene, sourceVersion, stagedVersion);
      const versions = await vault.versions(object.name, signal);
      const forward = versions.find((version) => isOurs(version, rotationId));
      if (forward === undefined) return { result: { version: sourceVersion } };
      const render = () => vault.value(object.name, sourceVersion, signal);
      const source = versions.find(({ version }) => version === sourceVersion);
      const left = (source?.expiresOn?.getTime() ?? 0) - deps.now();
      const validity = Math.max(left, object.rotateBefore);
      const request = {
        name: object.name,
        rotationId,
        sourceVersion: forward.version,
        render,
        validity,
        rollbackOf: rollbackMark(sourceVersion, source?.tags ?? {}),
      };
      const published = await publish(vault, request, signal).catch((error: unknown) => {
        if (error instanceof PinionError && error.code === "OUT_OF_BAND_CHANGE") {
          throw new PinionError(
            "OUT_OF_BAND_CHANGE",
            `${object.id}: somebody else wrote a newer version; it is left as it is, and both credentials stay alive. Look at that version.`,
          );
        }
        throw error;
      });
      return {
        result: { version: published.version, candidateVersion: forward.version },
        proofs: [{ name: "the newest version carries the former credential", ok: true, detail: published.version }],
        state: {
          publishedVersion: published.version,
          // It is no fresh credential: it is as due as the one it brings back.
          publishedAt: undefined,
          versionCount: published.versions,
          superseded: [...state.superseded.filter((version) => version !== sourceVersion), forward.version].slice(-20),
        },
        event: { name: "RolledBack", data: { version: published.version, rollbackOf: sourceVersion } },
      };
    },
  });

/**
 * What the vault made in the object stays there. With every consumer pinned the source is simply current again; readers of the newest
 * stay on the candidate until another one is made, which is asked for at once.
 */
async function leaveInObject(scene: Scene, sourceVersion: string, version: string): Promise<Done<"republish">> {
  const { followed, state } = await takeBack(scene, { sourceVersion, version });
  const kept = followed ? version : sourceVersion;
  return {
    result: { version: kept, ...(followed ? {} : { candidateVersion: version }) },
    proofs: [
      {
        name: followed ? "the newest version stays, until another one is made" : "the former version is current again",
        ok: true,
        detail: kept,
      },
    ],
    state,
    event: { name: "RolledBack", data: { version: kept, rollbackOf: sourceVersion } },
  };
}
