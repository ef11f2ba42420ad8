import type { Filters, Schema } from "./event.ts";

/** Who gets a topic's events, and how. */
export interface Subscription {
  readonly name: string;
  /** Name of the custom topic, or of the vault whose system topic it is. */
  readonly topic: string;
  readonly destination:
    | { readonly type: "webhook"; readonly url: string }
    | { readonly type: "storageQueue"; readonly connectionString: string; readonly queue: string };
  readonly schema: Schema;
  /** As whom the topic writes into the queue. Shown only: here it is done with the connection string. */
  readonly identity?: "SystemAssigned" | "UserAssigned";
  readonly filters?: Filters;
  /** Defaults and limits as in Azure: 30 attempts (1-30), 1440 minutes (1-1440). */
  readonly retry?: { readonly maxDeliveryAttempts?: number; readonly eventTimeToLiveMinutes?: number };
  /** Absent: what cannot be delivered is dropped. */
  readonly deadLetter?: { readonly connectionString: string; readonly container: string };
}

/** How an attempt to deliver ended: a status (HTTP's, or the storage service's), or no answer at all. */
export type Outcome = { readonly status: number } | { readonly failure: "TimedOut" | "GenericError" };

/** True for the codes that Event Grid takes for success: 200 to 204 and no other. */
export function succeeded(outcome: Outcome): boolean {
  return "status" in outcome && outcome.status >= 200 && outcome.status <= 204;
}

const [second, minute, hour] = [1_000, 60_000, 3_600_000];

/** Waits after the first, second, ... failure (learn.microsoft.com/azure/event-grid/delivery-and-retry); the last repeats. */
const schedule = [
  10 * second,
  30 * second,
  minute,
  5 * minute,
  10 * minute,
  30 * minute,
  hour,
  3 * hour,
  6 * hour,
  12 * hour,
];

/** The least wait after these codes. */
const floors: Readonly<Record<number, number>> = {
  401: 5 * minute,
  404: 5 * minute,
  408: 2 * minute,
  503: 30 * second,
};

/** Milliseconds until the next attempt; undefined: this failure is never tried again. */
export function retryDelay(
  destination: Subscription["destination"],
  outcome: Outcome,
  failures: number,
): number | undefined {
  const status = "status" in outcome ? outcome.status : 0;
  const final = destination.type === "webhook" ? [400, 401, 403, 413] : [400, 403, 413];
  if (final.includes(status)) return undefined;
  const wait = schedule[Math.min(failures, schedule.length) - 1] ?? schedule[0]!;
  return Math.max(wait, floors[status] ?? 0);
}
