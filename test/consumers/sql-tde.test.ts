import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Arm } from "../../src/azure/arm.ts";
import { bind, deployServer, type Holders, instanceId, openHolders, serverId, settle } from "./key-holders.ts";

let world: Holders;
beforeAll(async () => void (world = await openHolders()));
afterAll(() => world.close());
afterEach(() => void Object.assign(world.timing, world.quick));

const kind = "sql-tde";
const day = 86_400_000;

const servers = {
  name: "two logical servers in a failover group",
  primary: serverId("orders-west"),
  secondary: serverId("orders-north"),
  /** A failover group is shown at both of its servers, by each in its own role. */
  async pair() {
    const role = (id: string, own: string, other: string, theirs: string) =>
      world.put(`${id}/failoverGroups/orders`, {
        properties: { replicationRole: own, partnerServers: [{ id: other, replicationRole: theirs }] },
      });
    await role(this.primary, "Primary", this.secondary, "Secondary");
    await role(this.secondary, "Secondary", this.primary, "Primary");
  },
};
const instances = {
  name: "two managed instances in a failover group",
  primary: instanceId("orders-west"),
  secondary: instanceId("orders-north"),
  async pair() {
    const group = this.primary.replace(
      /\/managedInstances\/.*$/,
      "/locations/westeurope/instanceFailoverGroups/orders",
    );
    await world.put(group, {
      properties: {
        managedInstancePairs: [
          { primaryManagedInstanceId: this.primary, partnerManagedInstanceId: this.secondary },
          { primaryManagedInstanceId: instanceId("x"), partnerManagedInstanceId: instanceId("y") },
        ],
      },
    });
  },
};

describe.each([servers, instances])("$name", (site) => {
  const { primary, secondary } = site;
  const second = () => `${world.baseUrl}/${world.versions[1]}`;
  const protector = async (id: string) => (await world.get(`${id}/encryptionProtector/current`)).properties;
  const deploy = async (partnersOwn = true) => {
    world.azure.keyHolders.clear();
    await deployServer(world, primary, "cmk", world.versions[0]);
    await deployServer(world, secondary, "cmk", world.versions[0], partnersOwn);
    await site.pair();
  };
  beforeEach(() => deploy());

  test.each([
    ["the primary", primary],
    ["the secondary", secondary],
  ])("declared by %s: the key first, everywhere; then the secondary moves; the primary last", async (_name, id) => {
    const puts: string[] = [];
    const arm: Arm = (request) => {
      if (request.method === "PUT") puts.push(request.path.replace(/\?.*$/, "").split("/").slice(-3, -1).join(" "));
      return world.arm(request);
    };
    const { consumer, step } = bind(world, { kind, id }, { arm });
    await settle(() => consumer.move(step, second()));
    expect(puts.slice(0, 2).toSorted()).toEqual(["orders-north keys", "orders-west keys"]);
    expect(puts.slice(2)).toEqual(["orders-north encryptionProtector", "orders-west encryptionProtector"]);
    for (const server of [primary, secondary]) expect((await protector(server))["uri"]).toBe(second());
    expect((await consumer.prove(step, world.versions[1])).map(({ ok }) => ok)).toEqual([true]);
  });

  test("killed after each call, it ends with both moved, each written once", async () => {
    for (let last = 1, died = true; died; last += 1) {
      world.timing.operationSeconds = 0;
      await deploy();
      world.timing.operationSeconds = 0.02;
      const written = world.writes();
      let calls = 0;
      const mortal: Arm = async (request) => {
        const reply = await world.arm(request);
        calls += 1;
        if (calls === last) throw new Error("killed");
        return reply;
      };
      const { consumer, step } = bind(world, { kind, id: primary });
      died = await consumer.move({ ...step, arm: mortal }, second()).then(
        () => false,
        () => true,
      );
      await settle(() => consumer.move(step, second()));
      for (const server of [primary, secondary]) expect((await protector(server))["uri"]).toBe(second());
      expect(world.writes()).toBe(written + 4);
      expect(last).toBeLessThan(40);
    }
  });

  test("a partner that stayed behind, or was turned back, is not proven, and the next move takes it along", async () => {
    const { consumer, step } = bind(world, { kind, id: primary });
    const before = (await consumer.read(step)).text;
    await settle(() => consumer.move(step, second()));
    const { serverKeyName } = await protector(primary);
    const old = String(serverKeyName).replace(world.versions[1], world.versions[0]);
    await world.put(`${secondary}/encryptionProtector/current`, { properties: { serverKeyName: old } });
    expect(await consumer.prove(step, world.versions[1])).toEqual([
      expect.objectContaining({ ok: false, detail: expect.stringContaining("orders-north on another version") }),
    ]);
    const written = world.writes();
    await settle(() => consumer.move(step, second()));
    expect(world.writes()).toBe(written + 1);
    expect((await consumer.prove(step, world.versions[1])).map(({ ok }) => ok)).toEqual([true]);
    await settle(() => consumer.move(step, before));
    for (const server of [primary, secondary]) expect((await protector(server))["uri"]).toBe(before);
  });

  test("a partner with a protector of its own keeps it, and gets to know the key", async () => {
    await deploy(false);
    const name = `${new URL(world.vaultUrl).hostname.split(".")[0]}_other_${world.other}`;
    const own = `${world.vaultUrl}/keys/other/${world.other}`;
    await settle(() => world.put(`${secondary}/keys/${name}`, { properties: { uri: own } }));
    await settle(() => world.put(`${secondary}/encryptionProtector/current`, { properties: { serverKeyName: name } }));
    const { consumer, step } = bind(world, { kind, id: primary });
    await settle(() => consumer.move(step, second()));
    expect((await protector(secondary))["uri"]).toBe(own);
    const known = (await world.get(`${secondary}/keys`)) as unknown as { value: readonly { name: string }[] };
    expect(known.value.map((key) => key.name).join()).toContain(world.versions[1]);
    expect((await consumer.prove(step, world.versions[1])).map(({ ok }) => ok)).toEqual([true]);
  });

  test("of two servers one follows the newest by itself and one does not: refused before anything is written", async () => {
    const { serverKeyName } = await protector(secondary);
    const body = { properties: { serverKeyName, autoRotationEnabled: true } };
    await settle(() => world.put(`${secondary}/encryptionProtector/current`, body));
    const { consumer, step } = bind(world, { kind, id: primary });
    const written = world.writes();
    await expect(consumer.move(step, second())).rejects.toMatchObject({ code: "CONSUMER_MISCONFIGURED" });
    expect(world.writes()).toBe(written);
  });
});

test("Azure's refusal of a key that a geo-secondary does not know is told by its code (and the stand-in makes it)", async () => {
  world.azure.keyHolders.clear();
  await deployServer(world, servers.primary, "cmk", world.versions[0]);
  await deployServer(world, servers.secondary, "cmk", world.versions[1]);
  await servers.pair();
  const name = `${new URL(world.vaultUrl).hostname.split(".")[0]}_cmk_${world.versions[0]}`;
  await expect(
    settle(() => world.put(`${servers.primary}/encryptionProtector/current`, { properties: { serverKeyName: name } })),
  ).rejects.toMatchObject({ code: "CONSUMER_MISCONFIGURED", message: /SameKeyMaterialNotFoundOnRemoteServer/ });
});

test("secondaries without a failover group are those that the policy names", async () => {
  world.azure.keyHolders.clear();
  for (const id of [servers.primary, servers.secondary]) await deployServer(world, id, "cmk", world.versions[0]);
  const { consumer, step } = bind(world, { kind, id: servers.primary }, { secondaries: [servers.secondary] });
  await settle(() => consumer.move(step, `${world.baseUrl}/${world.versions[1]}`));
  const { properties } = await world.get(`${servers.secondary}/encryptionProtector/current`);
  expect(properties["uri"]).toBe(`${world.baseUrl}/${world.versions[1]}`);
});

test("a key that the service manages is none of ours", async () => {
  world.azure.keyHolders.clear();
  const id = serverId("plain");
  await world.put(id, { properties: {} });
  await world.put(`${id}/encryptionProtector/default`, { properties: {} });
  const { consumer, step } = bind(world, { kind, id });
  const arm: Arm = async (request) =>
    request.path.includes("encryptionProtector")
      ? { properties: { serverKeyType: "ServiceManaged", serverKeyName: "ServiceManaged" } }
      : world.arm(request);
  await expect(consumer.read({ ...step, arm })).rejects.toMatchObject({ code: "CONSUMER_MISCONFIGURED" });
});

describe("how long backups may need a former version", () => {
  const now = () => world.cloud.clock.now();
  const { primary, secondary } = servers;
  const retention = async (id = primary) => {
    const { consumer, step } = bind(world, { kind, id });
    return consumer.retention?.(step, now());
  };
  const database = async (id: string, name: string, retentionDays: number, long: Record<string, string> = {}) => {
    await world.put(`${id}/databases/${name}`, { properties: {} });
    await world.put(`${id}/databases/${name}/backupShortTermRetentionPolicies/default`, {
      properties: { retentionDays },
    });
    await world.put(`${id}/databases/${name}/backupLongTermRetentionPolicies/default`, { properties: long });
  };
  beforeEach(async () => {
    world.azure.keyHolders.clear();
    await deployServer(world, primary, "cmk", world.versions[0]);
  });

  test("no database: none", async () => {
    await world.put(`${primary}/databases/master`, { properties: {} });
    expect(await retention()).toMatchObject({ days: 0 });
  });

  test("the longest of all databases, of the partners' too", async () => {
    for (let n = 0; n < 12; n += 1) await database(primary, `db${n}`, 7 + n);
    expect(await retention()).toEqual({ days: 18, why: "point-in-time restore of db11 of orders-west" });
    await deployServer(world, secondary, "cmk", world.versions[0]);
    await servers.pair();
    await database(secondary, "copy", 21);
    expect(await retention()).toEqual({ days: 21, why: "point-in-time restore of copy of orders-north" });
  });

  test.each([
    [{ weeklyRetention: "PT0S", monthlyRetention: "PT0S", yearlyRetention: "PT0S" }, 7],
    [{ weeklyRetention: "P12W" }, 84],
    [{ weeklyRetention: "P1W", monthlyRetention: "P12M" }, 372],
    [{ yearlyRetention: "P5Y" }, 1830],
    [{ yearlyRetention: "five years" }, 3660],
  ])("long-term retention %j: %i days", async (long, days) => {
    await database(primary, "orders", 7, long);
    expect(await retention()).toMatchObject({ days });
  });

  describe("backups that are kept still, though their databases and policies are gone", () => {
    const keep = async (name: string, takenDaysAgo: number | undefined, endsInDays: number) => {
      const backups = primary.replace(
        /\/servers\/(.*)$/,
        "/locations/westeurope/longTermRetentionServers/$1/longTermRetentionBackups",
      );
      const at = (days: number) => new Date(now() + days * day).toISOString();
      const taken = takenDaysAgo === undefined ? {} : { backupTime: at(-takenDaysAgo) };
      await world.put(`${backups}/${name}`, { properties: { ...taken, backupExpirationTime: at(endsInDays) } });
    };

    test("the longest life of any of them counts, from the move on", async () => {
      await keep("a", 65, 300);
      // Half of its life is over: what it was encrypted with is needed for the other half too.
      await keep("b", 900, 900.5);
      await keep("c", 0, 20);
      expect(await retention()).toEqual({ days: 1801, why: "a kept long-term backup of orders-west" });
    });

    test("one that outlives its end, by a legal hold, counts as long as it is there", async () => {
      await keep("a", 399.5, -35);
      expect(await retention()).toMatchObject({ days: 400 });
    });

    test("one whose beginning is not told counts as the longest", async () => {
      await keep("a", undefined, 20);
      expect(await retention()).toMatchObject({ days: 3660 });
    });
  });

  test("a dropped database can be restored for up to 35 days", async () => {
    await world.put(`${primary}/restorableDroppedDatabases/gone`, { properties: {} });
    expect(await retention()).toMatchObject({ days: 35 });
  });

  test("of a managed instance", async () => {
    const id = instanceId("orders-west");
    await deployServer(world, id, "cmk", world.versions[0]);
    await world.put(`${id}/databases/orders`, { properties: {} });
    await world.put(`${id}/databases/orders/backupShortTermRetentionPolicies/default`, {
      properties: { retentionDays: 14 },
    });
    await world.put(`${id}/databases/orders/backupLongTermRetentionPolicies/default`, {
      properties: { weeklyRetention: "P1W" },
    });
    expect(await retention(id)).toEqual({ days: 14, why: "point-in-time restore of orders of orders-west" });
  });
});
