import { afterAll, beforeAll, expect, test } from "vitest";
import type { Arm } from "../../src/azure/arm.ts";
import { bind, cases, type Case, type Holders, openHolders, settle } from "./key-holders.ts";

// What is one kind's own.

let world: Holders;
beforeAll(async () => void (world = await openHolders()));
afterAll(() => world.close());

const caseOf = (kind: Case["kind"]) => cases.find((one) => one.kind === kind)!;

/** ARM whose every GET answers these properties. */
const shows =
  (properties: unknown): Arm =>
  async () => ({ properties });

test.each([
  ["storage-account", undefined, { days: 1 }],
  ["disk-encryption-set", undefined, undefined],
  ["service-bus", undefined, undefined],
  ["event-hubs", undefined, undefined],
  ["cosmos-db", { type: "Continuous" }, { days: 30 }],
  ["cosmos-db", { type: "Continuous", continuousModeProperties: { tier: "Continuous7Days" } }, { days: 7 }],
  ["cosmos-db", { type: "Periodic", periodicModeProperties: { backupRetentionIntervalInHours: 50 } }, { days: 3 }],
  ["cosmos-db", { type: "Periodic", periodicModeProperties: { backupRetentionIntervalInHours: 8 } }, { days: 1 }],
  ["cosmos-db", undefined, undefined],
] as const)("retention of %s with backup policy %j: %j", async (kind, backupPolicy, expected) => {
  const { consumer, step } = bind(world, caseOf(kind), { arm: shows({ backupPolicy }) });
  const found = await consumer.retention?.(step, 0);
  if (expected === undefined) expect(found).toBeUndefined();
  else expect(found).toMatchObject(expected);
});

test("disk encryption set: while disks are still on the previous key nothing is proven, and no further move begins", async () => {
  const one = caseOf("disk-encryption-set");
  await one.deploy(world, "cmk", world.versions[0]);
  world.timing.rewrapSeconds = 600;
  const { consumer, step } = bind(world, one);
  await settle(() => consumer.move(step, `${world.baseUrl}/${world.versions[1]}`));
  await expect
    .poll(async () => (await consumer.prove(step, world.versions[1]))[0])
    .toMatchObject({ ok: false, detail: expect.stringContaining("disks still on a previous key") });
  expect((await consumer.read(step)).pinned).toBe(world.versions[1]);
  const before = world.writes();
  await expect(consumer.move(step, `${world.baseUrl}/${world.versions[0]}`)).rejects.toMatchObject({
    code: "CONSUMER_NOT_MOVED",
    class: "transient",
  });
  expect(world.writes()).toBe(before);
  world.cloud.clock.advance(601_000);
  await expect.poll(async () => (await consumer.prove(step, world.versions[1]))[0]?.ok, { timeout: 5_000 }).toBe(true);
});

test.each(["service-bus", "event-hubs"] as const)(
  "%s: two versions of the key at once are no one's pin",
  async (kind) => {
    const entry = (keyVersion: string) => ({ keyName: "cmk", keyVaultUri: world.vaultUrl, keyVersion });
    const properties = { encryption: { keyVaultProperties: world.versions.map(entry) } };
    const { consumer, step } = bind(world, caseOf(kind), { arm: shows(properties) });
    await expect(consumer.read(step)).rejects.toMatchObject({ code: "CONSUMER_MISCONFIGURED" });
  },
);

test.each([
  [
    "storage-account",
    (version: string) => ({
      encryption: { keyvaultproperties: { keyname: "CMK", keyvaulturi: `${world.vaultUrl}/`, keyversion: version } },
    }),
  ],
  ["cosmos-db", (version: string) => ({ keyVaultKeyUri: `${world.vaultUrl}/keys/CMK/${version.toUpperCase()}/` })],
  [
    "disk-encryption-set",
    (version: string) => ({
      activeKey: { keyUrl: `${world.vaultUrl.toUpperCase().replace("HTTPS", "https")}/KEYS/cmk/${version}` },
    }),
  ],
] as const)("%s: the same key in other letters is the same key", async (kind, properties) => {
  const [version] = world.versions;
  const { consumer, step } = bind(world, caseOf(kind), { arm: shows(properties(version)) });
  expect(await consumer.read(step)).toMatchObject({ text: `${world.baseUrl}/${version}`, pinned: version });
});

test.each(["", "/keys", "/keys/cmk2", "/keys/cm", "/secrets/cmk", "/keys/cmk/versions/of"])(
  "a key whose address is %j beside ours is another",
  async (path) => {
    const { consumer, step } = bind(world, caseOf("cosmos-db"), {
      arm: shows({ keyVaultKeyUri: `${world.vaultUrl}${path}` }),
    });
    await expect(consumer.read(step)).rejects.toMatchObject({ code: "CONSUMER_MISCONFIGURED" });
  },
);

test("Cosmos DB's version in use, as the version alone or as a URL", async () => {
  const [version] = world.versions;
  for (const told of [version, `${world.baseUrl}/${version}`, version.toUpperCase()]) {
    const properties = { keyVaultKeyUri: world.baseUrl, keyVaultKeyUriVersion: told };
    const { consumer, step } = bind(world, caseOf("cosmos-db"), { arm: shows(properties), reads: "latest" });
    expect(await consumer.read(step)).toEqual({ text: world.baseUrl, active: version });
    expect((await consumer.prove(step, version))[0]).toMatchObject({ ok: true });
  }
});

test("one that follows the newest, and does not say which it uses, is not proven", async () => {
  for (const properties of [
    { keyVaultKeyUri: world.baseUrl },
    { encryption: { keyvaultproperties: { keyname: "cmk", keyvaulturi: world.vaultUrl } } },
  ]) {
    const kind = "encryption" in properties ? "storage-account" : "cosmos-db";
    const { consumer, step } = bind(world, caseOf(kind), { arm: shows(properties), reads: "latest" });
    expect((await consumer.prove(step, world.versions[1]))[0]).toMatchObject({ ok: false });
  }
});

test("another vault with a key of that name is another key", async () => {
  const { consumer, step } = bind(world, caseOf("cosmos-db"), {
    arm: shows({ keyVaultKeyUri: `https://elsewhere.vault.azure.net/keys/cmk/${world.versions[0]}` }),
  });
  await expect(consumer.read(step)).rejects.toMatchObject({ code: "CONSUMER_MISCONFIGURED" });
});

test("resources that are encrypted with no customer's key are misconfigured, and nothing throws on what is missing", async () => {
  for (const one of cases.filter(({ kind }) => kind !== "sql-tde"))
    for (const properties of [undefined, {}, { encryption: {} }, { activeKey: {} }]) {
      const { consumer, step } = bind(world, one, { arm: shows(properties) });
      await expect(consumer.read(step)).rejects.toMatchObject({ code: "CONSUMER_MISCONFIGURED" });
    }
});

test("a version that the service says it uses beats the one that it was told", async () => {
  const [first, second] = world.versions;
  const key = { keyname: "cmk", keyvaulturi: world.vaultUrl, keyversion: second };
  const told = { ...key, currentVersionedKeyIdentifier: `${world.baseUrl}/${first}` };
  const { consumer, step } = bind(world, caseOf("storage-account"), {
    arm: shows({ encryption: { keyvaultproperties: told } }),
  });
  expect((await consumer.prove(step, second))[0]).toMatchObject({ ok: false });
});
