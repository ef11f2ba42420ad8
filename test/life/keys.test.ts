import { afterAll, beforeAll, expect, test } from "vitest";
import { firstKey, keyVersions } from "./first.ts";
import { live } from "./live.ts";
import { openObject, openWorld, type World } from "./world.ts";

let world: World;
beforeAll(async () => void (world = await openWorld()));
afterAll(async () => await world.close());

const object = { kind: "key" as const, rotator: { kind: "key", strategy: "dual", target: {} } };

test.each(["RSA", "EC"] as const)(
  "the vault makes the next version of an %s key; the old one serves on",
  async (kind) => {
    const name = `key-${kind.toLowerCase()}`;
    const source = await firstKey(world, name, kind);
    const lived = await live(world, openObject(world, { name, object }), source);
    expect([lived.outcome, lived.failures]).toEqual(["rotated", []]);
    const [newest, old, ...more] = await keyVersions(world, name);
    expect(more).toEqual([]);
    expect(newest).toMatchObject({
      enabled: true,
      tags: { team: "data", "pinion-rotation": lived.rotationId, "pinion-previous": source },
    });
    expect(newest?.tags?.["pinion-marks"]).toBe(newest?.version);
    expect(old).toMatchObject({ version: source, enabled: true });
    expect(await world.keys.getKeyRotationPolicy(name)).toMatchObject({
      expiresIn: "P90D",
      lifetimeActions: [{ action: "Notify", timeBeforeExpiry: "P30D" }],
    });
  },
);
