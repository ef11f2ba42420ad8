import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Fleet, openFleet } from "../../src/store/fleet.ts";
import { openAzurite } from "./storage.ts";

let store: Awaited<ReturnType<typeof openAzurite>>;
beforeAll(async () => void (store = await openAzurite()));
afterAll(() => store.close());

const at = "2026-03-01T23:59:00.000Z";
const limits = { concurrent: 5, perDay: 8, breakerFailures: 3 };
const ask = (fleet: Fleet, object: string, rotationId: string, more: Partial<Parameters<Fleet["claim"]>[0]> = {}) =>
  fleet.claim({ object, rotationId, breakers: ["vault:kv", `target:${object}`], limits, byPerson: false, at, ...more });

describe("one fleet, in this order", () => {
  test("fifty claims at once on two instances: as many as the cap, and each counted once", async () => {
    const [one, two] = [openFleet(store.storage.records), openFleet(store.open().records)] as const;
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, n) => ask(n % 2 === 0 ? one : two, `o${n}`, `r-${n}`)),
    );
    expect(outcomes.filter((refusal) => refusal === undefined)).toHaveLength(limits.concurrent);
    expect(new Set(outcomes)).toEqual(new Set([undefined, "concurrent"]));
    const row = await one.open();
    expect(Object.keys(row.active).sort()).toEqual(
      outcomes.flatMap((refusal, n) => (refusal === undefined ? [`o${n}`] : [])).sort(),
    );
    expect(row.started).toBe(limits.concurrent);
  }, 60_000);

  test("twenty repeats for an object that holds a place take none and use up no day, under whatever id", async () => {
    const fleet = openFleet(store.storage.records);
    const before = await fleet.open();
    const [object = ""] = Object.keys(before.active);
    const outcomes = await Promise.all(Array.from({ length: 20 }, (_, n) => ask(fleet, object, `r-again-${n}`)));
    expect(new Set(outcomes)).toEqual(new Set([undefined]));
    const after = await fleet.open();
    expect([Object.keys(after.active).length, after.started]).toEqual([limits.concurrent, before.started]);
  }, 60_000);

  test("a place is given back by its holder only", async () => {
    const fleet = openFleet(store.storage.records);
    const { active } = await fleet.open();
    const [[object, rotationId] = ["", ""]] = Object.entries(active);
    await fleet.release(object, "r-somebody-else");
    expect((await fleet.open()).active).toEqual(active);
    await fleet.release(object, rotationId);
    await fleet.release(object, rotationId);
    expect(Object.keys((await fleet.open()).active)).toHaveLength(limits.concurrent - 1);
  });

  test("the day's cap holds over places given back, and ends with the UTC day", async () => {
    const fleet = openFleet(store.storage.records);
    for (const [object, rotationId] of Object.entries((await fleet.open()).active))
      await fleet.release(object, rotationId);
    const outcomes = [];
    for (let n = 0; n < 5; n++) {
      outcomes.push(await ask(fleet, `d${n}`, `r-d${n}`));
      await fleet.release(`d${n}`, `r-d${n}`);
    }
    expect(outcomes).toEqual([undefined, undefined, undefined, "daily", "daily"]);
    // A person's start is counted like any other.
    expect(await ask(fleet, "p", "r-p", { byPerson: true })).toBe("daily");
    expect(await ask(fleet, "d9", "r-d9", { at: "2026-03-02T00:00:00.000Z" })).toBeUndefined();
    expect((await fleet.open()).started).toBe(1);
  });

  test("a breaker opens after so many failures in a row, for its vault or target only, and closes at a success", async () => {
    const fleet = openFleet(store.storage.records);
    const tomorrow = { at: "2026-03-03T00:00:00.000Z", limits: { ...limits, concurrent: 500, perDay: 500 } };
    await Promise.all([fleet.tell(["target:a"], "r-1", true), fleet.tell(["target:a"], "r-2", true)]);
    expect(await ask(fleet, "a", "r-a1", tomorrow)).toBeUndefined();
    await fleet.tell(["target:a", "vault:other"], "r-3", true);
    await fleet.release("a", "r-a1");
    expect(await ask(fleet, "a", "r-a2", tomorrow)).toBe("breaker");
    expect(await ask(fleet, "b", "r-b", tomorrow)).toBeUndefined();
    // A person may go on, and that alone closes nothing.
    expect(await ask(fleet, "a", "r-a3", { ...tomorrow, byPerson: true })).toBeUndefined();
    await fleet.release("a", "r-a3");
    expect(await ask(fleet, "a", "r-a4", tomorrow)).toBe("breaker");
    await fleet.tell(["target:a"], "r-5", false);
    expect(await ask(fleet, "a", "r-a5", tomorrow)).toBeUndefined();
    expect((await fleet.open()).failures).toEqual({ "vault:other": { count: 1, last: "r-3" } });
  });

  test("a failure that is told twice counts once: the last step of a rotation may run again", async () => {
    const fleet = openFleet(store.storage.records);
    for (const rotationId of ["r-1", "r-1", "r-2", "r-2"]) await fleet.tell(["vault:twice"], rotationId, true);
    expect((await fleet.open()).failures["vault:twice"]?.count).toBe(2);
  });

  test("a place that is taken again is not counted for the day again", async () => {
    const fleet = openFleet(store.storage.records);
    const day = { at: "2026-03-09T00:00:00.000Z", limits: { ...limits, concurrent: 500, perDay: 1 } };
    expect(await ask(fleet, "p", "r-p", day)).toBeUndefined();
    await fleet.release("p", "r-p");
    expect(await ask(fleet, "q", "r-q", day)).toBe("daily");
    expect(await ask(fleet, "p", "r-p", { ...day, again: true })).toBeUndefined();
  });

  test("fifty failures at once are all counted", async () => {
    const fleet = openFleet(store.storage.records);
    await Promise.all(Array.from({ length: 50 }, (_, n) => fleet.tell(["vault:busy"], `r-${n}`, true)));
    expect((await fleet.open()).failures["vault:busy"]?.count).toBe(50);
  }, 60_000);
});
