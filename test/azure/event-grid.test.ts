import { AzureKeyCredential, EventGridPublisherClient } from "@azure/eventgrid";
import { BlobServiceClient } from "@azure/storage-blob";
import { QueueServiceClient } from "@azure/storage-queue";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Azure } from "../../local/azure/server.ts";
import type { VaultEvent } from "../../local/azure/event-grid/event.ts";
import type { Subscription } from "../../local/azure/event-grid/subscription.ts";
import { startAzurite } from "../../local/azurite.ts";
import type { Azurite } from "../../local/azurite.ts";
import { call, credentialOf, openCloud } from "./cloud.ts";
import { startWebhook } from "./webhook.ts";
import type { Webhook } from "./webhook.ts";

const resourceId = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv";
const nearExpiry = (objectName: string): VaultEvent => ({
  type: "Microsoft.KeyVault.SecretNearExpiry",
  vaultName: "kv",
  resourceId,
  objectName,
  version: "0123456789abcdef0123456789abcdef",
  id: `https://127.0.0.1:1/secrets/${objectName}/0123456789abcdef0123456789abcdef`,
  exp: 1_800_000_000,
  time: "2026-11-23T10:00:00.123Z",
});

let azurite: Azurite;
let cloud: Awaited<ReturnType<typeof openCloud>>;
let hook: Webhook;
beforeAll(async () => {
  azurite = await startAzurite();
});
afterAll(() => azurite.stop());
beforeEach(async () => {
  [cloud, hook] = await Promise.all([openCloud(), startWebhook()]);
});
afterEach(async () => {
  await cloud.close();
  await hook.close();
});

const toHook = (more: Partial<Subscription> = {}): Subscription => ({
  name: "hook",
  topic: "kv",
  destination: { type: "webhook", url: hook.url },
  schema: "EventGridSchema",
  ...more,
});
const outcomes = (azure: Azure) => azure.eventGrid.log().map(({ outcome }) => outcome);

describe("webhook", () => {
  test("Event Grid schema: handshake first, then the event with its headers, then nothing more", async () => {
    const azure = await cloud.start({ subscriptions: [toHook()] });
    azure.eventGrid.publishVaultEvent(nearExpiry("orders"));
    await expect.poll(() => hook.received.length).toBe(2);
    const [validation, notification] = hook.received;
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
    await expect.poll(() => hook.subjects()).toEqual(["orders", "billing"]);
    expect(hook.received).toHaveLength(3);
    expect(azure.eventGrid.pending()).toBe(0);
  });

  test("CloudEvents: OPTIONS handshake, then one object per request", async () => {
    const azure = await cloud.start({ subscriptions: [toHook({ schema: "CloudEventSchemaV1_0" })] });
    azure.eventGrid.publishVaultEvent(nearExpiry("orders"));
    await expect.poll(() => hook.received.length).toBe(2);
    const [options, notification] = hook.received;
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
    hook.behaviour.agrees = false;
    const azure = await cloud.start({ subscriptions: [toHook()] });
    azure.eventGrid.publishVaultEvent(nearExpiry("orders"));
    await expect.poll(() => hook.received.length).toBe(1);
    const [{ data }] = JSON.parse(hook.received[0]!.body) as [{ data: { validationUrl: string } }];
    await sleep(200);
    expect(hook.notifications()).toHaveLength(0);
    const { pathname, search } = new URL(data.validationUrl);
    expect((await call(azure, cloud.tls.ca, "GET", `${pathname}${search}`)).status).toBe(200);
    await expect.poll(() => hook.subjects(), { timeout: 5_000 }).toEqual(["orders"]);
  });

  test("a failure is tried again on Azure's schedule, by the cloud's clock", async () => {
    hook.behaviour.status = 500;
    const azure = await cloud.start({ subscriptions: [toHook()] });
    azure.eventGrid.publishVaultEvent(nearExpiry("orders"));
    await expect.poll(() => hook.notifications().length).toBe(1);
    for (const [tries, seconds] of [10, 30, 60, 300].entries()) {
      cloud.clock.advance((seconds - 5) * 1000);
      await sleep(200);
      expect(hook.notifications()).toHaveLength(tries + 1);
      cloud.clock.advance(6_000);
      await expect.poll(() => hook.notifications().length).toBe(tries + 2);
    }
    hook.behaviour.status = 202;
    cloud.clock.advance(600_000);
    await expect.poll(() => azure.eventGrid.pending()).toBe(0);
    expect(hook.notifications().map(({ headers }) => headers["aeg-delivery-count"])).toEqual([
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
    hook.behaviour.status = status;
    const azure = await cloud.start({ subscriptions: [toHook()], timeFactor: 0.0001 });
    azure.eventGrid.publishVaultEvent(nearExpiry("orders"));
    await expect.poll(() => hook.notifications().length).toBeGreaterThan(1);
    hook.behaviour.status = 200;
    await expect.poll(() => azure.eventGrid.pending()).toBe(0);
  });

  test("what is pending survives a kill, and so does the handshake", async () => {
    hook.behaviour.status = 503;
    const first = await cloud.start({ subscriptions: [toHook()] });
    first.eventGrid.publishVaultEvent(nearExpiry("orders"));
    await expect.poll(() => hook.notifications().length).toBe(1);
    // Nothing is written at a stop, so a stop is as good as a kill.
    await first.stop();
    hook.behaviour.status = 200;
    cloud.clock.advance(60_000);
    const second = await cloud.start({ subscriptions: [toHook()] });
    await expect.poll(() => second.eventGrid.pending()).toBe(0);
    expect(hook.notifications().map(({ headers }) => headers["aeg-delivery-count"])).toEqual(["0", "1"]);
    expect(hook.received).toHaveLength(3);
  });

  test("an event is safe as soon as it is published, whatever happens in the next instant", async () => {
    const script = join(cloud.dir, "publisher.mts");
    const module = (file: string) => JSON.stringify(pathToFileURL(join(import.meta.dirname, file)).href);
    const options = { stateDir: join(cloud.dir, "azure"), topics: [], subscriptions: [toHook()] };
    writeFileSync(
      script,
      `const { createEventGrid } = await import(${module("../../local/azure/event-grid.ts")});
       const options = { ...${JSON.stringify(options)}, clock: { now: () => Date.now() }, baseUrl: () => "" };
       createEventGrid(options).publishVaultEvent(${JSON.stringify(nearExpiry("orders"))});
       process.kill(process.pid, "SIGKILL");`,
    );
    const [, signal] = (await once(spawn(process.execPath, [script], { stdio: "inherit" }), "exit")) as [
      unknown,
      string,
    ];
    expect(signal).toBe("SIGKILL");
    expect(hook.received).toHaveLength(0);
    const azure = await cloud.start({ subscriptions: [toHook()] });
    await expect.poll(() => azure.eventGrid.pending()).toBe(0);
    expect(hook.subjects()).toEqual(["orders"]);
  });

  test("filters by type and subject, and by topic", async () => {
    const filters = {
      includedEventTypes: ["Microsoft.KeyVault.SecretNearExpiry"],
      subjectBeginsWith: "OR",
      subjectEndsWith: "s",
    };
    const azure = await cloud.start({ subscriptions: [toHook({ filters })] });
    azure.eventGrid.publishVaultEvent({ ...nearExpiry("orders"), type: "Microsoft.KeyVault.SecretNewVersionCreated" });
    azure.eventGrid.publishVaultEvent({ ...nearExpiry("orders"), vaultName: "other" });
    for (const name of ["order", "billings", "orders"]) azure.eventGrid.publishVaultEvent(nearExpiry(name));
    await expect.poll(() => hook.subjects()).toEqual(["orders"]);
    expect(azure.eventGrid.pending()).toBe(0);
  });

  test("deliveries can be lost, doubled and turned around", async () => {
    const azure = await cloud.start({ subscriptions: [toHook()] });
    const control = (body: unknown) => call(azure, cloud.tls.ca, "POST", "/_emulator/events", { body });
    expect((await control({ lose: 1 })).status).toBe(204);
    azure.eventGrid.publishVaultEvent(nearExpiry("lost"));
    await control({ duplicate: 1 });
    azure.eventGrid.publishVaultEvent(nearExpiry("twice"));
    await expect.poll(() => hook.subjects()).toEqual(["twice", "twice"]);
    await control({ reorder: 3 });
    for (const name of ["a", "b"]) azure.eventGrid.publishVaultEvent(nearExpiry(name));
    await sleep(200);
    expect(hook.subjects()).toHaveLength(2);
    azure.eventGrid.publishVaultEvent(nearExpiry("c"));
    await expect.poll(() => hook.subjects().slice(2)).toEqual(["c", "b", "a"]);
    expect(outcomes(azure)[0]).toBe("Lost");
    expect((await control({ lose: "all" })).status).toBe(400);
  });
});

describe("storage", () => {
  const queueOf = async (name: string) => {
    const queue = QueueServiceClient.fromConnectionString(azurite.connectionString).getQueueClient(name);
    await queue.createIfNotExists();
    return queue;
  };
  const containerOf = async (name: string) => {
    const container = BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient(name);
    await container.createIfNotExists();
    return container;
  };
  const deadLetters = async (name: string) => {
    const container = await containerOf(name);
    const found: { name: string; events: Record<string, unknown>[] }[] = [];
    for await (const blob of container.listBlobsFlat()) {
      const text = (await container.getBlobClient(blob.name).downloadToBuffer()).toString();
      found.push({ name: blob.name, events: JSON.parse(text) as Record<string, unknown>[] });
    }
    return found;
  };

  test("a queue gets one base64 message per event", async () => {
    const queue = await queueOf("events");
    const destination = { type: "storageQueue", connectionString: azurite.connectionString, queue: "events" } as const;
    const azure = await cloud.start({ subscriptions: [toHook({ destination })] });
    for (const name of ["a", "b"]) azure.eventGrid.publishVaultEvent(nearExpiry(name));
    await expect.poll(() => azure.eventGrid.pending()).toBe(0);
    const { receivedMessageItems } = await queue.receiveMessages({ numberOfMessages: 32 });
    const events = receivedMessageItems.map(
      ({ messageText }) =>
        JSON.parse(Buffer.from(messageText, "base64").toString()) as { subject: string; eventType: string },
    );
    expect(events.map(({ subject }) => subject).toSorted()).toEqual(["a", "b"]);
    expect(events[0]!.eventType).toBe("Microsoft.KeyVault.SecretNearExpiry");
  });

  test("a queue that is not there is a failure to be tried again", async () => {
    const destination = { type: "storageQueue", connectionString: azurite.connectionString, queue: "late" } as const;
    const azure = await cloud.start({ subscriptions: [toHook({ destination })] });
    azure.eventGrid.publishVaultEvent(nearExpiry("a"));
    await expect.poll(() => outcomes(azure)).toEqual(["NotFound"]);
    await queueOf("late");
    cloud.clock.advance(301_000);
    await expect.poll(() => outcomes(azure)).toEqual(["NotFound", "Delivered"]);
  });

  test.each([400, 401, 403, 413])("a webhook's %i goes to the dead letters at once", async (status) => {
    const container = `dead-${status}`;
    await containerOf(container);
    hook.behaviour.status = status;
    const deadLetter = { connectionString: azurite.connectionString, container };
    const azure = await cloud.start({ subscriptions: [toHook({ deadLetter })] });
    azure.eventGrid.publishVaultEvent(nearExpiry("orders"));
    await expect.poll(() => azure.eventGrid.pending()).toBe(0);
    expect(hook.notifications()).toHaveLength(1);
    const [dead] = await deadLetters(container);
    expect(dead!.name).toMatch(/^HOOK\/\d{4}\/\d{1,2}\/\d{1,2}\/\d{1,2}\/[0-9a-f-]{36}\.json$/);
    expect(dead!.events).toEqual([
      expect.objectContaining({
        subject: "orders",
        deadLetterReason: expect.any(String),
        deliveryAttempts: 1,
        lastDeliveryOutcome: expect.any(String),
        publishTime: expect.stringMatching(/Z$/),
        lastDeliveryAttemptTime: expect.stringMatching(/Z$/),
      }),
    ]);
  });

  test("attempts and life time are limited", async () => {
    await containerOf("dead-limits");
    hook.behaviour.status = 500;
    const deadLetter = { connectionString: azurite.connectionString, container: "dead-limits" };
    const short = toHook({ name: "short", deadLetter, retry: { maxDeliveryAttempts: 2 } });
    const brief = toHook({
      name: "brief",
      deadLetter,
      retry: { eventTimeToLiveMinutes: 1 },
      schema: "CloudEventSchemaV1_0",
    });
    const azure = await cloud.start({ subscriptions: [short, brief] });
    azure.eventGrid.publishVaultEvent(nearExpiry("orders"));
    await expect.poll(() => hook.notifications().length).toBe(2);
    cloud.clock.advance(11_000);
    await expect.poll(() => hook.notifications().length).toBe(4);
    cloud.clock.advance(50_000);
    await expect.poll(() => azure.eventGrid.pending()).toBe(0);
    const events = (await deadLetters("dead-limits")).flatMap(({ events }) => events);
    const reasons = events.map((event) => event["deadLetterReason"] ?? event["deadletterreason"]);
    expect(new Set(reasons)).toEqual(new Set(["MaxDeliveryAttemptsExceeded", "TimeToLiveExceeded"]));
  });

  test("without a dead-letter container the event is dropped, and the log says so", async () => {
    hook.behaviour.status = 400;
    const azure = await cloud.start({ subscriptions: [toHook()] });
    azure.eventGrid.publishVaultEvent(nearExpiry("orders"));
    await expect.poll(() => outcomes(azure)).toEqual(["BadRequest", "Dropped"]);
  });
});

describe("custom topic", () => {
  const topics = [
    { name: "pinion", inputSchema: "CloudEventSchemaV1_0", key: "local-key" },
    { name: "grid", inputSchema: "EventGridSchema", key: "local-key" },
  ] as const;
  const tls = () => ({ tlsOptions: { ca: cloud.tls.ca }, retryOptions: { maxRetries: 0 } });
  const cloudEvent = {
    type: "Pinion.Rotation.Started",
    source: "/pinion",
    id: "r1/stage",
    subject: "orders",
    data: { step: "stage" },
  };
  const gridEvent = {
    eventType: "Pinion.Rotation.Started",
    subject: "orders",
    dataVersion: "1",
    data: { step: "stage" },
  };

  test("the official publisher sends CloudEvents with an Entra token; subscribers and readers get them", async () => {
    const subscription = toHook({ topic: "pinion", schema: "CloudEventSchemaV1_0" });
    const azure = await cloud.start({ topics, subscriptions: [subscription] });
    const client = new EventGridPublisherClient(
      azure.topicEndpoint("pinion"),
      "CloudEvent",
      credentialOf(azure),
      tls(),
    );
    await client.send([cloudEvent, { ...cloudEvent, id: "r1/set", subject: "billing" }]);
    await expect.poll(() => hook.subjects().toSorted()).toEqual(["billing", "orders"]);
    await azure.stop();
    const again = await cloud.start({ topics });
    const { json } = await call<{ id: string }[]>(again, cloud.tls.ca, "GET", "/topics/pinion/received");
    expect(json.map(({ id }) => id)).toEqual(["r1/stage", "r1/set"]);
  });

  test("the official publisher sends Event Grid events with a key", async () => {
    const azure = await cloud.start({ topics, subscriptions: [toHook({ topic: "grid" })] });
    const key = new AzureKeyCredential("local-key");
    await new EventGridPublisherClient(azure.topicEndpoint("grid"), "EventGrid", key, tls()).send([gridEvent]);
    await expect.poll(() => hook.subjects()).toEqual(["orders"]);
    const [event] = azure.eventGrid.received("grid");
    expect(event).toMatchObject({
      eventType: "Pinion.Rotation.Started",
      metadataVersion: "1",
      topic: expect.stringContaining("/topics/grid"),
    });
  });

  test("wrong schema: 400; no or wrong credential: 401; unknown topic: 404; nothing is taken", async () => {
    const azure = await cloud.start({ topics });
    const send = (name: string, credential: AzureKeyCredential) =>
      new EventGridPublisherClient(azure.topicEndpoint(name), "EventGrid", credential, tls()).send([gridEvent]);
    const right = new AzureKeyCredential("local-key");
    await expect(send("pinion", right)).rejects.toMatchObject({
      statusCode: 400,
      message: expect.stringMatching(/CloudEventV10/),
    });
    await expect(send("grid", new AzureKeyCredential("guess"))).rejects.toMatchObject({ statusCode: 401 });
    await expect(send("none", right)).rejects.toMatchObject({ statusCode: 404 });
    const bare = await call(azure, cloud.tls.ca, "POST", "/topics/grid/api/events?api-version=2018-01-01", {
      body: [gridEvent],
    });
    expect(bare.status).toBe(401);
    const { token } = await azure.tokens.issue({ audience: "https://vault.azure.net", objectId: "o", appId: "a" });
    const foreign = await call(azure, cloud.tls.ca, "POST", "/topics/grid/api/events", { body: [gridEvent], token });
    expect(foreign.status).toBe(401);
    expect([...azure.eventGrid.received("grid"), ...azure.eventGrid.received("pinion")]).toEqual([]);
  });

  test("a fault after the work: the publisher learns of nothing, the topic has the event", async () => {
    const azure = await cloud.start({ topics });
    azure.faults.add({ operation: "events.publish", times: 1, kind: "drop", status: 0, when: "after" });
    const client = new EventGridPublisherClient(
      azure.topicEndpoint("pinion"),
      "CloudEvent",
      credentialOf(azure),
      tls(),
    );
    await expect(client.send([cloudEvent])).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(azure.eventGrid.received("pinion")).toHaveLength(1);
  });
});
