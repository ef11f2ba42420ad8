import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { findSubject } from "../../src/activities/deps.ts";
import type { StatePatch } from "../../src/activities/step.ts";
import { giveCommand } from "../../src/triggers/give-command.ts";
import { requestStart } from "../../src/triggers/request.ts";
import { sweep } from "../../src/triggers/sweep.ts";
import type { Plan } from "../../src/workflow/steps.ts";
import { objectOf, openTriggers } from "./bench.ts";

// A rotation is under way by its record, and nothing runs it: whoever comes by first has it taken up, and nobody begins another one.

const day = 86_400_000;
const [lost, source, published] = ["r-000000001-x", "a".repeat(32), "b".repeat(32)];
const reached = { plan: {} as Plan, startedAt: "2026-01-01T00:00:00.000Z" };
const person = { kind: "person", id: "someone", roles: [] } as const;

let bench: Awaited<ReturnType<typeof openTriggers>>;
beforeAll(async () => void (bench = await openTriggers()));
afterAll(() => bench.close());

let count = 0;
let name = "";
beforeEach(async () => {
  name = `lost-${++count}`;
  bench.setPolicy([objectOf(name)]);
  bench.started.clear();
  bench.starts.length = 0;
  bench.log.length = 0;
  await bench.local.put(name, "{}", { expiresOn: new Date(bench.local.clock.now() + 90 * day) });
});

const stand = (state: StatePatch) =>
  bench.setState(name, { rotationId: lost, sourceVersion: source, publishedVersion: published, reached, ...state });
const taken = () => [{ instance: bench.key(name), rotationId: lost, takeUp: true }];
const told = () => bench.log.filter(({ facts }) => facts?.["counter"] === "rotation.lost" && facts["object"] === name);
const subject = async () => (await findSubject(bench.deps, name))!;

describe("the sweep", () => {
  test.each(["running", "grace", "held", "retiring", "rolling-back"] as const)(
    "takes up one that is %s",
    async (phase) => {
      await stand({ phase });
      await sweep(bench.deps, bench.engine);
      expect(bench.starts).toEqual(taken());
      expect(told()).toEqual([]);
      // It runs now.
      await sweep(bench.deps, bench.engine);
      expect(bench.starts).toEqual(taken());
    },
  );

  test("begins one anew that was lost in its preflight, whose record says nothing yet", async () => {
    await stand({ phase: "running", reached: undefined });
    await sweep(bench.deps, bench.engine);
    expect(bench.starts).toEqual([{ instance: bench.key(name), rotationId: lost }]);
  });

  test.each<[string, StatePatch, object]>([
    ["while the kill switch is on", { phase: "grace" }, { stop: true }],
    ["while the app only observes", { phase: "grace" }, { observe: true }],
    ["where its record was made before records said enough", { phase: "grace", reached: undefined }, {}],
    ["which was taken up five times", { phase: "grace", reached: { ...reached, takenUp: 5 } }, {}],
  ])("starts nothing and tells that it is lost: %s", async (_name, state, more) => {
    await stand(state);
    await sweep({ ...bench.deps, ...more }, bench.engine);
    expect(bench.starts).toEqual([]);
    expect(told()).toHaveLength(1);
  });

  test.each<[string, number, boolean]>([
    ["begins", 0, true],
    ["gives up, after a day,", 25, false],
  ])("%s one whose start was recorded, and which was lost before it took its object", async (_name, hours, begins) => {
    const request = { subject: await subject(), version: source, actor: person, key: "early" };
    const reply = await requestStart(bench.deps, bench.engine, request);
    const { rotationId } = reply as { rotationId: string };
    bench.started.clear();
    bench.starts.length = 0;
    bench.local.clock.advance(hours * 3_600_000);
    await sweep(bench.deps, bench.engine);
    expect(bench.starts).toEqual(begins ? [{ instance: bench.key(name), rotationId }] : []);
    const { active } = await bench.deps.fleet.open();
    expect(active[bench.key(name)]).toBe(begins ? rotationId : undefined);
  });

  test("begins no other for an object that is due again meanwhile", async () => {
    await bench.local.put(name, "{}", { expiresOn: new Date(bench.local.clock.now() + day) });
    await stand({ phase: "running" });
    await sweep(bench.deps, bench.engine);
    expect(bench.starts).toEqual(taken());
  });
});

describe("a request", () => {
  test("for the version that the lost one rotates is that rotation", async () => {
    await stand({ phase: "running" });
    const request = { subject: await subject(), version: source, actor: person, key: "one" };
    expect(await requestStart(bench.deps, bench.engine, request)).toEqual({ kind: "running", rotationId: lost });
    expect(bench.starts).toEqual(taken());
  });

  test("for the version that it published ends its grace, as it would had it not been lost", async () => {
    await stand({ phase: "grace" });
    const request = { subject: await subject(), version: published, actor: person, mayFinish: true, key: "two" };
    expect(await requestStart(bench.deps, bench.engine, request)).toEqual({ kind: "finishing", rotationId: lost });
    expect(bench.starts).toEqual(taken());
    const { commands } = await bench.deps.records.read(bench.key(name), lost);
    expect(commands.map(({ verb }) => verb)).toEqual(["finish"]);
  });

  test("begins another one where the lost one cannot be taken up", async () => {
    await stand({ phase: "grace", reached: undefined });
    const request = { subject: await subject(), version: published, actor: person, key: "three" };
    const reply = await requestStart(bench.deps, bench.engine, request);
    expect(reply).toMatchObject({ kind: "started" });
    expect(bench.starts).toEqual([
      { instance: bench.key(name), rotationId: expect.not.stringMatching(lost) as string },
    ]);
  });
});

test("a command is recorded, and heard by whoever takes the rotation up", async () => {
  await stand({ phase: "grace" });
  await giveCommand(bench.deps, bench.engine, await subject(), { verb: "rollback", rotationId: lost, actor: person });
  expect(bench.starts).toEqual(taken());
  const { commands } = await bench.deps.records.read(bench.key(name), lost);
  expect(commands.map(({ verb }) => verb)).toEqual(["rollback"]);
});

test("where the app only observes, a command is recorded and nothing is started", async () => {
  await stand({ phase: "grace" });
  const order = { verb: "finish", rotationId: lost, actor: person } as const;
  await giveCommand({ ...bench.deps, observe: true }, bench.engine, await subject(), order);
  expect(bench.starts).toEqual([]);
  const { commands } = await bench.deps.records.read(bench.key(name), lost);
  expect(commands.map(({ verb }) => verb)).toEqual(["finish"]);
});

describe("a start while the orchestration of the rotation before is about to end", () => {
  const ended = "r-000000001-z";
  const request = async () => ({ subject: await subject(), version: source, actor: person, key: `after-${name}` });
  beforeEach(async () => {
    await bench.setState(name, { phase: "idle", rotationId: ended, outcome: "rotated" });
    bench.started.set(bench.key(name), ended);
  });

  test("waits for that end", async () => {
    setTimeout(() => bench.started.delete(bench.key(name)), 300);
    const reply = await requestStart(bench.deps, bench.engine, await request());
    expect(reply).toMatchObject({ kind: "started" });
    expect(bench.starts).toEqual([
      { instance: bench.key(name), rotationId: (reply as { rotationId: string }).rotationId },
    ]);
  });

  test("is recorded where that takes too long, and begun by the sweep", async () => {
    const reply = await requestStart(bench.deps, bench.engine, await request());
    const { rotationId } = reply as { rotationId: string };
    expect(reply).toEqual({ kind: "started", rotationId: expect.not.stringMatching(ended) as string });
    bench.started.clear();
    await sweep(bench.deps, bench.engine);
    expect(bench.starts).toEqual([{ instance: bench.key(name), rotationId }]);
  });
});
