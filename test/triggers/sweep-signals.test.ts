import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { sweep } from "../../src/triggers/sweep.ts";
import { objectOf, openTriggers } from "./bench.ts";

// What the sweep tells of what it saw, and of what it could not see: alert rules hear of nothing else.

const day = 86_400_000;
let bench: Awaited<ReturnType<typeof openTriggers>>;
beforeAll(async () => void (bench = await openTriggers()));
afterAll(() => bench.close());

let count = 0;
let name = "";
const expiring = (days: number) => ({ expiresOn: new Date(bench.local.clock.now() + days * day) });
const iso = (days: number) => new Date(bench.local.clock.now() + days * day).toISOString();
const look = () => sweep({ ...bench.deps, stop: true }, bench.engine);
const unreadable = () => bench.local.control.addFault({ operation: "secret.list", kind: "status", status: 403 });
const told = (counter: string) => bench.log.flatMap(({ facts }) => (facts?.["counter"] === counter ? [facts] : []));
beforeEach(async () => {
  name = `db-${++count}`;
  bench.setPolicy([objectOf(name)]);
  bench.started.clear();
  bench.log.length = 0;
  await bench.local.put(name, "{}", expiring(90));
});

describe("a rotation that is under way by its record", () => {
  const rotationId = "r-000000001-x";
  const lost = () => told("rotation.lost").filter(({ object }) => object === name || object === bench.key(name));
  beforeEach(async () => {
    await bench.setState(name, { phase: "grace", rotationId });
  });

  test("while nothing runs it, is told as lost in each sweep; one that runs is not", async () => {
    const facts = { counter: "rotation.lost", object: name, rotationId, phase: "grace" };
    for (const times of [1, 2]) {
      await look();
      expect(lost()).toEqual(Array.from({ length: times }, () => facts));
    }
    bench.log.length = 0;
    bench.started.set(bench.key(name), rotationId);
    await look();
    expect(lost()).toEqual([]);
  });

  test("and ends, or makes way for another, just when the engine is asked, is not lost", async () => {
    for (const next of [{ phase: "idle" }, { phase: "running", rotationId: "r-000000002-x" }] as const) {
      await bench.setState(name, { phase: "grace", rotationId });
      const running = async (instance: string) => {
        if (instance === bench.key(name)) await bench.setState(name, next);
        return undefined;
      };
      // Without a policy the sweep looks at records alone.
      bench.setPolicy([]);
      await sweep(bench.deps, { ...bench.engine, running });
      expect(lost()).toEqual([]);
    }
  });

  test("is told though its vault cannot be read, and by its key though the policy no longer has it", async () => {
    unreadable();
    await look();
    expect(lost()).toHaveLength(1);
    bench.setPolicy([]);
    await look();
    expect(lost().at(-1)).toEqual({ counter: "rotation.lost", object: bench.key(name), rotationId, phase: "grace" });
  });
});

describe("each sweep tells of each object", () => {
  const seen = async () => {
    bench.log.length = 0;
    await look();
    return told("object.seen");
  };
  const none = { counter: "object.seen", phase: "idle", rotationId: "", since: "", dueAt: "", expiresAt: "" };

  test("when it is due and expires, and since when it stands where it does", async () => {
    const { expiresOn } = expiring(10);
    await bench.local.put(name, "{}", { expiresOn });
    const seconds = (at: number) => new Date(Math.floor(at / 1000) * 1000).toISOString();
    const times = { dueAt: seconds(expiresOn.getTime() - 30 * day), expiresAt: seconds(expiresOn.getTime()) };
    expect(await seen()).toEqual([{ ...none, object: name, ...times }]);
    await bench.setState(name, { rotationId: "r-1", endedAt: iso(0) });
    const { endedAt } = await bench.state(name);
    expect(await seen()).toEqual([{ ...none, object: name, rotationId: "r-1", since: endedAt, ...times }]);
    await bench.setState(name, { phase: "grace", rotationId: "r-2" });
    const since = iso(-1);
    const running = async () => ({ rotationId: "r-2", step: "grace", since, timeline: [] }) as const;
    bench.log.length = 0;
    await sweep({ ...bench.deps, stop: true }, { ...bench.engine, running });
    expect(told("object.seen")).toEqual([
      { ...none, object: name, phase: "grace", rotationId: "r-2", since, ...times },
    ]);
  });

  test("with nothing where nothing is known; not of one that it could not read", async () => {
    bench.setPolicy([objectOf(`${name}-gone`)]);
    expect(await seen()).toEqual([{ ...none, object: `${name}-gone` }]);
    unreadable();
    expect(await seen()).toEqual([]);
  });
});

test.each([
  ["an object with a fault", () => bench.setPolicy([objectOf(name), objectOf(`${name}-bad`, { validity: "long" })])],
  ["a policy with a fault at its top", () => bench.setPolicy([objectOf(name)], { version: 2 })],
])("the counter of the sweep has the faults of the policy: %s", async (_, set) => {
  set();
  expect(bench.faults()).toHaveLength(1);
  await look();
  expect(told("sweep")).toEqual([expect.objectContaining({ policyFaults: 1, unreadable: 0 })]);
});

test("the counter of the sweep has the objects of a vault that does not answer", async () => {
  unreadable();
  await look();
  expect(told("sweep")).toEqual([expect.objectContaining({ seen: 1, unreadable: 1, policyFaults: 0 })]);
});
