import { PinionError } from "../errors.ts";
import type { Proof } from "../rotator.ts";
import type { LatestVersion } from "../vault/vault.ts";
import { carriedBy } from "../vault/tags.ts";
import type { Retirement } from "../workflow/steps.ts";
import { boundConsumers, proveConsumers } from "./consumers.ts";
import { demand } from "./credentials.ts";
import { proveEndpoints } from "./endpoints.ts";
import type { Scene } from "./step.ts";
import { requireOpenWindow } from "./window.ts";

export interface Passed {
  readonly proofs: readonly Proof[];
  readonly newest: LatestVersion;
}

/** What stands between a credential and its end (design promise 4), looked at anew each time, by the policy as it is now. */
export async function passGates(scene: Scene, retirement: Retirement): Promise<Passed> {
  requireOpenWindow(scene);
  return await lookAtGates(scene, retirement);
}

/** The same without the window: nobody wrote a version by hand, and every consumer is proven on the one that is kept. */
export async function lookAtGates(scene: Scene, { keptVersion, oldVersion }: Retirement): Promise<Passed> {
  const { subject, signal } = scene;
  const { object, vault } = subject;
  const newest = await vault.latest(object.name, signal);
  if (newest.version !== keptVersion) {
    throw new PinionError(
      "OUT_OF_BAND_CHANGE",
      `${object.id}: version ${newest.version} was written by somebody else; the former credential stays alive until that is settled: roll back, or finish after it is gone.`,
    );
  }
  // A version that carries an earlier one's credential again is held under any of their names.
  const kept = [keptVersion, ...carriedBy(newest.tags)];
  const held = new Map<string, string>();
  for (const { kind, at } of boundConsumers(scene)) {
    const { pinned } = await kind.read(at);
    if (pinned !== undefined && !kept.includes(pinned)) {
      const which = pinned === oldVersion ? "the version that is to be retired" : `version ${pinned}`;
      throw new PinionError(
        "CONSUMER_REPINNED",
        `${at.consumer.id} is pinned to ${which} again: find what re-pinned it (a pipeline, a slot swap) and move it back.`,
      );
    }
    held.set(at.consumer.id, pinned ?? keptVersion);
  }
  const proofs = await proveConsumers(scene, ({ id }) => held.get(id) ?? keptVersion);
  return { proofs: [...proofs, ...(await proveEndpoints(scene, keptVersion))], newest };
}

/** Who still uses the credential; nobody may. Where the target does not tell, the evidence says so. */
export async function proveIdle({ subject, step }: Scene, old: Retirement["old"]): Promise<Proof> {
  const { rotator } = subject;
  if (rotator.usage === undefined)
    return { name: "the old credential is idle", ok: true, detail: "unobservable in this kind of target" };
  const usage = await rotator.usage(step, old);
  const proof = { name: "the old credential is idle", ok: usage.active === 0, detail: `${usage.active} in use` };
  demand(
    [proof],
    () =>
      new PinionError(
        "OLD_IN_USE",
        `${old.id} is still in use by ${usage.users.join(", ") || "somebody"}: move them to the new version; nothing is taken away until then.`,
      ),
  );
  return proof;
}
