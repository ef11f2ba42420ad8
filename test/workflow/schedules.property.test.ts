import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { faultsOf, live, schedules } from "./schedule.ts";

const runs = Number(process.env["PINION_SCHEDULES"] ?? 2_000);

describe("whatever happens in whatever order", () => {
  it(
    "nobody is locked out, nothing is revoked on hope, and the outcome is the truth",
    { timeout: 300_000 },
    async () => {
      const outcomes = new Map<string, number>();
      await fc.assert(
        fc.asyncProperty(schedules, async (schedule) => {
          const ended = await live(schedule);
          expect(faultsOf(schedule, ended)).toEqual([]);
          const outcome = String(ended.outcome);
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        }),
        { numRuns: runs, seed: 20_270_101 },
      );
      // The schedules reach every way to end.
      expect([...outcomes.keys()]).toEqual(
        expect.arrayContaining(["rotated", "rolled-back", "failed", "refused", "kept"]),
      );
    },
  );
});
