import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Clock } from "../../clock.ts";
import { openFolder } from "../store.ts";
import { eventType, text } from "./event.ts";
import type { Published } from "./event.ts";
import { describe, enqueue, writeDeadLetter } from "./storage.ts";
import { retryDelay, succeeded } from "./subscription.ts";
import type { Outcome, Subscription } from "./subscription.ts";
import { deliver } from "./webhook.ts";

/** One line of the log: what was tried and how it ended. */
export interface Logged {
  /** ISO 8601, by the cloud's clock. */
  readonly time: string;
  readonly subscription: string;
  readonly eventId: string;
  readonly eventType: string;
  /** Counts from 0. */
  readonly attempt: number;
  /** `Delivered`, `Lost` (by a control), `DeadLettered`, `Dropped`, or why the attempt failed. */
  readonly outcome: string;
}

interface Pending {
  readonly id: string;
  readonly subscription: string;
  readonly published: Published;
  attempts: number;
  /** Milliseconds since 1970 by the cloud's clock. */
  dueAt: number;
  lastAttemptAt: number;
  outcome?: Outcome;
  /** Set once delivery is given up: why. */
  dead?: string;
}

/** Disturbances for the next deliveries, counted down. */
export interface Controls {
  /** So many deliveries are made twice. */
  readonly duplicate?: number;
  /** So many deliveries are held until all of them are there, then made in reverse order. */
  readonly reorder?: number;
  /** So many deliveries are never made. */
  readonly lose?: number;
}

/** The deliveries that are due, and the machine that makes them. */
export interface Deliveries {
  /** Written to disk before it returns; the first attempt follows at once. */
  readonly add: (subscription: Subscription, published: Published) => void;
  readonly control: (controls: Controls) => void;
  /** Factor on all waits between attempts; 1 is Azure's schedule, 0.01 a hundredth of it. */
  readonly setTimeFactor: (factor: number) => void;
  readonly log: () => readonly Logged[];
  readonly pending: () => number;
  /** Ends attempts; what is pending stays on disk and goes on with the next start. */
  readonly stop: () => Promise<void>;
}

/** Options of `createDeliveries`. */
export interface DeliveriesOptions {
  readonly stateDir: string;
  readonly clock: Clock;
  readonly timeFactor?: number;
  readonly subscription: (name: string) => Subscription | undefined;
  /** Resolves to true once the webhook has agreed to get events; asked before each attempt, so it has to remember. */
  readonly agreed: (subscription: Subscription) => Promise<boolean>;
}

const poll = 25;
const keptLog = 5_000;
const [second, minute, hour] = [1_000, 60_000, 3_600_000];
/** A dead letter that finds no storage is dropped after this long. */
const deadLetterPatience = 4 * hour;

/** Delivers at least once, in no certain order, as Event Grid does. Its waits follow the cloud's clock, without jitter. */
export function createDeliveries(options: DeliveriesOptions): Deliveries {
  const { clock } = options;
  const disk = openFolder<Pending>(join(options.stateDir, "event-grid-pending"));
  const waiting = new Map<string, Pending>(disk.all().map((pending) => [pending.id, pending]));
  const inFlight = new Map<string, Promise<void>>();
  const logged: Logged[] = [];
  const left = { duplicate: 0, reorder: 0, lose: 0 };
  const held: Pending[] = [];
  let factor = options.timeFactor ?? 1;
  let stopped = false;

  const note = ({ subscription, published, attempts }: Pending, outcome: string) => {
    const eventId = text(published.event["id"]);
    const time = new Date(clock.now()).toISOString();
    logged.push({ time, subscription, eventId, eventType: eventType(published), attempt: attempts, outcome });
    if (logged.length > keptLog) logged.shift();
  };
  const save = (pending: Pending) => disk.put(pending.id, pending);
  const end = (pending: Pending, outcome: string) => {
    note(pending, outcome);
    waiting.delete(pending.id);
    disk.remove(pending.id);
  };
  const later = (pending: Pending, dueAt: number) => {
    pending.dueAt = dueAt;
    save(pending);
  };

  const bury = async (pending: Pending, subscription: Subscription) => {
    if (!subscription.deadLetter) return end(pending, "Dropped");
    const { published, attempts, lastAttemptAt, outcome, dead = "" } = pending;
    try {
      await writeDeadLetter(subscription, { published, attempts, lastAttemptAt, outcome, reason: dead }, clock.now());
      end(pending, "DeadLettered");
    } catch {
      if (clock.now() > lastAttemptAt + deadLetterPatience) end(pending, "Dropped");
      else later(pending, clock.now() + minute * factor);
    }
  };

  const attempt = async (pending: Pending): Promise<void> => {
    const subscription = options.subscription(pending.subscription);
    if (!subscription) return end(pending, "Dropped");
    if (pending.dead !== undefined) return bury(pending, subscription);
    const { maxDeliveryAttempts = 30, eventTimeToLiveMinutes = 1440 } = subscription.retry ?? {};
    const expiresAt = pending.published.publishedAt + eventTimeToLiveMinutes * minute;
    const giveUp = (reason: string) => {
      pending.dead = reason;
      later(pending, clock.now());
    };
    // Even an event that is late for its first attempt gets that one.
    if (pending.attempts > 0 && clock.now() >= expiresAt) return giveUp("TimeToLiveExceeded");
    if (!(await options.agreed(subscription))) {
      note(pending, "AwaitingHandshake");
      return later(pending, clock.now() + second);
    }
    const outcome = await send(subscription, pending);
    if (succeeded(outcome)) return end(pending, "Delivered");
    note(pending, describe(outcome));
    pending.attempts += 1;
    pending.outcome = outcome;
    pending.lastAttemptAt = clock.now();
    const delay = retryDelay(subscription.destination, outcome, pending.attempts);
    // Azure dead-letters some five minutes later and does not document its word for these; the outcome says as much.
    if (delay === undefined) return giveUp(describe(outcome));
    if (pending.attempts >= maxDeliveryAttempts) return giveUp("MaxDeliveryAttemptsExceeded");
    later(pending, Math.min(clock.now() + delay * factor, expiresAt));
  };

  const tick = () => {
    if (waiting.size === 0) return;
    const now = clock.now();
    const due = [...waiting.values()].filter(({ id, dueAt }) => dueAt <= now && !inFlight.has(id));
    for (const pending of due.toSorted((a, b) => a.dueAt - b.dueAt)) {
      const work = attempt(pending).finally(() => inFlight.delete(pending.id));
      inFlight.set(pending.id, work);
    }
  };
  const timer = setInterval(tick, poll);
  timer.unref();

  const takeOne = (name: keyof typeof left) => left[name] > 0 && left[name]-- > 0;
  const queue = (subscription: Subscription, published: Published) => {
    const dueAt = clock.now();
    const pending: Pending = {
      id: randomUUID(),
      subscription: subscription.name,
      published,
      attempts: 0,
      dueAt,
      lastAttemptAt: 0,
    };
    save(pending);
    if (takeOne("reorder")) {
      // On disk it is due at once: a restart delivers what was held.
      pending.dueAt = Infinity;
      held.push(pending);
    }
    waiting.set(pending.id, pending);
    if (left.reorder === 0) {
      const apart = 50;
      for (const [index, one] of held.splice(0).toReversed().entries()) one.dueAt = clock.now() + index * apart;
    }
  };

  return {
    add(subscription, published) {
      if (takeOne("lose")) {
        const lost = { id: "", subscription: subscription.name, published, attempts: 0, dueAt: 0, lastAttemptAt: 0 };
        return note(lost, "Lost");
      }
      queue(subscription, published);
      if (takeOne("duplicate")) queue(subscription, published);
      if (!stopped) setImmediate(tick);
    },
    control: (controls) => void Object.assign(left, controls),
    setTimeFactor: (next) => void (factor = next),
    log: () => logged,
    pending: () => waiting.size,
    async stop() {
      stopped = true;
      clearInterval(timer);
      await Promise.allSettled(inFlight.values());
    },
  };
}

function send({ name, destination, schema }: Subscription, { published, attempts }: Pending): Promise<Outcome> {
  return destination.type === "webhook"
    ? deliver({ url: destination.url, subscription: name, schema }, published, attempts)
    : enqueue(destination, published, schema);
}
