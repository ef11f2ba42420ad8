import { withdraw } from "../vault/adopting.ts";
import type { Scene, StatePatch } from "./step.ts";

/** What came of taking a version back: whether readers follow it all the same, and the object's state. */
export interface TakenBack {
  readonly followed: boolean;
  readonly state: StatePatch;
}

/**
 * Takes back a version that the vault made in the object, where it stays. With every consumer pinned the source is current again; where
 * readers follow the newest, they stay on it until another one is made, which is wished for at once. It is no fresh credential in either
 * case.
 */
export async function takeBack(
  { deps, subject, step, signal, state }: Scene,
  { sourceVersion, version }: { readonly sourceVersion: string; readonly version: string },
): Promise<TakenBack> {
  const { object, vault } = subject;
  const { name, tags, consumers } = object;
  const { rotationId } = step;
  const followed = consumers.some(({ reads }) => reads === "latest");
  await withdraw(vault, { name, rotationId, sourceVersion, version, tags, followed }, signal);
  const at = new Date(deps.now()).toISOString();
  const why = "It was turned back while readers follow the newest version: another one is made as soon as it may.";
  return {
    followed,
    state: {
      publishedVersion: followed ? version : sourceVersion,
      publishedAt: undefined,
      ...(followed ? { remembered: { version, at, why } } : {}),
      // A consumer may rightly be pinned to the source again.
      superseded: state.superseded.filter((one) => one !== sourceVersion),
    },
  };
}
