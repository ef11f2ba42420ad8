import type { Clock } from "../../clock.ts";
import type { EventType, Scheduled } from "./history.ts";

/** A timer's row in the history. */
export type Timer = Extract<Scheduled, { EventType: (typeof EventType)["TimerCreated"] }>;

/** Durable timers of many owners: each fires once, when it is due on the cloud's clock or as soon as that has passed. */
export interface Alarms<Owner> {
  set(owner: Owner, timer: Timer): void;
  cancel(owner: Owner, ids: readonly number[]): void;
  clear(owner: Owner): void;
  start(): void;
  stop(): void;
}

/** The clock can be moved at any time, so it is asked again and again. */
const every = 25;

/**
 * When a timer fires, in milliseconds since 1970: up to a second early. The extension hides its message in a queue, which
 * counts whole seconds; a timer of less than one fires at once.
 */
export function dueAt({ Timestamp, FireAt }: Pick<Timer, "Timestamp" | "FireAt">): number {
  const created = Date.parse(Timestamp);
  return created + Math.max(0, Math.floor((Date.parse(FireAt) - created) / 1000)) * 1000;
}

/** Makes the alarms. `fire` is called in a turn of its own. */
export function createAlarms<Owner>(clock: Clock, fire: (owner: Owner, timer: Timer) => void): Alarms<Owner> {
  const alarms = new Map<Owner, Map<number, Timer>>();
  let soonest = Infinity;
  let ticking: NodeJS.Timeout | undefined;

  const tick = () => {
    const now = clock.now();
    if (now < soonest) return;
    soonest = Infinity;
    for (const [owner, own] of alarms) {
      for (const [id, timer] of own) {
        const due = dueAt(timer);
        if (due > now) soonest = Math.min(soonest, due);
        else {
          own.delete(id);
          fire(owner, timer);
        }
      }
      if (own.size === 0) alarms.delete(owner);
    }
  };

  return {
    set(owner, timer) {
      const due = dueAt(timer);
      alarms.set(owner, (alarms.get(owner) ?? new Map<number, Timer>()).set(timer.EventId, timer));
      soonest = Math.min(soonest, due);
      // Retries end with a timer that is due at once; it must not wait for the next round.
      if (ticking && due <= clock.now()) setImmediate(() => ticking && tick());
    },
    cancel(owner, ids) {
      for (const id of ids) alarms.get(owner)?.delete(id);
    },
    clear(owner) {
      alarms.delete(owner);
    },
    start() {
      ticking = setInterval(tick, every);
    },
    stop() {
      clearInterval(ticking);
      ticking = undefined;
    },
  };
}
