import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { ordersSite, setSetting, vault } from "../../local/cloud/scenario.ts";
import { siteResourceId } from "../../local/cloud/cloud.ts";
import { asSuperuser } from "../../local/targets/postgres-seed.ts";
import { createClient } from "./client.ts";
import { openTurnstile } from "./copies/turnstile.ts";
import { deliveriesOf, queueIsEmpty } from "./events.ts";
import { checkRotated, clean, current, logsIn, look, versionsOf } from "./promise.ts";
import { drive, startRotation } from "./rotation.ts";
import { openWorld, orders, reports, type Subject, type World, type WorldOptions } from "./world.ts";

const minutes = 60_000;

/** Runs a scenario in a world of its own, while a client logs in with what the orders' site resolved. No login may fail. */
async function withClient(run: (world: World) => Promise<void>, options: WorldOptions = {}): Promise<void> {
  const client = createClient(orders.site, orders.setting, orders.database);
  const world = await openWorld({ ...options, onStart: client.onStart });
  try {
    client.begin(world.cloud.postgres);
    await run(world);
    await client.made(21);
    const { logins, failures } = await client.end();
    expect(failures).toEqual([]);
    expect(logins).toBeGreaterThan(20);
  } finally {
    await client.end();
    await world.close();
  }
}

const reference = (world: World, { id }: Subject, version: string): string =>
  `@Microsoft.KeyVault(SecretUri=${world.cloud.vaultUrl(vault)}/secrets/${id}/${version})`;

/** Writes a version by hand, as a person in the portal would: without Pinion's tags. */
async function writeByHand(world: World, { id }: Subject, value: object): Promise<string> {
  const expiresOn = new Date(world.cloud.clock.now() + 90 * 86_400_000);
  const options = { contentType: "application/json", expiresOn };
  return (await world.cloud.secrets(vault).setSecret(id, JSON.stringify(value), options)).properties.version ?? "";
}

/** Waits until a rotation, other than `ended`, stands at a step; moves the clock on the way. Returns its id. */
async function driveTo(world: World, subject: Subject, step: string, ended = ""): Promise<string> {
  for (let look = 0; look < 2000; look += 1) {
    const status = (await world.instance(subject))?.customStatus;
    if (status?.step === step && status.rotationId !== ended) return status.rotationId;
    if (status?.rotationId !== ended && status?.outcome !== undefined)
      throw new Error(`It ended ${status.outcome} before ${step}.`);
    const wait =
      status?.until === undefined || status.rotationId === ended
        ? 0
        : Date.parse(status.until) - world.cloud.clock.now();
    if (wait > 0) world.cloud.clock.advance(wait);
    await delay(15);
  }
  throw new Error(`It never came to ${step}.`);
}

function shuffled<T>(items: readonly T[], seed: number): T[] {
  let state = seed;
  const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  return items
    .map((item) => ({ item, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

describe("events, again and again", () => {
  it("duplicates of every event, in any order, change nothing", { timeout: 10 * minutes }, async () => {
    await withClient(async (world) => {
      let last = "";
      for (const seed of [1, 2]) {
        // What Pinion wrote a short while ago is not rotated for an event.
        if (last !== "") world.cloud.clock.advance(31 * 86_400_000);
        const before = await look(world, orders);
        const send = async (): Promise<void> => {
          const all = deliveriesOf(world, orders.id, before.version);
          await Promise.all(shuffled([...all, ...all], seed).map((deliver) => deliver()));
        };
        world.edge.reset();
        await send();
        last = await driveTo(world, orders, "grace", last);
        await send();
        const ended = await drive(world, orders, last);
        await send();
        for (let tries = 0; tries < 200 && !(await queueIsEmpty(world)); tries += 1) await delay(50);
        const { faults } = await checkRotated(world, orders, before, ended);
        expect(faults).toEqual([]);
        expect((await world.instance(orders))?.customStatus?.rotationId).toBe(last);
      }
    });
  });

  it(
    "two starts at the same moment name the same rotation, and leave no place taken",
    { timeout: 10 * minutes },
    async () => {
      await withClient(async (world) => {
        const before = await look(world, orders);
        const ids = await Promise.all([1, 2, 3].map(() => startRotation(world, orders, before.version)));
        const running = (await world.instance(orders))?.customStatus?.rotationId ?? ids[0] ?? "";
        const ended = await drive(world, orders, running);
        expect((await checkRotated(world, orders, before, ended)).faults).toEqual([]);
        expect(new Set(ids)).toEqual(new Set([running]));
      });
    },
  );
});

describe("somebody else's hands", () => {
  it(
    "two secrets on one site rotated together: both arrive, nothing else is lost",
    { timeout: 10 * minutes },
    async () => {
      const onOrdersSite: Subject = { ...reports, site: ordersSite };
      const change: WorldOptions["change"] = (policy) => ({
        ...policy,
        objects: policy.objects.map((object) =>
          object.id === reports.id
            ? {
                ...object,
                consumers: object.consumers.map((one) => ({ ...one, resourceId: siteResourceId(ordersSite) })),
              }
            : object,
        ),
      });
      await withClient(
        async (world) => {
          await setSetting(
            world.cloud,
            ordersSite,
            reports.setting,
            reference(world, reports, world.versions[reports.id]),
          );
          await delay(300);
          const befores = [await look(world, orders), await look(world, reports)] as const;
          world.edge.reset();
          const ids = await Promise.all([
            startRotation(world, orders, befores[0].version),
            startRotation(world, onOrdersSite, befores[1].version),
          ]);
          const [first, second] = await Promise.all([drive(world, orders, ids[0]), drive(world, onOrdersSite, ids[1])]);
          const expected = { ...clean, rotations: 2, changes: undefined };
          expect((await checkRotated(world, orders, befores[0], first, expected)).faults).toEqual([]);
          expect((await checkRotated(world, onOrdersSite, befores[1], second, expected)).faults).toEqual([]);
        },
        { change },
      );
    },
  );

  it(
    "a redeploy restores the old pin during the grace: held until it is moved back",
    { timeout: 10 * minutes },
    async () => {
      await withClient(async (world) => {
        const before = await look(world, orders);
        const rotationId = await startRotation(world, orders, before.version);
        await driveTo(world, orders, "grace");
        await setSetting(world.cloud, ordersSite, orders.setting, reference(world, orders, before.version));
        await driveTo(world, orders, "held");
        const { fault } = (await world.instance(orders))?.customStatus ?? {};
        expect(fault?.code).toBe("CONSUMER_REPINNED");
        expect(await logsIn(world, orders, before.login)).toBe(true);
        const { version } = await current(world, orders);
        await setSetting(world.cloud, ordersSite, orders.setting, reference(world, orders, version));
        const { outcome } = await drive(world, orders, rotationId);
        expect(outcome).toBe("rotated");
        expect(await logsIn(world, orders, before.login)).toBe(false);
      });
    },
  );

  it("a hand-made version between preflight and publish stays the newest", { timeout: 10 * minutes }, async () => {
    const turnstile = await openTurnstile();
    await withClient(
      async (world) => {
        const before = await look(world, orders);
        let made = "";
        turnstile.before(async ({ name }) => {
          if (name === "publish" && made === "")
            made = await writeByHand(world, orders, { ...before.login, note: "by hand" });
        });
        const { outcome, instance } = await drive(world, orders, await startRotation(world, orders, before.version));
        expect(instance.customStatus?.fault?.code).toBe("OUT_OF_BAND_CHANGE");
        expect(["rolled-back", "failed"]).toContain(outcome);
        expect((await current(world, orders)).version).toBe(made);
        expect(await versionsOf(world, orders.id)).toHaveLength(before.versions + 1);
        expect(await logsIn(world, orders, before.login)).toBe(true);
      },
      { app: turnstile.app, env: turnstile.env },
    );
    await turnstile.close();
  });

  it("a hand-made version during the grace: nothing is taken away", { timeout: 10 * minutes }, async () => {
    await withClient(async (world) => {
      const before = await look(world, orders);
      await startRotation(world, orders, before.version);
      await driveTo(world, orders, "grace");
      const { login } = await current(world, orders);
      await writeByHand(world, orders, { ...before.login, note: "the former one, by hand" });
      await driveTo(world, orders, "held");
      expect((await world.instance(orders))?.customStatus?.fault?.code).toBe("OUT_OF_BAND_CHANGE");
      for (const one of [before.login, login]) expect(await logsIn(world, orders, one)).toBe(true);
    });
  });

  it("first adoption with an unclear slot: refused, and nothing changes", { timeout: 10 * minutes }, async () => {
    await withClient(async (world) => {
      const { login, logged } = await look(world, orders);
      const other = login.username === "orders_a" ? "orders_b" : "orders_a";
      const unclear = [
        { ...login, username: other },
        { ...login, username: "somebody_else" },
      ];
      for (const value of unclear) {
        const version = await writeByHand(world, orders, value);
        const { outcome, instance } = await drive(world, orders, await startRotation(world, orders, version));
        expect([outcome, instance.customStatus?.fault?.code]).toEqual(["refused", "SLOT_UNCLEAR"]);
        expect((await current(world, orders)).version).toBe(version);
      }
      expect(await logsIn(world, orders, login)).toBe(true);
      const { versions } = await look(world, orders);
      expect(versions).toBe(3);
      expect(logged).toBeGreaterThan(0);
      await asSuperuser(world.cloud.postgres, "orders", async (client) => {
        const { rows } = await client.query(
          "SELECT 1 FROM pg_roles WHERE shobj_description(oid, 'pg_authid') LIKE '%[pinion%'",
        );
        expect(rows).toEqual([]);
      });
    });
  });
});
