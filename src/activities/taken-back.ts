import type { Scene, StatePatch } from "./step.ts";

/** A version that the vault made in the object and that was turned back, and whether readers follow it all the same. */
export interface TakenBack {
  readonly sourceVersion: string;
  readonly version: string;
  readonly followed: boolean;
}

/**
 * The object's state after that: the source is current again; or, where readers follow the newest, they stay on it until another one is
 * made, which is wished for at once. It is no fresh credential in either case.
 */
export function takenBack({ deps, state }: Scene, { sourceVersion, version, followed }: TakenBack): StatePatch {
  const at = new Date(deps.now()).toISOString();
  const why = "It was turned back while readers follow the newest version: another one is made as soon as it may.";
  return {
    publishedVersion: followed ? version : sourceVersion,
    publishedAt: undefined,
    ...(followed ? { remembered: { version, at, why } } : {}),
    // A consumer may rightly be pinned to the source again.
    superseded: state.superseded.filter((one) => one !== sourceVersion),
  };
}
