import { ask, type RotationOptions } from "./rotation.ts";
import { fault } from "./world.ts";

const day = 86_400;

/** Whole lives that between them take every step and every kind of wait. */
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
