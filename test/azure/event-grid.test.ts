import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { call, soon } from "./cloud.ts";
import { freshGrid, nearExpiry, outcomes, resourceId } from "./grid.ts";

const { fresh, toHook } = freshGrid();

test("Event Grid schema: handshake first, then the event with its headers, then nothing more", async () => {
  const azure = await fresh.cloud.start({ subscriptions: [toHook()] });
  azure.eventGrid.publishVaultEvent(nearExpiry("orders"));
  await expect.poll(() => fresh.hook.received.length, soon).toBe(2);
  const [validation, notification] = fresh.hook.received;
  expect(validation!.headers["aeg-event-type"]).toBe("SubscriptionValidation");
  expect(notification!.headers).toMatchObject({
    "content-type": "application/json; charset=utf-8",
    "aeg-event-type": "Notification",
    "aeg-subscription-name": "HOOK",
    "aeg-delivery-count": "0",
    "aeg-data-version": "1",
    "aeg-metadata-version": "1",
  });
  expect(JSON.parse(notification!.body)).toEqual([
    {
      id: expect.any(String),
      topic: resourceId,
      subject: "orders",
      eventType: "Microsoft.KeyVault.SecretNearExpiry",
      eventTime: "2026-11-23T10:00:00.1230000Z",
      data: {
        Id: nearExpiry("orders").id,
        VaultName: "kv",
        ObjectType: "Secret",
        ObjectName: "orders",
        Version: "0123456789abcdef0123456789abcdef",
        NBF: null,
        EXP: 1_800_000_000,
      },
      dataVersion: "1",
      metadataVersion: "1",
    },
  ]);
  azure.eventGrid.publishVaultEvent(nearExpiry("billing"));
  await expect.poll(() => fresh.hook.subjects(), soon).toEqual(["orders", "billing"]);
  expect(fresh.hook.received).toHaveLength(3);
  expect(azure.eventGrid.pending()).toBe(0);
});

test("CloudEvents: OPTIONS handshake, then one object per request", async () => {
  const azure = await fresh.cloud.start({ subscriptions: [toHook({ schema: "CloudEventSchemaV1_0" })] });
  azure.eventGrid.publishVaultEvent(nearExpiry("orders"));
  await expect.poll(() => fresh.hook.received.length, soon).toBe(2);
  const [options, notification] = fresh.hook.received;
  expect(options).toMatchObject({ method: "OPTIONS", headers: { "webhook-request-origin": "eventgrid.azure.net" } });
  expect(notification!.headers["content-type"]).toBe("application/cloudevents+json; charset=utf-8");
  expect(JSON.parse(notification!.body)).toMatchObject({
    specversion: "1.0",
    source: resourceId,
    type: "Microsoft.KeyVault.SecretNearExpiry",
    subject: "orders",
    time: "2026-11-23T10:00:00.1230000Z",
    data: { VaultName: "kv", EXP: 1_800_000_000 },
  });
});

test("an endpoint that does not agree gets no event until its validation URL is opened", async () => {
  fresh.hook.behaviour.agrees = false;
  const azure = await fresh.cloud.start({ subscriptions: [toHook()] });
  azure.eventGrid.publishVaultEvent(nearExpiry("orders"));
  await expect.poll(() => fresh.hook.received.length, soon).toBe(1);
  const [{ data }] = JSON.parse(fresh.hook.received[0]!.body) as [{ data: { validationUrl: string } }];
  await sleep(200);
  expect(fresh.hook.notifications()).toHaveLength(0);
  const { pathname, search } = new URL(data.validationUrl);
  expect((await call(azure, fresh.cloud.tls.ca, "GET", `${pathname}${search}`)).status).toBe(200);
  await expect.poll(() => fresh.hook.subjects(), soon).toEqual(["orders"]);
});

test("a failure is tried again on Azure's schedule, by the cloud's clock", async () => {
  fresh.hook.behaviour.status = 500;
  const azure = await fresh.cloud.start({ subscriptions: [toHook()] });
  azure.eventGrid.publishVaultEvent(nearExpiry("orders"));
  await expect.poll(() => fresh.hook.notifications().length, soon).toBe(1);
  for (const [tries, seconds] of [10, 30, 60, 300].entries()) {
    fresh.cloud.clock.advance((seconds - 5) * 1000);
    await sleep(200);
    expect(fresh.hook.notifications()).toHaveLength(tries + 1);
    fresh.cloud.clock.advance(6_000);
    await expect.poll(() => fresh.hook.notifications().length, soon).toBe(tries + 2);
  }
  fresh.hook.behaviour.status = 202;
  fresh.cloud.clock.advance(600_000);
  await expect.poll(() => azure.eventGrid.pending(), soon).toBe(0);
  expect(fresh.hook.notifications().map(({ headers }) => headers["aeg-delivery-count"])).toEqual([
    "0",
    "1",
    "2",
    "3",
    "4",
    "5",
  ]);
  expect(outcomes(azure).at(-1)).toBe("Delivered");
});

test.each([205, 302, 404])("%i is no success, but tried again", async (status) => {
  fresh.hook.behaviour.status = status;
  const azure = await fresh.cloud.start({ subscriptions: [toHook()], timeFactor: 0.0001 });
  azure.eventGrid.publishVaultEvent(nearExpiry("orders"));
  await expect.poll(() => fresh.hook.notifications().length, soon).toBeGreaterThan(1);
  fresh.hook.behaviour.status = 200;
  await expect.poll(() => azure.eventGrid.pending(), soon).toBe(0);
});

test("what is pending survives a kill, and so does the handshake", async () => {
  fresh.hook.behaviour.status = 503;
  const first = await fresh.cloud.start({ subscriptions: [toHook()] });
  first.eventGrid.publishVaultEvent(nearExpiry("orders"));
  await expect.poll(() => fresh.hook.notifications().length, soon).toBe(1);
  // Nothing is written at a stop, so a stop is as good as a kill.
  await first.stop();
  fresh.hook.behaviour.status = 200;
  fresh.cloud.clock.advance(60_000);
  const second = await fresh.cloud.start({ subscriptions: [toHook()] });
  await expect.poll(() => second.eventGrid.pending(), soon).toBe(0);
  expect(fresh.hook.notifications().map(({ headers }) => headers["aeg-delivery-count"])).toEqual(["0", "1"]);
  expect(fresh.hook.received).toHaveLength(3);
});

test("an event is safe as soon as it is published, whatever happens in the next instant", async () => {
  const script = join(fresh.cloud.dir, "publisher.mts");
  const module = (file: string) => JSON.stringify(pathToFileURL(join(import.meta.dirname, file)).href);
  const options = { stateDir: join(fresh.cloud.dir, "azure"), topics: [], subscriptions: [toHook()] };
  writeFileSync(
    script,
    `const { createEventGrid } = await import(${module("../../local/azure/event-grid.ts")});
     const options = { ...${JSON.stringify(options)}, clock: { now: () => Date.now() }, baseUrl: () => "" };
     createEventGrid(options).publishVaultEvent(${JSON.stringify(nearExpiry("orders"))});
     process.kill(process.pid, "SIGKILL");`,
  );
  const [, signal] = (await once(spawn(process.execPath, [script], { stdio: "inherit" }), "exit")) as [unknown, string];
  expect(signal).toBe("SIGKILL");
  expect(fresh.hook.received).toHaveLength(0);
  const azure = await fresh.cloud.start({ subscriptions: [toHook()] });
  await expect.poll(() => azure.eventGrid.pending(), soon).toBe(0);
  expect(fresh.hook.subjects()).toEqual(["orders"]);
});

test("an advanced filter looks at a field, without regard to case", async () => {
  const only = (operatorType: string, ...values: string[]) => ({
    advancedFilters: [{ operatorType, key: "data.ObjectName", values }],
  });
  const azure = await fresh.cloud.start({
    subscriptions: [toHook({ filters: only("StringNotBeginsWith", "pinion-stage-", "audit-") })],
  });
  for (const name of ["Pinion-Stage-1", "audit-db", "orders-db", "my-pinion-stage-"])
    azure.eventGrid.publishVaultEvent(nearExpiry(name));
  await expect.poll(() => fresh.hook.subjects().toSorted()).toEqual(["my-pinion-stage-", "orders-db"]);
  azure.eventGrid.subscribe(toHook({ filters: only("StringIn", "ORDERS-DB") }));
  for (const name of ["orders-db-2", "orders-db"]) azure.eventGrid.publishVaultEvent(nearExpiry(name));
  await expect.poll(() => fresh.hook.subjects().toSorted()).toEqual(["my-pinion-stage-", "orders-db", "orders-db"]);
  azure.eventGrid.subscribe(toHook({ filters: only("NumberIn", "1") }));
  expect(() => azure.eventGrid.publishVaultEvent(nearExpiry("orders-db"))).toThrow(/no operator NumberIn/);
});

test("filters by type and subject, and by topic", async () => {
  const filters = {
    includedEventTypes: ["Microsoft.KeyVault.SecretNearExpiry"],
    subjectBeginsWith: "OR",
    subjectEndsWith: "s",
  };
  const azure = await fresh.cloud.start({ subscriptions: [toHook({ filters })] });
  azure.eventGrid.publishVaultEvent({ ...nearExpiry("orders"), type: "Microsoft.KeyVault.SecretNewVersionCreated" });
  azure.eventGrid.publishVaultEvent({ ...nearExpiry("orders"), vaultName: "other" });
  for (const name of ["order", "billings", "orders"]) azure.eventGrid.publishVaultEvent(nearExpiry(name));
  await expect.poll(() => fresh.hook.subjects(), soon).toEqual(["orders"]);
  expect(azure.eventGrid.pending()).toBe(0);
});

test("deliveries can be lost, doubled and turned around", async () => {
  const azure = await fresh.cloud.start({ subscriptions: [toHook()] });
  const control = (body: unknown) => call(azure, fresh.cloud.tls.ca, "POST", "/_emulator/events", { body });
  expect((await control({ lose: 1 })).status).toBe(204);
  azure.eventGrid.publishVaultEvent(nearExpiry("lost"));
  await control({ duplicate: 1 });
  azure.eventGrid.publishVaultEvent(nearExpiry("twice"));
  await expect.poll(() => fresh.hook.subjects(), soon).toEqual(["twice", "twice"]);
  await control({ reorder: 3 });
  for (const name of ["a", "b"]) azure.eventGrid.publishVaultEvent(nearExpiry(name));
  await sleep(200);
  expect(fresh.hook.subjects()).toHaveLength(2);
  azure.eventGrid.publishVaultEvent(nearExpiry("c"));
  await expect.poll(() => fresh.hook.subjects().slice(2), soon).toEqual(["c", "b", "a"]);
  expect(outcomes(azure)[0]).toBe("Lost");
  expect((await control({ lose: "all" })).status).toBe(400);
});
