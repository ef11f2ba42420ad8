import type { ObjectState } from "../store/types.ts";
import type { Before } from "../workflow/steps.ts";
import { boundConsumers, pinNow, proveConsumers } from "./consumers.ts";
import type { Deps } from "./deps.ts";
import { proveEndpoints } from "./endpoints.ts";
import { reaching } from "./reached.ts";
import { createStep, type Scene } from "./step.ts";

/** Proves every consumer on a version: by its platform, and by its own health. After this the grace begins and others may start. */
export const createVerify = (deps: Deps) =>
  createStep(deps, {
    name: "verify",
    phases: ["running", "grace", "rolling-back"],
    async run(scene, { version, back, followersStay, rotationId, turningBack }) {
      const { key, rotator } = scene.subject;
      const expected =
        back === undefined
          ? () => version
          : await expectedBack(scene, back, followersStay === true ? undefined : version);
      const proofs = [
        ...(await proveConsumers(scene, ({ id }) => expected(id))),
        // While some stay and some go back, no endpoint can be held to one certificate.
        ...(followersStay === true ? [] : await proveEndpoints(scene, version)),
      ];
      await deps.fleet.release(key, rotationId);
      if (turningBack) return { result: {}, proofs };
      return {
        result: {},
        proofs,
        state: (now) => ({
          ...reaching(now, { verifiedAt: now.reached?.verifiedAt ?? new Date(deps.now()).toISOString() }),
          phase: "grace",
          ...(rotator.former === "serves" && { left: leftNow(deps, now) }),
        }),
        event: { name: "Verified", data: { publishedVersion: version } },
      };
    },
  });

/** The source version was left by everybody now, at the latest: from here on counts how long backups need it. */
function leftNow(deps: Deps, { left = [], sourceVersion: version = "" }: ObjectState) {
  const at = new Date(deps.now()).toISOString();
  return [...left.filter((one) => one.version !== version), { version, at }].slice(-20);
}

/** Where each consumer must be after a retreat; undefined for one that somebody else has moved, which proves nothing of ours. */
async function expectedBack(scene: Scene, back: readonly Before[], newest: string | undefined) {
  const versions = new Map<string, string | undefined>();
  for (const bound of boundConsumers(scene)) {
    const { id, reads } = bound.at.consumer;
    const former = back.find((before) => before.id === id)?.pinned;
    const theirs = reads === "pinned" && (await pinNow(bound)) !== former;
    versions.set(id, theirs ? undefined : (former ?? newest));
  }
  return (id: string) => versions.get(id);
}
