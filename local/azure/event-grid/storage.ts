import { STATUS_CODES } from "node:http";
import { randomUUID } from "node:crypto";
import { BlobServiceClient } from "@azure/storage-blob";
import { QueueClient } from "@azure/storage-queue";
import { azureTime, deliveredAs, inSchema } from "./event.ts";
import type { Published, Schema } from "./event.ts";
import type { Outcome, Subscription } from "./subscription.ts";

const once = { retryOptions: { maxTries: 1 } };
const week = 7 * 86_400;

/** Puts one event into a storage queue, base64 as Event Grid does. The queue must exist. */
export async function enqueue(
  destination: { readonly connectionString: string; readonly queue: string },
  published: Published,
  schema: Schema,
): Promise<Outcome> {
  const text = JSON.stringify(inSchema(published, deliveredAs(published, schema)));
  try {
    const queue = new QueueClient(destination.connectionString, destination.queue, once);
    const reply = await queue.sendMessage(Buffer.from(text).toString("base64"), { messageTimeToLive: week });
    return { status: reply._response.status };
  } catch (error) {
    const status = (error as { statusCode?: number }).statusCode;
    return status === undefined ? { failure: "GenericError" } : { status };
  }
}

/** What is known about an event that could not be delivered. */
export interface DeadLetter {
  readonly published: Published;
  readonly reason: string;
  readonly attempts: number;
  readonly outcome: Outcome | undefined;
  /** Milliseconds since 1970. */
  readonly lastAttemptAt: number;
}

/** Writes the event, with why it failed, to the subscription's dead-letter container, which must exist. */
export async function writeDeadLetter(subscription: Subscription, dead: DeadLetter, now: number): Promise<void> {
  const { connectionString, container } = subscription.deadLetter!;
  const schema = deliveredAs(dead.published, subscription.schema);
  const notes: Record<string, unknown> = {
    deadLetterReason: dead.reason,
    deliveryAttempts: dead.attempts,
    lastDeliveryOutcome: describe(dead.outcome),
    publishTime: azureTime(dead.published.publishedAt),
    lastDeliveryAttemptTime: azureTime(dead.lastAttemptAt),
  };
  // CloudEvents allow no capitals in the names of attributes.
  const named = Object.entries(notes).map(([name, value]) => [
    schema === "EventGridSchema" ? name : name.toLowerCase(),
    value,
  ]);
  const body = JSON.stringify([{ ...inSchema(dead.published, schema), ...Object.fromEntries(named) }]);
  const time = new Date(now);
  const hour = [time.getUTCFullYear(), time.getUTCMonth() + 1, time.getUTCDate(), time.getUTCHours()].join("/");
  const name = `${subscription.name.toUpperCase()}/${hour}/${randomUUID()}.json`;
  const blobs = BlobServiceClient.fromConnectionString(connectionString, once).getContainerClient(container);
  await blobs.getBlockBlobClient(name).upload(body, Buffer.byteLength(body), {
    blobHTTPHeaders: { blobContentType: "application/json" },
  });
}

/** `NotFound`, `TimedOut`, ...: the outcome as Event Grid names it. */
export function describe(outcome: Outcome | undefined): string {
  if (!outcome) return "None";
  return "failure" in outcome
    ? outcome.failure
    : (STATUS_CODES[outcome.status] ?? "GenericError").replaceAll(/\W/g, "");
}
