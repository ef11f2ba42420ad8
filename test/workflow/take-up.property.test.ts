import * as fc from "fast-check";
import { expect, it } from "vitest";
import { ask, rotationOf } from "./rotation.ts";
import { type Recorded, withRecord } from "./record.ts";

// The orchestration is lost at any of its activities, more than once, with whatever a person commands meanwhile.

const runs = Number(process.env["PINION_SCHEDULES"] ?? 500);
const day = 86_400;

const losses = fc.record({
  strategy: fc.constantFrom("alternating" as const, "in-place" as const),
  reads: fc.constantFrom(["pinned"] as const, ["latest"] as const, ["pinned", "latest"] as const),
  /** The activities, counted in all, after which everything that durable knew is gone. */
  lostAfter: fc.uniqueArray(fc.integer({ min: 1, max: 25 }), { minLength: 1, maxLength: 3 }),
  command: fc.option(
    fc.tuple(fc.constantFrom("rollback" as const, "finish" as const), fc.integer({ min: 0, max: day + 3000 })),
  ),
});

it("nobody is locked out, nothing is revoked on hope, and it ends as if nothing had been lost", async () => {
  const ends = new Set<string>();
  let takenUp = 0;
  await fc.assert(
    fc.asyncProperty(losses, async ({ strategy, reads, lostAfter, command }) => {
      const {
        world: model,
        outcome,
        names,
      } = await rotationOf<Recorded>((now) => withRecord({ strategy, reads }, now), {
        agenda: command === null ? [] : [{ at: command[1], act: ask(command[0]) }],
        loses: ({ total }) => lostAfter.includes(total),
      });
      const { world } = model;
      expect(world.broken).toEqual([]);
      const back = world.state.rollbackTaken;
      expect(outcome).toBe(back ? "rolled-back" : "rotated");
      expect(new Set(world.users())).toEqual(new Set([back ? "former" : "candidate"]));
      expect([world.opensFormer(), world.opensCandidate()]).toEqual([back, !back]);
      expect(world.versions.filter(({ of }) => of === "r-1").length).toBeLessThanOrEqual(1);
      expect(names.filter((name) => name === "record").length).toBeGreaterThanOrEqual(1);
      ends.add(String(outcome));
      takenUp += model.takenUp();
    }),
    { numRuns: runs, seed: 20_271_126 },
  );
  expect([...ends].toSorted()).toEqual(["rolled-back", "rotated"]);
  expect(takenUp).toBeGreaterThan(runs / 2);
}, 300_000);
