import { TableClient, TableServiceClient } from "@azure/data-tables";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Bench, openBench, setSetting, vault } from "./app.ts";

// What docs/runbook.md says of a lost task hub: rotations are taken up where their records say that they stood.

let bench: Bench;
beforeAll(async () => void (bench = await openBench()), 120_000);
afterAll(() => bench?.close());

/** Takes every orchestration away, as if the hub had been another one. */
async function loseHub(): Promise<void> {
  await bench.host.stop();
  const { connectionString } = bench.cloud.azurite;
  const options = { allowInsecureConnection: true };
  const service = TableServiceClient.fromConnectionString(connectionString, options);
  const hubs: string[] = [];
  for await (const { name = "" } of service.listTables()) if (name !== "PinionRecords") hubs.push(name);
  expect(hubs).toHaveLength(1);
  await TableClient.fromConnectionString(connectionString, hubs[0]!, options).deleteTable();
  await bench.restart();
}

/** The object in a step of its rotation, then without its hub; the rotation's id and both values. */
async function lostIn(step: string, at = "grace") {
  const first = await bench.newest("orders-db");
  const lost = await bench.start("orders-db");
  await bench.until("orders-db", `in its ${step}`, ({ phase, status }) => phase === at && status?.step === step);
  await loseHub();
  // The symptom: a phase, and no status.
  const shown = await bench.show("orders-db");
  expect([shown.rotationId, shown.status]).toEqual([lost, undefined]);
  return { first, lost, second: await bench.newest("orders-db") };
}

test("lost in its grace: the next sweep takes it up, and it ends as it would have", async () => {
  const { first, lost, second } = await lostIn("grace");
  expect([await bench.works(first.value), await bench.works(second.value)]).toEqual([true, true]);
  await bench.sweep();
  expect(await bench.end("orders-db", lost)).toMatchObject({ outcome: "rotated", phase: "idle" });
  expect([await bench.works(first.value), await bench.works(second.value)]).toEqual([false, true]);
  expect(bench.log()).toContain(
    JSON.stringify({ counter: "rotation.recovered", object: "orders-db", rotationId: lost, phase: "grace" }),
  );
  expect(bench.log()).not.toContain("rotation.lost");
  const { json } = await bench.call("GET", `/api/evidence/${lost}`);
  expect(json).toMatchObject({ outcome: "rotated", versions: { source: first.version, published: second.version } });
  expect(JSON.stringify(json["steps"])).toContain("its orchestration was lost, and it is taken up");
});

test("lost while its old credential is suspended: that works again at once, and is taken away later all the same", async () => {
  const { first, lost } = await lostIn("watch", "retiring");
  expect(await bench.works(first.value)).toBe(false);
  await bench.sweep();
  await expect.poll(() => bench.works(first.value), { timeout: 20_000 }).toBe(true);
  expect(await bench.end("orders-db", lost)).toMatchObject({ outcome: "rotated" });
  expect(await bench.works(first.value)).toBe(false);
});

test("a rollback needs no sweep: whoever commands it has the rotation taken up", async () => {
  const { first, lost, second } = await lostIn("grace");
  const rollback = await bench.call("POST", "/api/rotations/orders-db/rollback", { body: { rotationId: lost } });
  expect(rollback.status).toBe(202);
  expect(await bench.end("orders-db", lost)).toMatchObject({ outcome: "rolled-back" });
  expect((await bench.newest("orders-db")).value).toBe(first.value);
  expect([await bench.works(first.value), await bench.works(second.value)]).toEqual([true, false]);
});

test("while the kill switch is on it is only told, for the alert", async () => {
  const { lost } = await lostIn("grace");
  await bench.restart({ PINION_STOP: "true" });
  await bench.sweep();
  const line = JSON.stringify({ counter: "rotation.lost", object: "orders-db", rotationId: lost, phase: "grace" });
  await expect.poll(() => bench.log()).toContain(line);
  expect((await bench.show("orders-db")).status).toBeUndefined();
  await bench.restart();
  await bench.sweep();
  expect(await bench.end("orders-db", lost)).toMatchObject({ outcome: "rotated" });
});

test("with the records lost too, the sweep rebuilds them from the vault's tags, and rotations go on", async () => {
  const id = await bench.start("orders-db");
  await bench.end("orders-db", id);
  const known = await bench.show("orders-db");
  const newest = await bench.newest("orders-db");
  const { connectionString } = bench.cloud.azurite;
  const table = TableClient.fromConnectionString(connectionString, "PinionRecords", { allowInsecureConnection: true });
  for await (const { partitionKey = "", rowKey = "" } of table.listEntities())
    await table.deleteEntity(partitionKey, rowKey);
  expect(await bench.show("orders-db")).not.toHaveProperty("rotationId");

  await bench.sweep();
  const shown = await bench.show("orders-db");
  expect([shown.phase, shown.rotationId, shown.publishedVersion]).toEqual(["idle", id, newest.version]);
  expect(shown.sourceVersion).toBe(known.sourceVersion);
  expect(shown.report?.notes).toContain("its record was rebuilt from the vault's tags");
  expect(bench.log()).toContain(
    JSON.stringify({ counter: "record.rebuilt", object: "orders-db", rotationId: id, formerEnabled: false }),
  );

  // Pins are compared again: an old one is told.
  const { properties } = await bench.cloud.secrets(vault).getSecret("orders-db");
  const base = properties.id?.replace(newest.version, "");
  const pin = (version: string) =>
    setSetting(bench.cloud, "orders-api", "ORDERS_DB", `@Microsoft.KeyVault(SecretUri=${base}${version})`);
  await pin(known.sourceVersion ?? "");
  await bench.sweep();
  expect(JSON.stringify((await bench.show("orders-db")).report?.notes)).toContain("is pinned to the former version");
  await pin(newest.version);
  const next = await bench.start("orders-db");
  expect(await bench.end("orders-db", next)).toMatchObject({ outcome: "rotated" });
});
