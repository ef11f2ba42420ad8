import { setTimeout as sleep } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import type { VaultEvent } from "../../../local/vault/model.ts";
import { collect, day, fakeClock, start, tempDir, testVault } from "../support.ts";
import { rsaJwk } from "./material.ts";

// Policies, what they do as the clock goes on, and the events of keys. Times stand still until the test moves them.

const settle = () => sleep(80);
/** Patience for busy machines. */
const eventually = (check: () => unknown) => vi.waitFor(check, { timeout: 30_000 });
const inDays = (days: number) => new Date(start + days * day);

async function watched(options: Parameters<typeof testVault>[0] = {}) {
  const events: VaultEvent[] = [];
  const vault = await testVault({ subscribedSince: start, onEvent: (event) => void events.push(event), ...options });
  const kinds = () => events.map(({ type }) => type.replace("Microsoft.KeyVault.", ""));
  const versions = async (name = "a") => (await collect(vault.keys.listPropertiesOfKeyVersions(name))).length;
  return { ...vault, events, kinds, versions };
}

test("rotates a given time after the creation, again and again", async () => {
  const { keys, clock, versions } = await watched();
  const first = await keys.createEcKey("a", { curve: "P-384", tags: { t: "1" }, keyOps: ["sign"] });
  await keys.updateKeyRotationPolicy("a", {
    expiresIn: "P60D",
    lifetimeActions: [{ action: "Rotate", timeAfterCreate: "P30D" }],
  });
  clock.advance(30 * day - 1);
  await settle();
  expect(await versions()).toBe(1);
  clock.advance(1);
  await eventually(async () => expect(await versions()).toBe(2));
  const second = await keys.getKey("a");
  expect(second).toMatchObject({
    keyOperations: ["sign"],
    key: { crv: "P-384" },
    properties: { tags: { t: "1" }, createdOn: inDays(30), expiresOn: inDays(90), enabled: true },
  });
  expect(second.id).not.toBe(first.id);
  await settle();
  expect(await versions()).toBe(2);
  clock.advance(30 * day);
  await eventually(async () => expect(await versions()).toBe(3));
  expect((await keys.getKey("a")).properties.expiresOn).toEqual(inDays(120));
});

test("rotates a given time before the expiry of the newest version, if that has one", async () => {
  const { keys, clock, versions } = await watched();
  await keys.createKey("a", "EC", { expiresOn: inDays(100) });
  await keys.createKey("endless", "EC");
  for (const name of ["a", "endless"]) {
    await keys.updateKeyRotationPolicy(name, {
      expiresIn: "P28D",
      lifetimeActions: [{ action: "Rotate", timeBeforeExpiry: "P7D" }],
    });
  }
  clock.advance(93 * day - 1);
  await settle();
  expect(await versions()).toBe(1);
  clock.advance(1);
  await eventually(async () => expect(await versions()).toBe(2));
  expect((await keys.getKey("a")).properties.expiresOn).toEqual(inDays(121));
  clock.advance(21 * day);
  await eventually(async () => expect(await versions()).toBe(3));
  expect(await versions("endless")).toBe(1);
});

test("a policy that is due when it is set, and one that is taken away in time", async () => {
  const { keys, clock, versions } = await watched();
  await keys.createKey("a", "EC");
  await keys.createKey("b", "EC");
  clock.advance(20 * day);
  const policy = { lifetimeActions: [{ action: "Rotate" as const, timeAfterCreate: "P30D" }] };
  await keys.updateKeyRotationPolicy("b", policy);
  await keys.updateKeyRotationPolicy("a", { lifetimeActions: [{ action: "Rotate", timeAfterCreate: "P7D" }] });
  await eventually(async () => expect(await versions()).toBe(2));
  await keys.updateKeyRotationPolicy("b", { lifetimeActions: [] });
  clock.advance(100 * day);
  await eventually(async () => expect(await versions()).toBe(3));
  await settle();
  expect([await versions(), await versions("b")], "one rotation for a jump over several").toEqual([3, 1]);
});

test("neither deleted nor disabled keys rotate", async () => {
  const { keys, clock, versions } = await watched();
  for (const name of ["a", "b"]) {
    await keys.createKey(name, "EC");
    await keys.updateKeyRotationPolicy(name, { lifetimeActions: [{ action: "Rotate", timeAfterCreate: "P7D" }] });
  }
  await keys.beginDeleteKey("a");
  await keys.updateKeyProperties("b", { enabled: false });
  clock.advance(10 * day);
  await settle();
  await keys.beginRecoverDeletedKey("a");
  await eventually(async () => expect(await versions()).toBe(2));
  expect(await versions("b")).toBe(1);
  await keys.updateKeyProperties("b", { enabled: true });
  await eventually(async () => expect(await versions("b")).toBe(2));
});

test("the policy and its clockwork survive a restart", async () => {
  const [clock, stateDir] = [fakeClock(), tempDir()];
  const first = await watched({ clock, stateDir });
  await first.keys.createKey("a", "RSA");
  await first.keys.updateKeyRotationPolicy("a", { lifetimeActions: [{ action: "Rotate", timeAfterCreate: "P7D" }] });
  const made = await first.keys.getKey("a");
  await first.close();
  clock.advance(8 * day);
  const second = await watched({ clock, stateDir });
  await eventually(async () => expect(await second.versions()).toBe(2));
  const kept = await second.keys.getKey("a", { version: made.properties.version! });
  expect(Buffer.from(kept.key!.n!)).toEqual(Buffer.from(made.key!.n!));
  expect(await second.keys.getKeyRotationPolicy("a")).toMatchObject({
    createdOn: new Date(start),
    lifetimeActions: [{ action: "Rotate", timeAfterCreate: "P7D" }, {}],
  });
});

test("limits of a policy", async () => {
  const { ask } = await testVault();
  await ask("PUT", "/keys/a", { body: { key: rsaJwk() } });
  const rotate = (trigger: object) => ({ trigger, action: { type: "Rotate" } });
  const notify = (trigger: object) => ({ trigger, action: { type: "Notify" } });
  const policy = (expiryTime: unknown, ...lifetimeActions: unknown[]) => ({
    attributes: { expiryTime },
    lifetimeActions,
  });
  const put = (body: unknown) => ask("PUT", "/keys/a/rotationpolicy", { body });
  const good: unknown[] = [
    {},
    { lifetimeActions: null, attributes: null },
    policy("P28D"),
    policy("P27DT24H"),
    policy("P1M"),
    policy("P1Y10D"),
    policy("P13W"),
    policy(null, rotate({ timeAfterCreate: "P7D" })),
    policy(null, rotate({ timeAfterCreate: "PT168H" })),
    policy("P90D", rotate({ timeAfterCreate: "P83D" })),
    policy("P90D", rotate({ timeBeforeExpiry: "P7D" })),
    policy("P90D", rotate({ timeBeforeExpiry: "P83D" })),
    policy("P90D", notify({ timeBeforeExpiry: "P7D" })),
    policy("P90D", notify({ timeBeforeExpiry: "P89D" })),
    policy("P29D", notify({ timeBeforeExpiry: "P30D" })),
    policy(null, notify({ timeBeforeExpiry: "P30D" })),
    policy("P90D", notify({ timeBeforeExpiry: "P14D" }), rotate({ timeAfterCreate: "P30D" })),
    policy("P90D", { trigger: { timeAfterCreate: "P30D" }, action: { type: "ROTATE" } }),
  ];
  for (const body of good) expect([body, (await put(body)).status]).toEqual([body, 200]);
  const before = (await ask("GET", "/keys/a/rotationpolicy")).json;
  const bad: unknown[] = [
    undefined,
    "[]",
    { lifetimeActions: {} },
    { lifetimeActions: "Rotate" },
    { attributes: [] },
    { attributes: "P90D" },
    policy(90),
    policy("90 days"),
    policy("P"),
    policy("PT"),
    policy("P90"),
    policy("P90D "),
    policy("P-90D"),
    policy("P9.5D"),
    policy("P90DT"),
    policy("p90d"),
    policy("P10D1Y"),
    policy("PT0S"),
    policy("P27D"),
    policy("P27DT23H59M59S"),
    policy("P999999Y"),
    policy("P90D", null),
    policy("P90D", {}),
    policy("P90D", []),
    policy("P90D", { trigger: { timeAfterCreate: "P30D" } }),
    policy("P90D", { trigger: { timeAfterCreate: "P30D" }, action: {} }),
    policy("P90D", { trigger: { timeAfterCreate: "P30D" }, action: { type: "Renew" } }),
    policy("P90D", { trigger: { timeAfterCreate: "P30D" }, action: "Rotate" }),
    policy("P90D", { action: { type: "Rotate" } }),
    policy("P90D", rotate({})),
    policy("P90D", rotate({ timeAfterCreate: "P30D", timeBeforeExpiry: "P30D" })),
    policy("P90D", rotate({ timeAfterCreate: 30 })),
    policy("P90D", rotate({ timeAfterCreate: "P6DT23H59M59S" })),
    policy("P90D", rotate({ timeAfterCreate: "P83DT1S" })),
    policy("P90D", rotate({ timeBeforeExpiry: "P6D" })),
    policy("P90D", rotate({ timeBeforeExpiry: "P84D" })),
    policy(null, rotate({ timeBeforeExpiry: "P30D" })),
    policy("P90D", notify({ timeAfterCreate: "P30D" })),
    policy("P90D", notify({ timeBeforeExpiry: "P6D" })),
    policy("P90D", notify({ timeBeforeExpiry: "P90D" })),
    policy(null, notify({ timeBeforeExpiry: "P14D" })),
    policy("P90D", rotate({ timeAfterCreate: "P30D" }), rotate({ timeBeforeExpiry: "P30D" })),
    policy("P90D", notify({ timeBeforeExpiry: "P14D" }), notify({ timeBeforeExpiry: "P30D" })),
  ];
  for (const body of bad) {
    const { status, json } = await put(body);
    expect([body, status, json.error.code]).toEqual([body, 400, "BadParameter"]);
  }
  expect((await ask("GET", "/keys/a/rotationpolicy")).json).toStrictEqual(before);
});

test("new versions are told of, however they come about", async () => {
  const { ask, keys, clock, events, url } = await watched();
  const made = await keys.createKey("a", "EC", { notBefore: inDays(-1), expiresOn: inDays(60) });
  const common = {
    vaultName: expect.any(String),
    resourceId: expect.any(String),
    objectType: "Key",
    objectName: "a",
    eventId: expect.any(String),
  };
  await eventually(() => expect(events).toHaveLength(1));
  expect(events).toEqual([
    {
      ...common,
      type: "Microsoft.KeyVault.KeyNewVersionCreated",
      version: made.properties.version,
      id: `${url}/keys/a/${made.properties.version}`,
      nbf: start / 1000 - 86_400,
      exp: start / 1000 + 60 * 86_400,
      time: inDays(0).toISOString(),
    },
  ]);
  await ask("PUT", "/keys/a", { body: { key: rsaJwk() } });
  await keys.rotateKey("a");
  await keys.updateKeyRotationPolicy("a", { lifetimeActions: [{ action: "Rotate", timeAfterCreate: "P7D" }] });
  await eventually(() => expect(events).toHaveLength(3));
  clock.advance(7 * day);
  await eventually(() => expect(events).toHaveLength(4));
  const newest = await keys.getKey("a");
  expect(events.at(-1)).toMatchObject({ ...common, version: newest.properties.version, time: inDays(7).toISOString() });
  const types = new Set(events.map(({ type }) => type));
  expect(types).toEqual(new Set(["Microsoft.KeyVault.KeyNewVersionCreated"]));
  const blob = (await keys.backupKey("a"))!;
  await keys.beginDeleteKey("a");
  await keys.purgeDeletedKey("a");
  await keys.restoreKeyBackup(blob);
  await settle();
  expect(events, "a restored version is not new").toHaveLength(4);
});

test("near expiry 30 days before, expired at the instant, once each", async () => {
  const { keys, clock, kinds } = await watched();
  await keys.createKey("a", "EC", { expiresOn: inDays(60) });
  clock.advance(30 * day - 1);
  await settle();
  expect(kinds()).toEqual(["KeyNewVersionCreated"]);
  clock.advance(1);
  await eventually(() => expect(kinds()).toEqual(["KeyNewVersionCreated", "KeyNearExpiry"]));
  clock.advance(30 * day);
  await eventually(() => expect(kinds()).toEqual(["KeyNewVersionCreated", "KeyNearExpiry", "KeyExpired"]));
  clock.advance(400 * day);
  await settle();
  expect(kinds()).toHaveLength(3);
});

test("the policy's notice moves the near expiry", async () => {
  const { keys, clock, kinds } = await watched();
  await keys.createKey("a", "EC", { expiresOn: inDays(100) });
  await keys.createKey("late", "EC", { expiresOn: inDays(100) });
  const notify = (name: string, timeBeforeExpiry: string) =>
    keys.updateKeyRotationPolicy(name, {
      expiresIn: "P90D",
      lifetimeActions: [{ action: "Notify", timeBeforeExpiry }],
    });
  await notify("a", "P60D");
  await notify("late", "P7D");
  clock.advance(40 * day - 1);
  await settle();
  expect(kinds()).toHaveLength(2);
  clock.advance(1);
  await eventually(() => expect(kinds().slice(2)).toEqual(["KeyNearExpiry"]));
  clock.advance(53 * day - 1);
  await settle();
  expect(kinds()).toHaveLength(3);
  clock.advance(1);
  await eventually(() => expect(kinds().slice(2)).toEqual(["KeyNearExpiry", "KeyNearExpiry"]));
});
