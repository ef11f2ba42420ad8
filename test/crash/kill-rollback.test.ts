import { describe, expect, it } from "vitest";
import { describeBroken, killAll, pointsOf } from "./kill-points.ts";
import { rolledBack } from "./rollback.ts";
import { openWorld, orders, reports } from "./world.ts";

const minute = 60_000;

describe.for([orders, reports])("$strategy: the process dies while a rotation is turned back", (subject) => {
  it("one rollback after another ends the same", { timeout: 3 * minute }, async () => {
    const world = await openWorld();
    for (const _ of [1, 2, 3]) expect(await rolledBack(world, subject, () => world.edge.reset())).toEqual([]);
    await world.close();
  });

  // A rollback is a rotation and a way back, so of the three moments the worst one is taken: the work is done and nobody was told.
  it("after the work of each call, before its reply", { timeout: 30 * minute }, async () => {
    const world = await openWorld();
    const calls = async () => {
      await rolledBack(world, subject, () => world.edge.reset());
      return [...world.edge.calls];
    };
    const cold = await calls();
    const points = pointsOf(cold, await calls()).filter(({ phase }) => phase === "work");
    await world.close();
    const total = points.length;
    const verdicts = await killAll(subject, points, rolledBack);
    const broken = verdicts.filter((verdict) => verdict.kind === "broken");
    console.log(`${subject.strategy}: killed at ${total} calls of a rollback, ${broken.length} did not hold`);
    expect(broken.map(describeBroken)).toEqual([]);
    expect(verdicts.filter(({ kind }) => kind === "unreached").length).toBeLessThan(total / 20);
  });
});
