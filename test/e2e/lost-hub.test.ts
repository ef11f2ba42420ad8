import { TableClient, TableServiceClient } from "@azure/data-tables";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Bench, openBench, vault } from "./app.ts";

// What docs/runbook.md says of a lost task hub, in the middle of a grace: what goes by itself, what does not, and what a person does.

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

test("a rotation whose hub is lost in its grace is retired by the next one, which a person starts", async () => {
  const first = await bench.newest("orders-db");
  const lost = await bench.start("orders-db");
  await bench.until("orders-db", "in its grace", ({ status }) => status?.step === "grace");
  await loseHub();

  // The symptom: a phase, and no status.
  const shown = await bench.show("orders-db");
  expect([shown.phase, shown.rotationId, shown.status]).toEqual(["grace", lost, undefined]);
  const second = await bench.newest("orders-db");
  expect([await bench.works(first.value), await bench.works(second.value)]).toEqual([true, true]);

  // A command is accepted, and heard by nobody.
  const rollback = await bench.call("POST", "/api/rotations/orders-db/rollback", { body: { rotationId: lost } });
  expect(rollback.status).toBe(202);

  // The sweep starts nothing, since the newest version is young, and says what the alert hears.
  await bench.sweep();
  const line = JSON.stringify({ counter: "rotation.lost", object: "orders-db", rotationId: lost, phase: "grace" });
  await expect.poll(() => bench.log()).toContain(line);
  expect(await bench.show("orders-db")).toMatchObject({ phase: "grace", rotationId: lost });

  // What was written in the vault tells a person which rotation made which version.
  const { properties } = await bench.cloud.secrets(vault).getSecret("orders-db");
  expect(properties.tags).toMatchObject({ "pinion-rotation": lost, "pinion-previous": first.version });

  const next = await bench.start("orders-db");
  expect(next).not.toBe(lost);
  expect(await bench.end("orders-db", next)).toMatchObject({ outcome: "rotated", phase: "idle" });
  const third = await bench.newest("orders-db");
  expect([await bench.works(second.value), await bench.works(third.value)]).toEqual([false, true]);
  // Its slot was the idle one, so it was taken for the third.
  expect(await bench.works(first.value)).toBe(false);
  expect((await bench.call("GET", `/api/evidence/${lost}`)).status).toBe(404);
});
