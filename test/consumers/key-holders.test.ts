import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Arm } from "../../src/azure/arm.ts";
import { app, bind, cases, type Holders, openHolders, settle } from "./key-holders.ts";

/** Seconds that an operation takes where a test is about its time. */
const slow = 0.02;

let world: Holders;
beforeAll(async () => void (world = await openHolders()));
afterAll(() => world.close());
afterEach(() => {
  world.azure.faults.clear();
  Object.assign(world.timing, world.quick);
});

describe.each(cases)("$kind $id", (one) => {
  const first = () => `${world.baseUrl}/${world.versions[0]}`;
  const second = () => `${world.baseUrl}/${world.versions[1]}`;
  const rest = async () => one.rest((await world.get(one.id)).properties);
  const proven = (version: string) => {
    const { consumer, step } = bind(world, one);
    return expect.poll(async () => (await consumer.prove(step, version)).map(({ ok }) => ok), { timeout: 10_000 });
  };
  const deploy = async (key = "cmk", version: string | undefined = world.versions[0]) => {
    world.azure.keyHolders.clear();
    await one.deploy(world, key, version);
  };
  beforeEach(() => deploy());

  test("read, moved, proven, turned back; nothing else of it changes", async () => {
    world.timing.operationSeconds = slow;
    const { consumer, step } = bind(world, one);
    const before = await rest();
    const found = await consumer.read(step);
    expect(found).toEqual({
      text: first(),
      pinned: world.versions[0],
      ...(one.tells && { active: world.versions[0] }),
    });
    await proven(world.versions[0]).toEqual([true]);
    expect(consumer.reference(step, world.versions[1])).toBe(second());
    await settle(() => consumer.move(step, second()));
    await proven(world.versions[1]).toEqual([true]);
    expect((await consumer.prove(step, world.versions[0])).map(({ ok }) => ok)).toEqual([false]);
    expect(await consumer.read(step)).toMatchObject({ text: second(), pinned: world.versions[1] });
    expect(await rest()).toEqual(before);

    await settle(() => consumer.move(step, found.text));
    await proven(world.versions[0]).toEqual([true]);
    expect(await consumer.read(step)).toEqual(found);
    expect(await rest()).toEqual(before);
  });

  test("moved again it writes nothing", async () => {
    const { consumer, step } = bind(world, one);
    await settle(() => consumer.move(step, second()));
    const before = world.writes();
    await consumer.move(step, second());
    expect(world.writes()).toBe(before);
  });

  test("killed after each of its calls, the next try makes it whole, and nothing is written twice", async () => {
    for (let last = 1, died = true; died; last += 1) {
      world.timing.operationSeconds = 0;
      await deploy();
      world.timing.operationSeconds = slow;
      const [before, written] = [await rest(), world.writes()];
      let calls = 0;
      const mortal: Arm = async (request) => {
        const reply = await world.arm(request);
        calls += 1;
        if (calls === last) throw new Error("killed");
        return reply;
      };
      const { consumer, step } = bind(world, one);
      const first = settle(() => consumer.move({ ...step, arm: mortal }, second()));
      died = await first.then(
        () => false,
        () => true,
      );
      await settle(() => consumer.move(step, second()));
      await proven(world.versions[1]).toEqual([true]);
      expect(await rest()).toEqual(before);
      expect(world.writes()).toBe(written + one.steps);
      expect(last).toBeLessThan(20);
    }
  });

  test("twice at the same time it ends the same", async () => {
    world.timing.operationSeconds = slow;
    const { consumer, step } = bind(world, one);
    const before = await rest();
    await Promise.all([1, 2, 3].map(() => settle(() => consumer.move(step, second()))));
    await proven(world.versions[1]).toEqual([true]);
    expect(await rest()).toEqual(before);
  });

  test("another key: refused by read and move, nothing written", async () => {
    await deploy("other", world.other);
    const { consumer, step } = bind(world, one);
    const before = world.writes();
    for (const ask of [() => consumer.read(step), () => consumer.move(step, second())])
      await expect(ask()).rejects.toMatchObject({ code: "CONSUMER_MISCONFIGURED", class: "permanent" });
    expect(world.writes()).toBe(before);
  });

  test("a reference to another key, or to no version: refused, nothing written", async () => {
    const { consumer, step } = bind(world, one);
    const before = world.writes();
    for (const text of [`${world.vaultUrl}/keys/other/${world.other}`, world.baseUrl, "nonsense"])
      await expect(consumer.move(step, text)).rejects.toMatchObject({ code: "CONSUMER_MISCONFIGURED" });
    expect(world.writes()).toBe(before);
  });

  test("a version that the service cannot use is refused, and the resource stays as it was", async () => {
    const { consumer, step } = bind(world, one);
    const version = await world.make("cmk");
    await world.keys.updateKeyProperties("cmk", version, { enabled: false });
    try {
      const before = await rest();
      await expect(settle(() => consumer.move(step, `${world.baseUrl}/${version}`))).rejects.toMatchObject({
        code: "CONSUMER_MISCONFIGURED",
        // By the service's own code.
        message: expect.stringMatching(/400 [A-Z][A-Za-z]+\)/),
      });
      expect(await consumer.read(step)).toMatchObject({ text: first() });
      expect(await rest()).toEqual(before);
    } finally {
      await world.keys.updateKeyProperties("cmk", version, { enabled: true });
    }
  });

  test.each([
    ["403", { status: 403 }, { code: "CONSUMER_FORBIDDEN", class: "propagation" }],
    ["404", { status: 404 }, { code: "CONSUMER_MISCONFIGURED", class: "permanent" }],
    ["409", { status: 409 }, { code: "CONSUMER_UNREACHABLE", class: "transient" }],
    ["429", { status: 429, retryAfter: 9 }, { code: "CONSUMER_UNREACHABLE", class: "throttled", retryAfterSeconds: 9 }],
    ["503", { status: 503 }, { code: "CONSUMER_UNREACHABLE", class: "transient" }],
    ["a cut connection", { kind: "drop" as const }, { code: "CONSUMER_UNREACHABLE", class: "transient" }],
  ])("%s is told by its class, and the next try makes it whole", async (_name, fault, expected) => {
    for (const [operation, when] of [
      [one.read, "before"],
      [one.write, "before"],
      [one.write, "after"],
    ] as const) {
      await deploy();
      const { consumer, step } = bind(world, one);
      world.azure.faults.add({ operation, when, times: 1, kind: "status", status: 500, ...fault });
      await expect(consumer.move(step, second())).rejects.toMatchObject(expected);
      await settle(() => consumer.move(step, second()));
      await proven(world.versions[1]).toEqual([true]);
    }
  });

  test("somebody who moves it back at the same moment is seen, and the next try is on top", async () => {
    let done = false;
    const meddled: Arm = async (request) => {
      const reply = await world.arm(request);
      const ours = request.method === "PATCH" || /encryptionProtector/.test(request.path);
      if (request.method !== "GET" && ours && !done) {
        done = true;
        await one.deploy(world, "cmk", world.versions[0]);
      }
      return reply;
    };
    const { consumer, step } = bind(world, one, { arm: meddled });
    await expect(consumer.move(step, second())).rejects.toMatchObject({ class: "transient" });
    await settle(() => consumer.move(step, second()));
    await proven(world.versions[1]).toEqual([true]);
  });

  test("an operation that outlives the step: told to come back, found done by the next, written once", async () => {
    Object.assign(world.timing, { operationSeconds: 300, retryAfterSeconds: 60 });
    const { consumer, step } = bind(world, one);
    const written = world.writes();
    const outcome = () => consumer.move(step, second()).catch((error: unknown) => error);
    for (let done = 0; done < one.steps && one.kind !== "storage-account"; done += 1) {
      expect(await outcome()).toMatchObject({ class: "transient" });
      world.cloud.clock.advance(301_000);
    }
    await settle(() => consumer.move(step, second()));
    expect(world.writes()).toBe(written + one.steps);
    Object.assign(world.timing, world.quick);
    world.cloud.clock.advance(60_000);
    await proven(world.versions[1]).toEqual([true]);
  });

  test("what it says that it needs is enough", async () => {
    const { consumer, step } = bind(world, one);
    const needs = consumer.needs(step.consumer);
    const actions = needs.flatMap(({ role }) => role.actions ?? []);
    expect(needs[0]?.at).toBe(one.id);
    const allow = (given: readonly string[] | undefined) =>
      world.azure.rights.limit(
        app.objectId,
        given && [{ actions: given, notActions: [], dataActions: [], notDataActions: [] }],
      );
    try {
      allow(actions);
      await settle(() => consumer.move(step, second()));
      await proven(world.versions[1]).toEqual([true]);
      for (const missing of actions) {
        allow(undefined);
        await deploy();
        allow(actions.filter((action) => action !== missing));
        await expect(settle(() => consumer.move(step, second()))).rejects.toMatchObject({ code: "CONSUMER_FORBIDDEN" });
      }
    } finally {
      allow(undefined);
    }
  });

  test("one resource, one lease; in whatever letters", () => {
    const { consumer, step } = bind(world, one);
    const loud = bind(world, { ...one, id: one.id.toUpperCase() }).step;
    expect(consumer.resource(loud.consumer)).toBe(consumer.resource(step.consumer));
  });

  describe.skipIf(!one.tells)("that follows the newest version by itself", () => {
    const latest = { reads: "latest" } as const;
    beforeEach(async () => {
      world.azure.keyHolders.clear();
      await one.deploy(world, "cmk", undefined);
    });

    test("is never raced: no call at all, and proven when it says so", async () => {
      const calls: string[] = [];
      const watched: Arm = (request) => {
        calls.push(request.method);
        return world.arm(request);
      };
      const { consumer, step } = bind(world, one, { ...latest, arm: watched });
      const newest = await world.make("cmk");
      const found = await consumer.read(step);
      expect(found.text).toBe(world.baseUrl);
      expect(found.pinned).toBeUndefined();
      expect(found.active).toMatch(/^[0-9a-f]{32}$/);
      calls.length = 0;
      expect(consumer.reference(step, newest)).toBe(world.baseUrl);
      await consumer.move(step, world.baseUrl);
      expect(calls).toEqual([]);
      expect((await consumer.prove(step, newest)).map(({ ok }) => ok)).toEqual([false]);
      world.cloud.clock.advance(3_700_000);
      await expect
        .poll(async () => (await consumer.prove(step, newest)).map(({ ok }) => ok), { timeout: 10_000 })
        .toEqual([true]);
      expect(calls.every((method) => method === "GET")).toBe(true);
      expect(await consumer.read(step)).toEqual({ text: world.baseUrl, active: newest });
    });

    test("while the policy says pinned: shown as it is, and not overwritten", async () => {
      const { consumer, step } = bind(world, one);
      const before = world.writes();
      expect((await consumer.read(step)).pinned).toBeUndefined();
      await expect(consumer.move(step, second())).rejects.toMatchObject({ code: "CONSUMER_MISCONFIGURED" });
      expect(world.writes()).toBe(before);
    });
  });
});
