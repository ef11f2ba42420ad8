import { PinionError } from "../errors.ts";
import type { CredentialRef } from "../rotator.ts";
import { mark } from "../vault/adopting.ts";
import { partsOf } from "../vault/key-port.ts";
import { madeInObject } from "./certificate-slot.ts";
import { claimAgain } from "./place.ts";
import { requireOpenWindow } from "./window.ts";
import { announce, type Done, type Scene } from "./step.ts";

interface Sources {
  readonly sourceVersion: string;
  readonly current: CredentialRef;
  readonly idle: CredentialRef;
}

/** Milliseconds after which a candidate that has not come counts as slow: others may run meanwhile, and somebody is told. */
const slow = 300_000;

/**
 * Has the rotator make a candidate whose private part stays in the vault. It may take until somebody answers: the rotator throws
 * `ISSUANCE_PENDING` until it is there, and is called again.
 */
export async function issue(scene: Scene, { sourceVersion, current, idle }: Sources): Promise<Done<"stage">> {
  const { subject, step, signal } = scene;
  const { rotator, object, vault, madeIn } = subject;
  // For readers of the newest this is the cutover; what came already is proven at once, whatever the hour.
  const followed = madeIn === "object" && object.consumers.some(({ reads }) => reads === "latest");
  const { rotationId } = step;
  if (followed && (await madeInObject({ subject, rotationId, sourceVersion, signal })) === undefined)
    requireOpenWindow(scene);
  const { material, expiresAt } = await rotator.create(step, { current, idle }).catch(async (error: unknown) => {
    if (error instanceof PinionError && error.code === "ISSUANCE_PENDING") await wait(scene, error);
    throw error;
  });
  if (typeof material === "string") {
    throw new PinionError(
      "TARGET_MISCONFIGURED",
      `${rotator.kind} makes a text; ${object.kind}s are made by the vault.`,
    );
  }
  const { version = "" } = partsOf(material.vaultVersion);
  if (madeIn === "object")
    await mark(vault, { name: object.name, rotationId, sourceVersion, version, tags: object.tags }, signal);
  if (scene.state.parked) await claimAgain(scene);
  return {
    result: {
      stagedVersion: version,
      candidate: { id: version, ...(expiresAt === undefined ? {} : { expiresAt }) },
    },
  };
}

/** While it waits: gives its place in the fleet to others, and reminds whoever is waited for. */
async function wait(scene: Scene, pending: PinionError): Promise<void> {
  const { deps, subject, step, signal } = scene;
  const { object, rotator } = subject;
  const now = deps.now();
  const since = scene.state.pendingSince ?? new Date(now).toISOString();
  if (scene.state.pendingSince === undefined) await scene.patch({ pendingSince: since });
  const isSlow = rotator.waitsFor === "person" || now - Date.parse(since) > slow;
  if (!isSlow) return;
  if (!scene.state.parked) await scene.patch({ parked: true });
  signal.throwIfAborted();
  // Each time: a process may have died between the two.
  await deps.fleet.release(subject.key, step.rotationId);
  const last = scene.state.remindedAt;
  if (last !== undefined && now - Date.parse(last) < object.remindEvery) return;
  await scene.patch({ remindedAt: new Date(now).toISOString() });
  const data = { message: pending.message, since };
  await announce(
    deps,
    subject,
    step.rotationId,
    "stage",
    { name: last === undefined ? "Waiting" : "Reminder", data },
    signal,
  );
}
