import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { phases } from "./edge/index.ts";
import { deliveriesOf } from "./events.ts";
import { checkRotated, look } from "./promise.ts";
import { drive, startRotation } from "./rotation.ts";
import { openWorld, orders, reports, type World } from "./world.ts";

const minutes = 60_000;

/** Numbers from 0 to 1, the same for a seed every time. */
function randomOf(seed: number): () => number {
  let state = seed * 7919 + 1;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

/** Kills the process at random calls, at most so often; returns how often it did. */
function storm(world: World, seed: number, most: number): () => Promise<number> {
  const random = randomOf(seed);
  let kills = 0;
  let revived: Promise<void> = Promise.resolve();
  world.edge.on(() => {
    if (kills >= most || random() > 0.04) return undefined;
    kills += 1;
    const kill = async () => {
      await world.kill();
      revived = world.revive();
    };
    return { kill, when: phases[Math.floor(random() * phases.length)] ?? "work" };
  });
  return async () => {
    world.edge.on(undefined);
    await revived;
    return kills;
  };
}

describe.for([orders, reports])("$strategy: a storm", (subject) => {
  it("many deaths in one rotation: promise 2 holds", { timeout: 10 * minutes }, async () => {
    const world = await openWorld();
    let deaths = 0;
    try {
      for (const seed of [1, 2, 3, 4, 5, 6]) {
        const before = await look(world, subject);
        world.edge.reset();
        const end = storm(world, seed, 6);
        const rotationId = await startRotation(world, subject, before.version);
        const ended = await drive(world, subject, rotationId);
        deaths += await end();
        expect((await checkRotated(world, subject, before, ended)).faults).toEqual([]);
      }
    } finally {
      await world.close();
    }
    expect(deaths).toBeGreaterThan(12);
  });
});

describe("an event", () => {
  it("outlives the process that was handling it", { timeout: 10 * minutes }, async () => {
    const world = await openWorld({ change: (policy) => ({ ...policy, objects: policy.objects.slice(0, 1) }) });
    try {
      let last = "";
      for (const phase of phases) {
        const before = await look(world, orders);
        let revived: Promise<void> | undefined;
        world.edge.reset();
        world.edge.on(({ name }) => {
          if (name !== "table POST $batch" || revived !== undefined) return undefined;
          world.edge.on(undefined);
          const kill = async () => {
            await world.kill();
            revived = world.revive();
          };
          return { kill, when: phase };
        });
        // The first delivery goes to the queue, which keeps it until it is done.
        await deliveriesOf(world, orders.id, before.version)[0]?.();
        last = await begun(world, last);
        await revived;
        const ended = await drive(world, orders, last);
        expect(revived).toBeDefined();
        expect((await checkRotated(world, orders, before, ended)).faults).toEqual([]);
        world.cloud.clock.advance(31 * 86_400_000);
      }
    } finally {
      await world.close();
    }
  });
});

/** The id of the rotation that runs after `last`. */
async function begun(world: World, last: string): Promise<string> {
  for (let tries = 0; tries < 600; tries += 1) {
    const id = (await world.instance(orders))?.customStatus?.rotationId;
    if (id !== undefined && id !== last) return id;
    await delay(50);
  }
  throw new Error("The event started nothing.");
}
