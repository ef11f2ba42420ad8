import { memoryNotes } from "../ports.ts";
import { expect } from "vitest";
import type { Credential, Ports, Rotator, Step } from "../../src/rotator.ts";
import type { Edge } from "./edge.ts";

/** One fresh account (or pair) in a real target, reached only through an edge of its own. */
export interface Lab<T> {
  /** The target as the policy would give it, aimed at `edge`. */
  readonly target: T;
  readonly edge: Edge;
  readonly ports: Ports;
  /** What works at the start. */
  readonly current: Credential;
  /** All that the target stores about these accounts' logins, as text: equal exactly if nothing was changed. */
  state(): Promise<string>;
  /** How often the target was told to change one of these accounts. */
  changes(): Promise<number>;
  /** Everything the target has written down, its log above all. */
  written(): Promise<string>;
  /** Holds a session of this credential open, for rotators that can see use. Ends it when called. */
  use(credential: Credential): Promise<() => Promise<void>>;
}

/** Where a case stands: a lab, and the two credentials of its rotation. */
export interface Scene<T> {
  readonly lab: Lab<T>;
  readonly rotator: Rotator<T>;
  readonly step: Step<T>;
  readonly next: Credential;
  readonly old: Credential;
}

/** One step of the contract: what comes before it, what it does, what must hold then, and what may come after it. */
export interface Case<T> {
  readonly name: string;
  readonly before: (scene: Scene<T>) => Promise<unknown>;
  readonly run: (scene: Scene<T>) => Promise<unknown>;
  /** Which credentials must work once it is done. */
  readonly works: { readonly next: boolean; readonly old: boolean };
  /** Changes that the step itself makes. */
  readonly changes: number;
  /** What undoes or follows it: a late copy of the step, released then, must change nothing. */
  readonly later: Readonly<Record<string, (scene: Scene<T>) => Promise<unknown>>>;
}

/** Two rotations, the second later. */
export const ids = { first: "r-0mi000001-aaaaaa", second: "r-0mi000002-aaaaaa" };

/** A step against a lab. */
export function stepOf<T>(lab: Lab<T>, rotationId: string): Step<T> {
  return {
    target: lab.target,
    rotationId,
    round: 1,
    ports: lab.ports,
    notes: memoryNotes(),
    signal: new AbortController().signal,
  };
}

/** What a rotator of this strategy must be able to do, as cases that every test of the contract goes through. */
export function casesOf<T>(rotator: Rotator<T>): Case<T>[] {
  const set = async ({ step, next, old }: Scene<T>) => await rotator.set(step, next, old);
  if (rotator.strategy === "in-place") {
    const change: Case<T> = {
      name: "set",
      before: async () => {},
      run: set,
      works: { next: true, old: false },
      changes: 1,
      later: { "the next rotation": async (scene) => await nextRotation(scene) },
    };
    if (!rotator.restorable) return [change];
    const restore = async ({ step, next, old }: Scene<T>) => await rotator.restore(step, old, next);
    return [
      { ...change, later: { ...change.later, "its restore": restore } },
      {
        name: "restore",
        before: set,
        run: restore,
        works: { next: false, old: true },
        changes: 1,
        later: { "the next rotation": async (scene) => await nextRotation({ ...scene, next: scene.old }) },
      },
    ];
  }
  const { suspension } = rotator;
  const revokeOld = async ({ step, old }: Scene<T>) => await rotator.revoke(step, old);
  const revokeNext = async ({ step, next }: Scene<T>) => await rotator.revoke(step, next);
  const suspend = async ({ step, old }: Scene<T>) => await suspension?.suspend(step, old);
  const resume = async ({ step, old }: Scene<T>) => await suspension?.resume(step, old);
  const another = async (scene: Scene<T>) => await nextRotation(scene);
  const both = async (scene: Scene<T>) => {
    await set(scene);
    await suspend(scene);
  };
  return [
    {
      name: "set",
      before: async () => {},
      run: set,
      works: { next: true, old: true },
      changes: 1,
      later: {
        "its rollback": revokeNext,
        "the next rotation": async (scene) => {
          await both(scene);
          await revokeOld(scene);
          await another(scene);
        },
      },
    },
    ...(suspension
      ? [
          {
            name: "suspend",
            before: set,
            run: suspend,
            works: { next: true, old: false },
            changes: 1,
            later: {
              "its resume": resume,
              "the next rotation": async (scene: Scene<T>) => {
                await revokeOld(scene);
                await another(scene);
              },
            },
          },
          {
            name: "resume",
            before: both,
            run: resume,
            works: { next: true, old: true },
            changes: 1,
            later: {
              "the next rotation": async (scene: Scene<T>) => {
                await revokeNext(scene);
                await nextRotation({ ...scene, next: scene.old });
              },
            },
          },
        ]
      : []),
    {
      name: "revoke",
      before: both,
      run: revokeOld,
      works: { next: true, old: false },
      changes: 1,
      later: { "the next rotation": another },
    },
    {
      name: "revoke of a rolled back candidate",
      before: set,
      run: revokeNext,
      works: { next: false, old: true },
      changes: 1,
      later: { "the next rotation": async (scene) => await nextRotation({ ...scene, next: scene.old }) },
    },
  ];
}

/** A whole rotation after the scene's own, its retirement included. `next` is what works before it. */
async function nextRotation<T>({ lab, rotator, next }: Scene<T>): Promise<void> {
  const step = stepOf(lab, ids.second);
  const seen = await rotator.observe(step, next, { negativeControl: false });
  const candidate = await rotator.create(step, seen);
  await rotator.set(step, candidate, next);
  if (rotator.strategy !== "in-place") await rotator.revoke(step, next);
  expect({ candidate: await rotator.works(step, candidate), former: await rotator.works(step, next) }).toEqual({
    candidate: true,
    former: false,
  });
}
