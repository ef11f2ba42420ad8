import { expect, test } from "vitest";
import { collect, day, failure, keyClient, start, testVault, vaultName } from "../support.ts";
import { ecJwk } from "./material.ts";

// Deletion, recovery, purge, backup and restore of keys, by the official client.

const missing = { status: 404, code: "KeyNotFound", inner: undefined };

test("deletes, reads the deleted, recovers, purges", async () => {
  const { ask, keys, url } = await testVault();
  await keys.createKey("a", "EC");
  const last = await keys.createKey("a", "EC", { tags: { t: "1" } });
  const deleted = await (await keys.beginDeleteKey("a", { intervalInMs: 10 })).pollUntilDone();
  expect(deleted).toMatchObject({
    name: "a",
    id: last.id,
    key: { kty: "EC" },
    properties: {
      recoveryId: `${url}/deletedkeys/a`,
      deletedOn: new Date(start),
      scheduledPurgeDate: new Date(start + 90 * day),
      tags: { t: "1" },
    },
  });
  expect(await failure(keys.getKey("a"))).toEqual(missing);
  expect(await failure(keys.getKeyRotationPolicy("a"))).toEqual(missing);
  expect(await failure(keys.createKey("A", "EC"))).toEqual({
    status: 409,
    code: "Conflict",
    inner: "ObjectIsDeletedButRecoverable",
  });
  expect((await ask("PUT", "/keys/a", { body: { key: ecJwk() } })).status).toBe(409);
  expect(await collect(keys.listPropertiesOfKeys())).toEqual([]);
  const list = await collect(keys.listDeletedKeys());
  expect(list).toMatchObject([{ name: "a", properties: { recoveryId: `${url}/deletedkeys/a` } }]);
  expect((await keys.getDeletedKey("a")).key?.x).toEqual(last.key?.x);

  const recovered = await (await keys.beginRecoverDeletedKey("a", { intervalInMs: 10 })).pollUntilDone();
  expect(recovered.id).toBe(last.id);
  expect(await collect(keys.listPropertiesOfKeyVersions("a"))).toHaveLength(2);
  expect(await failure(keys.getDeletedKey("a"))).toEqual(missing);
  await keys.beginDeleteKey("a");
  await keys.purgeDeletedKey("a");
  expect(await failure(keys.getDeletedKey("a"))).toEqual(missing);
  await keys.createKey("a", "EC");
  expect(await collect(keys.listPropertiesOfKeyVersions("a"))).toHaveLength(1);
});

test("slow deletions, purge protection and the purge by the clock", async () => {
  const resourceId = "/vaults/x";
  const { keys, clock, control } = await testVault({
    vaults: [{ name: vaultName, resourceId, purgeProtection: true, retentionDays: 7 }],
  });
  control.set({ deleteDelayMs: 5000 });
  const { properties } = await keys.createKey("a", "EC");
  expect(properties).toMatchObject({ recoveryLevel: "CustomizedRecoverable", recoverableDays: 7 });
  const deletion = await keys.beginDeleteKey("a", { intervalInMs: 10 });
  expect(deletion.isDone()).toBe(false);
  const conflict = { status: 409, code: "Conflict", inner: "ObjectIsBeingDeleted" };
  expect(await failure(keys.createKey("a", "EC"))).toEqual(conflict);
  expect(await failure(keys.purgeDeletedKey("a"))).toEqual(conflict);
  clock.advance(5000);
  expect((await deletion.pollUntilDone()).name).toBe("a");
  expect(await failure(keys.purgeDeletedKey("a"))).toMatchObject({ status: 403, code: "Forbidden" });
  clock.advance(7 * day - 5000);
  expect(await failure(keys.getDeletedKey("a"))).toEqual(missing);
});

test("backs up and restores all versions with the rotation policy", async () => {
  const { keys } = await testVault();
  const made = [];
  for (let index = 0; index < 3; index++) made.push(await keys.createKey("a", "EC"));
  await keys.updateKeyRotationPolicy("a", { lifetimeActions: [{ action: "Rotate", timeAfterCreate: "P90D" }] });
  const blob = (await keys.backupKey("a"))!;
  expect(await failure(keys.restoreKeyBackup(blob))).toMatchObject({ status: 409, code: "Conflict" });
  await keys.beginDeleteKey("a");
  expect(await failure(keys.restoreKeyBackup(blob))).toMatchObject({ status: 409 });
  await keys.purgeDeletedKey("a");
  expect((await keys.restoreKeyBackup(blob)).id).toBe(made[2]!.id);
  for (const { id, key, properties } of made) {
    expect(await keys.getKey("a", { version: properties.version! })).toMatchObject({ id, key: { x: key!.x } });
  }
  expect((await keys.getKeyRotationPolicy("a")).lifetimeActions).toMatchObject([
    { action: "Rotate", timeAfterCreate: "P90D" },
    { action: "Notify", timeBeforeExpiry: "P30D" },
  ]);
  const malformed = { status: 400, code: "Malformed backup blob", inner: undefined };
  expect(await failure(keys.restoreKeyBackup(new Uint8Array([1, 2, 3])))).toEqual(malformed);
});

test("a backup is for its own kind and its own vaults", async () => {
  const { keys, client } = await testVault();
  await client.setSecret("a", "v");
  await keys.createKey("a", "EC");
  const [secret, key] = [(await client.backupSecret("a"))!, (await keys.backupKey("a"))!];
  const malformed = { status: 400, code: "Malformed backup blob", inner: undefined };
  expect(await failure(keys.restoreKeyBackup(secret))).toEqual(malformed);
  expect(await failure(client.restoreSecretBackup(key))).toEqual(malformed);
  const vaults = ["kv-one", "kv-two"].map((name) => ({ name, resourceId: `/vaults/${name}` }));
  const two = await testVault({ vaults });
  await two.keys.createKey("shared", "EC");
  const other = keyClient(two.vaults.vaults[1]!.url, two.ca);
  const restored = await other.restoreKeyBackup((await two.keys.backupKey("shared"))!);
  expect(restored.id).toMatch(two.vaults.vaults[1]!.url);
});
