import { describe, expect, it } from "vitest";
import type { Call } from "./edge/index.ts";
import { describeBroken, killAll, type Point, pointsOf, runClean, type Trial } from "./kill-points.ts";
import { withSweep } from "./lost-hub.ts";
import { checkRotated, clean, look } from "./promise.ts";
import { drive, startRotation } from "./rotation.ts";
import { rolledBack, turnedBack } from "./rollback.ts";
import { openWorld, orders, reports, type Subject, type World } from "./world.ts";

// The task hub dies with the process: the records and the vault are all that is left, and the next sweep takes the rotation up.

const minute = 60_000;

/** A rotation from start to end. What was suspended is lifted and suspended again; nothing else is done twice. */
const rotation: Trial = async (world, subject, counted) => {
  const before = await look(world, subject);
  counted();
  const ended = await drive(world, subject, await startRotation(world, subject, before.version), { byRecord: true });
  const expected = { ...clean, steps: undefined, mayLift: true, mayTell: ["Resumed"] } as const;
  return (await checkRotated(world, subject, before, ended, expected)).faults;
};

const turned: Trial = async (world, subject, counted) => await turnedBack(world, subject, counted, true);

/** A loss after a look is one after the change before it: record, vault and target are the same. */
const isLook = (name: string): boolean => / (GET|HEAD|login) |\/list$|query SELECT| lease |^health/.test(name);

const hubPoints = (calls: readonly Call[]): Point[] =>
  pointsOf(calls, calls)
    .filter(({ name, phase }) => phase === "work" && !isLook(name))
    .map((point) => ({ ...point, losesHub: true }));

/** What did not hold, in words, and the share of calls that no rotation came by. */
async function atEach(subject: Subject, trial: Trial, callsOf: (world: World) => Promise<readonly Call[]>) {
  const world = await openWorld(withSweep);
  await callsOf(world);
  const calls = await callsOf(world);
  await world.close();
  const points = hubPoints(calls);
  const verdicts = await killAll(subject, points, trial, withSweep);
  const broken = verdicts.filter(({ kind }) => kind === "broken");
  console.log(`${subject.strategy}: hub lost after ${points.length} changes, ${broken.length} did not hold`);
  const unreached = verdicts.filter(({ kind }) => kind === "unreached");
  return { broken: broken.map(describeBroken), missed: unreached.length / points.length };
}

describe.for([orders, reports])("$strategy: the task hub is lost", (subject) => {
  it("after each change that a rotation makes", { timeout: 40 * minute }, async () => {
    const { broken, missed } = await atEach(subject, rotation, async (world) => (await runClean(world, subject)).calls);
    expect(broken).toEqual([]);
    expect(missed).toBeLessThan(0.1);
  });
});

it("after each change that a rollback makes", { timeout: 40 * minute }, async () => {
  const { broken, missed } = await atEach(orders, turned, async (world) => {
    await rolledBack(world, orders, () => world.edge.reset());
    return [...world.edge.calls];
  });
  expect(broken).toEqual([]);
  expect(missed).toBeLessThan(0.1);
});
