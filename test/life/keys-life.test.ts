import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { storageAccount } from "./account.ts";
import { createActivities } from "../../src/activities/index.ts";
import { sweep } from "../../src/triggers/sweep.ts";
import { firstKey, keyVersions } from "./first.ts";
import { live } from "./live.ts";
import { day, openObject, openWorld, type World } from "./world.ts";

// What a rotation does with a key's times and with its vault's own policy, and how it goes on where readers follow the newest version.

let world: World;
beforeAll(async () => void (world = await openWorld()));
afterAll(async () => await world.close());

const rotator = { kind: "key", strategy: "dual", target: {} };
const newestOf = async (name: string) => (await world.keys.getKey(name)).properties;

describe("when a version ends", () => {
  test("the first one by Pinion is told; the vault's own policy tells the next", async () => {
    const name = "ends";
    const source = await firstKey(world, name, "EC");
    const object = openObject(world, { name, object: { kind: "key", rotator, validity: "P60D" } });
    const at = world.clock.now();
    await live(world, object, source);
    const first = await newestOf(name);
    expect(first.expiresOn!.getTime() - at).toBeGreaterThanOrEqual(60 * day);
    expect(first.expiresOn!.getTime() - at).toBeLessThan(60 * day + 60_000);
    const next = await world.keys.rotateKey(name);
    expect(next.properties.expiresOn!.getTime() - world.clock.now()).toBeCloseTo(60 * day, -4);
  });

  test("by the vault's clock, not by the app's", async () => {
    const name = "ends-by-the-vault";
    const source = await firstKey(world, name, "EC");
    const object = openObject(world, { name, object: { kind: "key", rotator, validity: "P60D" } });
    const fast = () => {
      const { deps } = object.app();
      const changed = { ...deps, now: () => world.clock.now() + 100_000 };
      return { deps: changed, activities: createActivities(changed) };
    };
    const at = world.clock.now();
    expect((await live(world, { ...object, app: fast }, source)).outcome).toBe("rotated");
    expect((await newestOf(name)).expiresOn!.getTime() - at).toBeLessThan(60 * day + 60_000);
  });

  test.each(["RSA", "EC"] as const)("an %s key that has expired is rotated all the same", async (kind) => {
    const name = `expired-${kind.toLowerCase()}`;
    const source = await firstKey(world, name, kind);
    await world.keys.updateKeyProperties(name, source, { expiresOn: new Date(world.clock.now() + day) });
    world.clock.advance(3 * day);
    const account = storageAccount(world.uri, name, source);
    const object = openObject(world, {
      name,
      arm: account.arm,
      object: { kind: "key", rotator, consumers: [account.consumer] },
    });
    const lived = await live(world, object, source);
    expect([lived.outcome, lived.failures]).toEqual(["rotated", []]);
    expect(account.uses()).toBe((await newestOf(name)).version);
  });

  test("what the old version wrapped is proven readable once it has expired, in the midst of a rotation", async () => {
    const name = "expires-midway";
    const source = await firstKey(world, name, "RSA");
    await world.keys.updateKeyProperties(name, source, { expiresOn: new Date(world.clock.now() + day / 2) });
    const object = openObject(world, {
      name,
      object: { kind: "key", rotator, validate: { successes: 3, over: "P2D" }, grace: "P3D" },
    });
    const lived = await live(world, object, source);
    expect([lived.outcome, lived.failures]).toEqual(["rotated", []]);
  });
});

test.each([["encrypt", "decrypt"], ["wrapKey", "encrypt"], ["sign"]])(
  "a key that may only %s cannot be shown to work, and preflight says what it lacks",
  async (...keyOps) => {
    const name = `may-only-${keyOps.join("-")}`.toLowerCase();
    const made = await world.keys.createKey(name, "RSA", { keyOps });
    const source = made.properties.version ?? "";
    world.clock.advance(60_000);
    const lived = await live(world, openObject(world, { name, object: { kind: "key", rotator } }), source);
    expect(lived).toMatchObject({
      outcome: "refused",
      fault: {
        code: "TARGET_MISCONFIGURED",
        class: "permanent",
        message: expect.stringMatching(/neither wrapKey and unwrapKey nor sign and verify/),
      },
    });
    expect(await keyVersions(world, name)).toHaveLength(1);
    // Nor once it has expired.
    await world.keys.updateKeyProperties(name, source, { expiresOn: new Date(world.clock.now() + day) });
    world.clock.advance(3 * day);
    const again = await live(world, openObject(world, { name, object: { kind: "key", rotator } }), source);
    expect([again.outcome, again.fault?.code]).toEqual(["refused", "TARGET_MISCONFIGURED"]);
  },
);

test("a rotation policy that rotates is brought in step, once", async () => {
  const name = "in-step";
  const source = await firstKey(world, name, "EC");
  await world.keys.updateKeyRotationPolicy(name, {
    expiresIn: "P2Y",
    lifetimeActions: [
      { action: "Rotate", timeAfterCreate: "P18M" },
      { action: "Notify", timeBeforeExpiry: "P30D" },
    ],
  });
  const object = openObject(world, { name, object: { kind: "key", rotator } });
  const said = async (version: string) => {
    const lived = await live(world, object, version);
    const [text = ""] = [...object.evidence].find(([blob]) => blob.startsWith(lived.rotationId))?.slice(1) ?? [];
    const { steps } = JSON.parse(text) as { steps: { step: string; proofs: { detail?: string }[] }[] };
    return steps.find(({ step }) => step === "set")?.proofs[0]?.detail;
  };
  expect(await said(source)).toContain("was brought in step");
  const first = await world.keys.getKeyRotationPolicy(name);
  expect(first.lifetimeActions?.map(({ action }) => action)).toEqual(["Notify"]);
  world.clock.advance(10 * day);
  expect(await said((await newestOf(name)).version ?? "")).toContain("already");
  expect((await world.keys.getKeyRotationPolicy(name)).updatedOn).toEqual(first.updatedOn);
});

describe("readers that follow the newest version", () => {
  const following = async (name: string, rollback: string) => {
    const source = await firstKey(world, name, "EC");
    const account = storageAccount(world.uri, name, source, {
      newest: async () => (await newestOf(name)).version ?? "",
    });
    const object = {
      kind: "key" as const,
      rotator,
      rollback,
      consumers: [account.consumer],
      retry: { backoff: "PT2H" },
    };
    return { source, account, object };
  };

  test("with rollback pin the policy is refused", async () => {
    const { object } = await following("pin", "pin");
    expect(() => openObject(world, { name: "pin", object })).toThrow(/consumers\[0\].reads.*reissue/);
  });

  test("with rollback pin preflight refuses too, and nothing is changed", async () => {
    const name = "pin-late";
    const { source, object, account } = await following(name, "reissue");
    const opened = openObject(world, { name, object, arm: account.arm });
    const [declared] = opened.parsed.policy?.objects ?? [];
    Object.assign(declared as object, { rollback: "pin" });
    const lived = await live(world, opened, source);
    expect([lived.outcome, lived.fault?.code]).toEqual(["refused", "ROLLBACK_IMPOSSIBLE"]);
    expect(await keyVersions(world, name)).toHaveLength(1);
  });

  test("with rollback reissue: turned back, they stay where they are, and another version is wished for", async () => {
    const name = "reissue";
    const { source, object, account } = await following(name, "reissue");
    const opened = openObject(world, { name, object, arm: account.arm });
    let asked = false;
    const lived = await live(world, opened, source, {
      async meanwhile({ step }) {
        if (step !== "grace" || asked) return false;
        asked = true;
        opened.command({ verb: "rollback", rotationId: opened.state().rotationId ?? "", version: source });
        return true;
      },
    });
    expect([lived.outcome, lived.failures]).toEqual(["rolled-back", []]);
    expect(account.moves).toEqual([]);
    const candidate = await newestOf(name);
    expect(candidate).toMatchObject({ enabled: true, tags: { "pinion-rollback-of": source } });
    expect(opened.state()).toMatchObject({
      phase: "idle",
      remembered: { version: candidate.version },
      publishedVersion: candidate.version,
    });
    expect(Date.parse(opened.state().retryNotBefore ?? "")).toBeGreaterThan(world.clock.now());
    // The wish is for the version that is current. The sweep acts on it, after the back-off and once.
    const asks: string[] = [];
    const engine = {
      start: async (instance: string, { rotationId }: { rotationId: string }) => {
        asks.push(instance);
        return { started: true, rotationId };
      },
      wake: async () => undefined,
      running: async () => undefined,
    };
    expect(await sweep(opened.app().deps, engine)).toMatchObject({ seen: 1, due: 0, started: 0, faults: 0 });
    world.clock.advance(2 * 3_600_000 + 1_000);
    expect(await sweep(opened.app().deps, engine)).toMatchObject({ due: 0, started: 1, faults: 0 });
    expect(asks).toEqual([opened.key]);
    // That rotation makes the next version, for the same readers.
    world.clock.advance(day);
    const again = await live(world, opened, candidate.version ?? "");
    expect([again.outcome, again.failures]).toEqual(["rotated", []]);
    const versions = await keyVersions(world, name);
    expect(versions).toHaveLength(3);
    expect(versions.every(({ enabled }) => enabled)).toBe(true);
    expect(versions[0]?.tags).not.toHaveProperty("pinion-rollback-of");
    expect(opened.state()).not.toHaveProperty("remembered");
  });

  test("one reader follows, another is pinned: the pinned one goes back, and is not called drifted", async () => {
    const name = "mixed";
    const { source, object, account } = await following(name, "reissue");
    const pinned = storageAccount(world.uri, name, source, { id: "archive" });
    const opened = openObject(world, {
      name,
      object: { ...object, consumers: [account.consumer, pinned.consumer] },
      arm: async (request) => (await account.arm(request)) ?? (await pinned.arm(request)),
    });
    let asked = false;
    const lived = await live(world, opened, source, {
      async meanwhile({ step }) {
        if (step !== "grace" || asked) return false;
        asked = true;
        opened.command({ verb: "rollback", rotationId: opened.state().rotationId ?? "", version: source });
        return true;
      },
    });
    expect([lived.outcome, lived.failures]).toEqual(["rolled-back", []]);
    expect(pinned.moves).toHaveLength(2);
    expect(pinned.uses()).toBe(source);
    expect(opened.state().superseded).not.toContain(source);
    world.clock.advance(day);
    const again = await live(world, opened, (await newestOf(name)).version ?? "");
    expect([again.outcome, again.failures]).toEqual(["rotated", []]);
    expect(pinned.uses()).toBe((await newestOf(name)).version);
  });
});
