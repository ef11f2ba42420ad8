import { BlobServiceClient } from "@azure/storage-blob";
import { QueueServiceClient } from "@azure/storage-queue";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startAzurite } from "../../local/azurite.ts";
import type { Azurite } from "../../local/azurite.ts";
import { soon } from "./cloud.ts";
import { freshGrid, nearExpiry, outcomes } from "./grid.ts";

const { fresh, toHook } = freshGrid();
let azurite: Azurite;
beforeAll(async () => {
  azurite = await startAzurite();
});
afterAll(() => azurite.stop());

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
  const azure = await fresh.cloud.start({ subscriptions: [toHook({ destination })] });
  for (const name of ["a", "b"]) azure.eventGrid.publishVaultEvent(nearExpiry(name));
  await expect.poll(() => azure.eventGrid.pending(), soon).toBe(0);
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
  const azure = await fresh.cloud.start({ subscriptions: [toHook({ destination })] });
  azure.eventGrid.publishVaultEvent(nearExpiry("a"));
  await expect.poll(() => outcomes(azure), soon).toEqual(["NotFound"]);
  await queueOf("late");
  fresh.cloud.clock.advance(301_000);
  await expect.poll(() => outcomes(azure), soon).toEqual(["NotFound", "Delivered"]);
});

test.each([400, 401, 403, 413])("a webhook's %i goes to the dead letters at once", async (status) => {
  const container = `dead-${status}`;
  await containerOf(container);
  fresh.hook.behaviour.status = status;
  const deadLetter = { connectionString: azurite.connectionString, container };
  const azure = await fresh.cloud.start({ subscriptions: [toHook({ deadLetter })] });
  azure.eventGrid.publishVaultEvent(nearExpiry("orders"));
  await expect.poll(() => azure.eventGrid.pending(), soon).toBe(0);
  expect(fresh.hook.notifications()).toHaveLength(1);
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
  fresh.hook.behaviour.status = 500;
  const deadLetter = { connectionString: azurite.connectionString, container: "dead-limits" };
  const short = toHook({ name: "short", deadLetter, retry: { maxDeliveryAttempts: 2 } });
  const brief = toHook({
    name: "brief",
    deadLetter,
    retry: { eventTimeToLiveMinutes: 1 },
    schema: "CloudEventSchemaV1_0",
  });
  const azure = await fresh.cloud.start({ subscriptions: [short, brief] });
  azure.eventGrid.publishVaultEvent(nearExpiry("orders"));
  await expect.poll(() => fresh.hook.notifications().length, soon).toBe(2);
  fresh.cloud.clock.advance(11_000);
  await expect.poll(() => fresh.hook.notifications().length, soon).toBe(4);
  fresh.cloud.clock.advance(50_000);
  await expect.poll(() => azure.eventGrid.pending(), soon).toBe(0);
  const events = (await deadLetters("dead-limits")).flatMap(({ events }) => events);
  const reasons = events.map((event) => event["deadLetterReason"] ?? event["deadletterreason"]);
  expect(new Set(reasons)).toEqual(new Set(["MaxDeliveryAttemptsExceeded", "TimeToLiveExceeded"]));
});

test("without a dead-letter container the event is dropped, and the log says so", async () => {
  fresh.hook.behaviour.status = 400;
  const azure = await fresh.cloud.start({ subscriptions: [toHook()] });
  azure.eventGrid.publishVaultEvent(nearExpiry("orders"));
  await expect.poll(() => outcomes(azure), soon).toEqual(["BadRequest", "Dropped"]);
});
