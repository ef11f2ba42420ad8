import { afterAll, beforeAll, expect, test } from "vitest";
import { createActivities } from "../../src/activities/index.ts";
import type { Consumer, Retention } from "../../src/consumer.ts";
import { storageAccount } from "./account.ts";
import { firstKey, keyVersions } from "./first.ts";
import { live, type LifeOptions } from "./live.ts";
import { day, type LifeObject, openObject, openWorld, type World } from "./world.ts";

// disableOld: an old version of a key goes once nothing can need it, and no version ever goes before.

let world: World;
beforeAll(async () => void (world = await openWorld()));
afterAll(async () => await world.close());

type Retentions = Readonly<Record<string, number | undefined>>;

/** A key whose consumers (by id) keep backups for some days, or do not tell. */
async function open(name: string, retentions: Retentions, more: object = {}) {
  const source = await firstKey(world, name, "EC");
  const accounts = Object.keys(retentions).map((id) => storageAccount(world.uri, name, source, { id }));
  const arm: Parameters<typeof openObject>[1]["arm"] = async (request) => {
    for (const one of accounts) {
      const found = await one.arm(request);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const object = openObject(world, {
    name,
    arm,
    object: {
      kind: "key",
      rotator: { kind: "key", strategy: "dual", target: {} },
      disableOld: true,
      consumers: accounts.map(({ consumer }) => consumer),
      ...more,
    },
  });
  return { source, accounts, object: keeping(object, retentions) };
}

const keeping = (object: LifeObject, retentions: Retentions): LifeObject => ({
  ...object,
  app() {
    const { deps } = object.app();
    const consumer = (kind: Parameters<typeof deps.consumer>[0]): Consumer => ({
      ...deps.consumer(kind),
      retention: async ({ consumer: { id } }): Promise<Retention | undefined> => {
        const days = retentions[id];
        return days === undefined ? undefined : { days, why: "backups" };
      },
    });
    const changed = { ...deps, consumer };
    return { deps: changed, activities: createActivities(changed) };
  },
});

const rotate = async (object: LifeObject, options?: LifeOptions) => {
  const version = (
    await object.app().deps.zone(undefined).vault(world.uri, "key").latest(object.id, AbortSignal.timeout(9_000))
  ).version;
  const lived = await live(world, object, version, options);
  expect(lived.failures).toEqual([]);
  return lived.outcome;
};
/** Whether each version is enabled, the oldest first. */
const enabled = async (name: string) => (await keyVersions(world, name)).toReversed().map((one) => one.enabled);

/** Somebody asks to turn back in the grace. */
function turnedBack(object: LifeObject, version: string): LifeOptions {
  let asked = false;
  return {
    async meanwhile({ step }) {
      if (step !== "grace" || asked) return false;
      asked = true;
      object.command({ verb: "rollback", rotationId: object.state().rotationId ?? "", version });
      return true;
    },
  };
}

test("not before the longest time of any consumer is over, then once", async () => {
  const { object } = await open("longest", { short: 1, long: 40 });
  expect(await rotate(object)).toBe("rotated");
  world.clock.advance(38 * day);
  expect(await rotate(object)).toBe("rotated");
  expect(await enabled("longest")).toEqual([true, true, true]);
  world.clock.advance(3 * day);
  expect(await rotate(object)).toBe("rotated");
  // The first one was left 41 days ago; the second one three.
  expect(await enabled("longest")).toEqual([false, true, true, true]);
  world.clock.advance(60 * day);
  expect(await rotate(object)).toBe("rotated");
  expect(await enabled("longest")).toEqual([false, false, false, true, true]);
  // Nothing is deleted, and a disabled version can be enabled again.
  expect(await keyVersions(world, "longest")).toHaveLength(5);
});

test("one consumer that does not tell keeps all of them", async () => {
  const { object } = await open("silent", { told: 1, silent: undefined });
  for (let n = 0; n < 3; n++) {
    expect(await rotate(object)).toBe("rotated");
    world.clock.advance(200 * day);
  }
  expect(await enabled("silent")).toEqual([true, true, true, true]);
});

test("not without the policy's word", async () => {
  const { object } = await open("unasked", { short: 0 }, { disableOld: false });
  for (let n = 0; n < 2; n++) {
    expect(await rotate(object)).toBe("rotated");
    world.clock.advance(200 * day);
  }
  expect(await enabled("unasked")).toEqual([true, true, true]);
});

test("a version that somebody holds stays, however old it is", async () => {
  const { object, source, accounts } = await open("held", { moved: 1, stays: 1 });
  expect(await rotate(object)).toBe("rotated");
  world.clock.advance(100 * day);
  // A pipeline puts the first version back after the last proof of the consumers.
  let back = false;
  const repinned: LifeObject = {
    ...object,
    app() {
      const { deps, activities } = object.app();
      return {
        deps,
        activities: {
          ...activities,
          record: async (input) => {
            await accounts[1]!.put(source);
            back = true;
            return await activities.record(input);
          },
        },
      };
    },
  };
  expect(await rotate(repinned)).toBe("rotated");
  expect(back).toBe(true);
  expect(await enabled("held")).toEqual([true, true, true]);
});

test("a version that was turned back in between does not make the current one look old", async () => {
  const { object, source } = await open("turned-back", { short: 30 });
  expect(await rotate(object, turnedBack(object, source))).toBe("rolled-back");
  world.clock.advance(100 * day);
  // Its consumers leave the first version only now, 100 days after the second one was made.
  expect(await rotate(object)).toBe("rotated");
  expect(await enabled("turned-back")).toEqual([true, true, true]);
  world.clock.advance(32 * day);
  expect(await rotate(object)).toBe("rotated");
  expect(await enabled("turned-back")).toEqual([false, true, true, true]);
});

test("the current version stays, also where a newer one was turned back and no consumer is declared", async () => {
  const { object, source } = await open("current", {});
  expect(await rotate(object, turnedBack(object, source))).toBe("rolled-back");
  world.clock.advance(100 * day);
  // Nor does an end that replaced nothing take any version away.
  expect((await live(world, object, "0".repeat(32))).outcome).toBe("stale");
  expect((await enabled("current"))[0]).toBe(true);
});

test("of versions that nobody knows to be left only those go that were left for certain", async () => {
  const { object, accounts } = await open("by-hand", { short: 10 });
  for (let n = 0; n < 3; n++) {
    const { properties } = await world.keys.rotateKey("by-hand");
    world.clock.advance(60 * day);
    // A person moves the account, sooner or later.
    await accounts[0]!.put(properties.version ?? "");
  }
  expect(await rotate(object)).toBe("rotated");
  // The third one was in use until 60 days ago, or until a moment ago: nothing tells.
  expect(await enabled("by-hand")).toEqual([false, false, true, true, true]);
});

test("a version that was turned back replaced none, also where nothing else is known", async () => {
  const { object, source, accounts } = await open("by-marks", { short: 10 });
  const second = (await world.keys.rotateKey("by-marks")).properties.version ?? "";
  await world.keys.updateKeyProperties("by-marks", second, {
    tags: { "pinion-withdrawn-for": source, "pinion-marks": second },
  });
  world.clock.advance(60 * day);
  const third = (await world.keys.rotateKey("by-marks")).properties.version ?? "";
  world.clock.advance(60 * day);
  // Only now a person moves the account off the first version.
  await accounts[0]!.put(third);
  expect(await rotate(object)).toBe("rotated");
  expect((await enabled("by-marks"))[0]).toBe(true);
});

test("a move that waited long for its window counts from the move", async () => {
  const { object } = await open("waited", { short: 10 }, { grace: "P1D" });
  let waited = false;
  const late: LifeObject = {
    ...object,
    app() {
      const { deps, activities } = object.app();
      return {
        deps,
        activities: {
          ...activities,
          cutover: async (input) => {
            if (!waited) world.clock.advance(20 * day);
            waited = true;
            return await activities.cutover(input);
          },
        },
      };
    },
  };
  expect(await rotate(late)).toBe("rotated");
  expect(await enabled("waited")).toEqual([true, true]);
});
