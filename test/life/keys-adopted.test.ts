import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { storageAccount } from "./account.ts";
import { firstKey, keyVersions } from "./first.ts";
import { live, type Lived } from "./live.ts";
import { type LifeObject, openObject, openWorld, type World, day } from "./world.ts";

// Versions that Pinion did not ask for: of the vault's own rotation policy, of a person, and what a vault copies into them.

let world: World;
beforeAll(async () => void (world = await openWorld()));
afterAll(async () => await world.close());

const rotator = { kind: "key", strategy: "dual", target: {} };
const open = (name: string, version: string, more: object = {}) => {
  const account = storageAccount(world.uri, name, version);
  const object = openObject(world, {
    name,
    arm: account.arm,
    object: { kind: "key", rotator, consumers: [account.consumer], ...more },
  });
  return { account, object };
};

/** A rotation in which somebody makes a version after preflight looked and before the stage. */
async function beatenTo(object: LifeObject, source: string, make: () => Promise<unknown>): Promise<Lived> {
  let made = false;
  return await live(world, { ...object, app: () => ({ ...object.app(), activities: between(object, once) }) }, source);
  async function once(): Promise<void> {
    if (made) return;
    made = true;
    world.clock.advance(2_000);
    await make();
    world.clock.advance(2_000);
  }
}

function between(object: LifeObject, before: () => Promise<void>) {
  const { activities } = object.app();
  return {
    ...activities,
    stage: async (input: Parameters<typeof activities.stage>[0]) => {
      await before();
      return await activities.stage(input);
    },
  };
}

describe("a newer version is adopted, and none is made beside it", () => {
  test.each([
    ["a person's rotate", async (name: string) => await world.keys.rotateKey(name)],
    [
      "a person's new key, with tags of their own",
      async (name: string) => await world.keys.createKey(name, "EC", { tags: { by: "hand" } }),
    ],
  ])("%s", async (what, make) => {
    const name = `adopted-${what.length}`;
    const source = await firstKey(world, name, "EC");
    const { account, object } = open(name, source);
    const lived = await beatenTo(object, source, async () => await make(name));
    expect([lived.outcome, lived.failures]).toEqual(["rotated", []]);
    const versions = await keyVersions(world, name);
    expect(versions).toHaveLength(2);
    expect(versions[0]?.tags).toMatchObject({
      "pinion-rotation": lived.rotationId,
      "pinion-marks": versions[0]?.version,
    });
    expect(account.moves).toEqual([versions[0]?.version]);
  });

  test("the vault's own rotation policy was faster", async () => {
    const name = "adopted-policy";
    const source = await firstKey(world, name, "EC");
    await world.keys.updateKeyRotationPolicy(name, {
      lifetimeActions: [{ action: "Rotate", timeAfterCreate: "P30D" }],
      expiresIn: "P90D",
    });
    const { account, object } = open(name, source);
    const lived = await beatenTo(object, source, async () => {
      world.clock.advance(31 * day);
      await expect.poll(async () => (await keyVersions(world, name)).length).toBe(2);
    });
    expect([lived.outcome, lived.failures]).toEqual(["rotated", []]);
    const versions = await keyVersions(world, name);
    expect(versions).toHaveLength(2);
    expect(account.uses()).toBe(versions[0]?.version);
    // From now on it is Pinion that rotates.
    expect((await world.keys.getKeyRotationPolicy(name)).lifetimeActions).toMatchObject([{ action: "Notify" }]);
    world.clock.advance(40 * day);
    expect(await keyVersions(world, name)).toHaveLength(2);
  });
});

test("an older version of the same second is never taken for a newer one", async () => {
  const name = "same-second";
  const older = (await world.keys.createKey(name, "EC")).properties.version;
  const source = (await world.keys.createKey(name, "EC")).properties.version ?? "";
  world.clock.advance(60_000);
  const { account, object } = open(name, source);
  const lived = await live(world, object, source);
  expect([lived.outcome, lived.failures]).toEqual(["rotated", []]);
  const versions = await keyVersions(world, name);
  expect(versions).toHaveLength(3);
  expect(account.moves).toEqual([versions[0]?.version]);
  expect(account.uses()).not.toBe(older);
});

test("a rotation of a version of this very second makes one version too", async () => {
  const name = "this-second";
  const source = (await world.keys.createKey(name, "EC")).properties.version ?? "";
  const { object } = open(name, source);
  const { activities } = object.app();
  const late = { objectId: name, rotationId: "", instanceId: object.key, turningBack: false };
  // The stage runs twice before anything could tell of its first run.
  const twice = {
    ...activities,
    stage: async (input: Parameters<typeof activities.stage>[0]) => {
      await activities.stage(input);
      return await activities.stage({ ...late, ...input });
    },
  };
  const lived = await live(world, { ...object, app: () => ({ ...object.app(), activities: twice }) }, source);
  expect(lived.outcome).toBe("rotated");
  expect(await keyVersions(world, name)).toHaveLength(2);
});

test("two rotations in a row, and what the vault copies into a version says nothing about it", async () => {
  const name = "in-a-row";
  const source = await firstKey(world, name, "EC");
  const { account, object } = open(name, source);
  const first = await live(world, object, source);
  world.clock.advance(30 * day);
  const [second] = await keyVersions(world, name);
  const again = await live(world, object, second?.version ?? "");
  expect([first.outcome, again.outcome]).toEqual(["rotated", "rotated"]);
  const versions = await keyVersions(world, name);
  expect(versions.map(({ tags }) => tags?.["pinion-rotation"])).toEqual([
    again.rotationId,
    first.rotationId,
    undefined,
  ]);
  expect(versions.map(({ tags }) => tags?.["pinion-previous"])).toEqual([second?.version, source, undefined]);
  expect(versions.every(({ enabled, tags }) => enabled === true && tags?.["team"] === "data")).toBe(true);
  expect(account.moves).toEqual(
    versions
      .slice(0, 2)
      .map(({ version }) => version)
      .toReversed(),
  );

  // A person rotates the key by hand: the copy carries the marks of the version before it.
  const byHand = await world.keys.rotateKey(name);
  expect(byHand.properties.tags).toMatchObject({ "pinion-rotation": again.rotationId });
  world.clock.advance(60_000);
  const vault = object.app().deps.zone(undefined).vault(world.uri, "key");
  expect((await vault.latest(name, AbortSignal.timeout(5_000))).version).toBe(byHand.properties.version);
});

test("a version made by hand from a withdrawn one is not withdrawn", async () => {
  const name = "copied-withdrawal";
  const source = await firstKey(world, name, "EC");
  const { object } = open(name, source);
  let asked = false;
  await live(world, object, source, {
    async meanwhile({ step }) {
      if (step !== "grace" || asked) return false;
      asked = true;
      object.command({ verb: "rollback", rotationId: object.state().rotationId ?? "", version: source });
      return true;
    },
  });
  const vault = object.app().deps.zone(undefined).vault(world.uri, "key");
  const current = async () => (await vault.latest(name, AbortSignal.timeout(5_000))).version;
  expect(await current()).toBe(source);
  world.clock.advance(60_000);
  const byHand = await world.keys.rotateKey(name);
  expect(byHand.properties.tags).toHaveProperty("pinion-withdrawn-for");
  expect(await current()).toBe(byHand.properties.version);
});
