import type { SecretClient } from "@azure/keyvault-secrets";
import { expect, test } from "vitest";
import { day, start, testVault, vaultName } from "./support.ts";

// Every operation of the official client, over HTTPS with the CA checked.

const fails = (work: Promise<unknown>) =>
  work.then(
    () => expect.unreachable("It should have failed."),
    (error: { statusCode: number; code: string; details?: { error?: { innerError?: { code?: string } } } }) => ({
      status: error.statusCode,
      code: error.code,
      inner: error.details?.error?.innerError?.code,
    }),
  );

const collect = async <T>(items: AsyncIterable<T>) => {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
};

test("sets, gets, patches and lists", async () => {
  const { client, url } = await testVault();
  const expiresOn = new Date(start + 90 * day);
  const first = await client.setSecret("Orders-Db", "one", {
    contentType: "text/plain",
    tags: { owner: "me" },
    expiresOn,
  });
  expect(first).toMatchObject({
    name: "Orders-Db",
    value: "one",
    properties: {
      vaultUrl: url,
      enabled: true,
      expiresOn,
      createdOn: new Date(start),
      updatedOn: new Date(start),
      contentType: "text/plain",
      tags: { owner: "me" },
      recoveryLevel: "Recoverable+Purgeable",
      recoverableDays: 90,
    },
  });
  expect(first.properties.version).toMatch(/^[0-9a-f]{32}$/);
  expect(first.properties.id).toBe(`${url}/secrets/Orders-Db/${first.properties.version}`);
  const second = await client.setSecret("orders-db", "");
  expect(second.name, "the spelling of the first write stays").toBe("Orders-Db");
  expect(second.value, "an empty value is a value").toBe("");
  expect(second.properties.tags, "tags do not carry over").toBeUndefined();
  expect((await client.getSecret("ORDERS-DB")).properties.version).toBe(second.properties.version);
  expect((await client.getSecret("orders-db", { version: first.properties.version! })).value).toBe("one");

  const patched = await client.updateSecretProperties("orders-db", first.properties.version!, {
    tags: { state: "old" },
    enabled: false,
  });
  expect(patched).toMatchObject({ enabled: false, tags: { state: "old" }, contentType: "text/plain", expiresOn });
  expect(await fails(client.getSecret("orders-db", { version: first.properties.version! }))).toEqual({
    status: 403,
    code: "Forbidden",
    inner: "SecretDisabled",
  });
  expect((await client.getSecret("orders-db")).value, "a disabled older version does not matter").toBe("");

  const versions = await collect(client.listPropertiesOfSecretVersions("orders-db"));
  expect(versions.map(({ version }) => version)).toEqual(
    [first, second].map((one) => String(one.properties.version)).sort(),
  );
  const secrets = await collect(client.listPropertiesOfSecrets());
  expect(secrets.map(({ name, version }) => [name, version])).toEqual([["Orders-Db", undefined]]);
});

test("the newest version alone is judged", async () => {
  const { client } = await testVault();
  await client.setSecret("a", "old");
  await client.setSecret("a", "new", { enabled: false });
  expect(await fails(client.getSecret("a"))).toMatchObject({ status: 403, inner: "SecretDisabled" });
  const [listed] = await collect(client.listPropertiesOfSecrets());
  expect(listed?.enabled, "a disabled one is listed").toBe(false);
});

test("nbf and exp block nothing", async () => {
  const { client, clock } = await testVault();
  await client.setSecret("early", "v", { notBefore: new Date(start + day) });
  await client.setSecret("late", "v", { expiresOn: new Date(start + day) });
  clock.advance(2 * day);
  expect((await client.getSecret("late")).value).toBe("v");
  expect((await client.getSecret("early")).properties.notBefore).toEqual(new Date(start + day));
});

test("versions of the same millisecond keep their order", async () => {
  const { client } = await testVault();
  for (let index = 0; index < 40; index++) await client.setSecret("a", String(index));
  expect((await client.getSecret("a")).value).toBe("39");
});

test("pages by maxresults, and by 25 without", async () => {
  const { client } = await testVault();
  const names = Array.from({ length: 60 }, (_, index) => `s-${String(index).padStart(2, "0")}`);
  await Promise.all(names.map((name) => client.setSecret(name, name)));
  expect((await collect(client.listPropertiesOfSecrets())).map(({ name }) => name)).toEqual(names);
  const pages = await collect(client.listPropertiesOfSecrets().byPage({ maxPageSize: 7 }));
  expect(pages.map((page) => page.length)).toEqual([7, 7, 7, 7, 7, 7, 7, 7, 4]);
  const whole = await collect(client.listPropertiesOfSecrets().byPage());
  expect(whole.map((page) => page.length)).toEqual([25, 25, 10]);
});

test("deletes, reads the deleted, recovers, purges", async () => {
  const { client, url } = await testVault();
  await client.setSecret("a", "one");
  const last = await client.setSecret("a", "two", { tags: { t: "1" } });
  const poller = await client.beginDeleteSecret("a", { intervalInMs: 10 });
  const deleted = await poller.pollUntilDone();
  expect(deleted).toMatchObject({
    name: "a",
    recoveryId: `${url}/deletedsecrets/a`,
    deletedOn: new Date(start),
    properties: { scheduledPurgeDate: new Date(start + 90 * day), version: last.properties.version, tags: { t: "1" } },
  });
  expect(deleted.value).toBeUndefined();
  expect(await fails(client.getSecret("a"))).toMatchObject({ status: 404, code: "SecretNotFound" });
  expect(await fails(client.setSecret("A", "three"))).toEqual({
    status: 409,
    code: "Conflict",
    inner: "ObjectIsDeletedButRecoverable",
  });
  expect(await collect(client.listPropertiesOfSecrets())).toEqual([]);
  expect(await collect(client.listPropertiesOfSecretVersions("a"))).toEqual([]);
  expect((await collect(client.listDeletedSecrets())).map(({ name }) => name)).toEqual(["a"]);
  expect(await client.getDeletedSecret("a")).toMatchObject({ name: "a" });

  const recovered = await (await client.beginRecoverDeletedSecret("a", { intervalInMs: 10 })).pollUntilDone();
  expect(recovered.name).toBe("a");
  expect((await client.getSecret("a")).value).toBe("two");
  expect(await collect(client.listPropertiesOfSecretVersions("a"))).toHaveLength(2);
  expect(await fails(client.getDeletedSecret("a"))).toMatchObject({ status: 404, code: "SecretNotFound" });

  await client.beginDeleteSecret("a");
  await client.purgeDeletedSecret("a");
  expect(await fails(client.getDeletedSecret("a"))).toMatchObject({ status: 404 });
  await client.setSecret("a", "new life");
  expect(await collect(client.listPropertiesOfSecretVersions("a"))).toHaveLength(1);
});

test("backs up and restores all versions under their ids", async () => {
  const { client } = await testVault();
  const versions = [];
  for (const value of ["one", "two", "three"]) versions.push((await client.setSecret("a", value)).properties.version!);
  const blob = (await client.backupSecret("a"))!;
  expect(Buffer.from(blob).includes("three"), "a backup is sealed").toBe(false);
  expect(await fails(client.restoreSecretBackup(blob))).toMatchObject({ status: 409, code: "Conflict" });
  await client.beginDeleteSecret("a");
  expect(await fails(client.restoreSecretBackup(blob))).toMatchObject({ status: 409 });
  await client.purgeDeletedSecret("a");
  expect((await client.restoreSecretBackup(blob)).version).toBe(versions[2]);
  for (const [index, version] of versions.entries()) {
    expect((await client.getSecret("a", { version })).value).toBe(["one", "two", "three"][index]);
  }
  expect((await client.getSecret("a")).value).toBe("three");
  await client.setSecret("a", "four");
  expect((await client.getSecret("a")).value, "the next version comes after the restored ones").toBe("four");
  expect(await fails(client.restoreSecretBackup(new Uint8Array([1, 2, 3])))).toEqual({
    status: 400,
    code: "Malformed backup blob",
    inner: undefined,
  });
});

test("what is not there", async () => {
  const { client } = await testVault();
  const missing = { status: 404, code: "SecretNotFound", inner: undefined };
  const update = (one: SecretClient) => one.updateSecretProperties("none", "", { enabled: true });
  for (const work of [
    () => client.getSecret("none"),
    () => update(client),
    () => client.beginDeleteSecret("none"),
    () => client.getDeletedSecret("none"),
    () => client.purgeDeletedSecret("none"),
    () => client.backupSecret("none"),
    () => client.beginRecoverDeletedSecret("none"),
  ]) {
    expect(await fails(work())).toEqual(missing);
  }
  await client.setSecret("a", "v");
  expect(await fails(client.getSecret("a", { version: "0".repeat(32) }))).toEqual(missing);
  expect(await collect(client.listPropertiesOfSecretVersions("none"))).toEqual([]);
});

test("purge protection, own retention, and the purge by the clock", async () => {
  const resourceId = "/vaults/x";
  const { client, clock } = await testVault({
    vaults: [{ name: vaultName, resourceId, purgeProtection: true, retentionDays: 7 }],
  });
  const { properties } = await client.setSecret("a", "v");
  expect(properties).toMatchObject({ recoveryLevel: "CustomizedRecoverable", recoverableDays: 7 });
  await client.beginDeleteSecret("a");
  expect(await fails(client.purgeDeletedSecret("a"))).toMatchObject({ status: 403, code: "Forbidden" });
  clock.advance(7 * day - 1);
  expect((await client.getDeletedSecret("a")).name).toBe("a");
  clock.advance(1);
  expect(await fails(client.getDeletedSecret("a"))).toMatchObject({ status: 404 });
  expect((await client.setSecret("a", "again")).value).toBe("again");
});

test("slow deletions and recoveries", async () => {
  const { client, clock, control } = await testVault();
  control.set({ deleteDelayMs: 5000 });
  await client.setSecret("a", "v");
  const deletion = await client.beginDeleteSecret("a", { intervalInMs: 10 });
  expect(deletion.isDone()).toBe(false);
  expect(await fails(client.getDeletedSecret("a"))).toMatchObject({ status: 404 });
  expect(await fails(client.getSecret("a"))).toMatchObject({ status: 404 });
  expect(await fails(client.setSecret("a", "x"))).toMatchObject({ status: 409, inner: "ObjectIsBeingDeleted" });
  expect(await fails(client.purgeDeletedSecret("a"))).toMatchObject({ status: 409, inner: "ObjectIsBeingDeleted" });
  clock.advance(5000);
  expect((await deletion.pollUntilDone()).name).toBe("a");
  const recovery = await client.beginRecoverDeletedSecret("a", { intervalInMs: 10 });
  expect(await fails(client.getSecret("a"))).toMatchObject({ status: 404 });
  expect(await fails(client.setSecret("a", "x"))).toMatchObject({ status: 409, inner: "ObjectIsBeingRecovered" });
  clock.advance(5000);
  expect((await recovery.pollUntilDone()).name).toBe("a");
  expect((await client.getSecret("a")).value).toBe("v");
});
