import { ask, type RotationOptions } from "./rotation.ts";
import type { VaultMade, VaultMadeOptions } from "./vault-made.ts";
import { fault } from "./world.ts";

const day = 86_400;

/** A life of {@link VaultMade}. */
export interface VaultMadeLife extends Omit<RotationOptions<VaultMade>, "world"> {
  readonly world: Partial<VaultMadeOptions>;
}

/** Whole lives that between them take every step but one, and every kind of wait. */
export const lives: Readonly<Record<string, RotationOptions>> = {
  "alternating-held-then-rotated": {
    world: { validations: 2, pickup: 1 },
    mishap: ({ name, nth }) =>
      name === "publish" && nth < 4
        ? { when: "before", fault: fault("VAULT_THROTTLED", "throttled", 60) }
        : name === "revoke" && nth === 1
          ? { when: "before", fault: fault("TARGET_REFUSED") }
          : undefined,
    agenda: [
      { at: day / 4, act: (_world, stage) => stage.raise() },
      { at: day / 2, act: ask("finish") },
    ],
  },
  "latest-rolled-back-in-the-watch": {
    world: { reads: ["latest", "pinned"], pickup: 1 },
    agenda: [{ at: day + 1500, act: ask("rollback") }],
  },
  "in-place-failed-before-publish": {
    world: { strategy: "in-place" },
    mishap: ({ name }) =>
      name === "validate" ? { when: "before", fault: fault("CANDIDATE_LOGIN_FAILED") } : undefined,
  },
};

/** The same for what the vault makes itself. */
export const vaultMadeLives: Readonly<Record<string, VaultMadeLife>> = {
  "certificate-merged-then-rotated": {
    world: { mergedAfter: 5 * 3600, reads: ["pinned", "latest"], pickup: 1 },
    mishap: ({ name, nth }) =>
      name === "publish" && nth < 3
        ? { when: "before", fault: fault("VAULT_THROTTLED", "throttled", 60) }
        : name === "revoke" && nth === 1
          ? { when: "before", fault: fault("OUT_OF_BAND_CHANGE") }
          : undefined,
    agenda: [
      { at: 2 * 3600, act: (_world, stage) => stage.raise() },
      {
        at: 3 * 3600,
        act(world, stage) {
          if (world.merge()) stage.raise();
        },
      },
    ],
  },
  "certificate-abandoned-while-pending": {
    world: { mergedAfter: Number.POSITIVE_INFINITY },
    agenda: [{ at: 3 * 3600, act: ask("rollback") }],
  },
  "certificate-nobody-came": { world: { mergedAfter: Number.POSITIVE_INFINITY, issueSeconds: 6 * 3600 } },
  "key-rolled-back-in-the-grace": {
    world: { kind: "key", pickup: 1 },
    agenda: [{ at: day / 2, act: ask("rollback") }],
  },
  "key-rolled-back-under-readers-of-the-newest": {
    world: { kind: "key", reads: ["latest", "pinned"], pickup: 1 },
    agenda: [{ at: day / 2, act: ask("rollback") }],
  },
};
