import { describe, expect, it } from "vitest";
import { nextRotation, releaseFrozen } from "./copies/frozen.ts";
import { rotateTwiceAtOnce } from "./copies/twice.ts";
import { orders, reports } from "./world.ts";

const minutes = 60_000;
const steps = ["stage", "set", "validate", "publish", "cutover", "verify", "suspend", "revoke", "record"];

describe.for([orders, reports])("$strategy: an activity delivered again", (subject) => {
  const later = steps.filter((step) => step !== "suspend" || subject.strategy === "alternating");

  it("each one twice at once: one change of everything", { timeout: 10 * minutes }, async () => {
    expect(await rotateTwiceAtOnce(subject, 4)).toEqual([]);
  });

  it("each one frozen before its calls and released after each later step", { timeout: 30 * minutes }, async () => {
    expect(await releaseFrozen(subject, later)).toEqual([]);
  });

  it("each one frozen, and released during the next rotation", { timeout: 10 * minutes }, async () => {
    expect(await releaseFrozen(subject, [nextRotation])).toEqual([]);
  });
});
