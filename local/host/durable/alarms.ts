import type { Clock } from "../../clock.ts";

/** Durable timers of many owners: each fires once, at its instant on the cloud's clock or as soon as that has passed. */
export interface Alarms<Owner> {
  set(owner: Owner, id: number, at: number): void;
  cancel(owner: Owner, ids: readonly number[]): void;
  clear(owner: Owner): void;
  start(): void;
  stop(): void;
}

/** The clock can be moved at any time, so it is asked again and again. */
const every = 25;

/** Makes the alarms. `fire` is called in a turn of its own. Instants are milliseconds since 1970. */
export function createAlarms<Owner>(clock: Clock, fire: (owner: Owner, id: number, at: number) => void): Alarms<Owner> {
  const alarms = new Map<Owner, Map<number, number>>();
  let soonest = Infinity;
  let ticking: NodeJS.Timeout | undefined;

  const tick = () => {
    const now = clock.now();
    if (now < soonest) return;
    soonest = Infinity;
    for (const [owner, own] of alarms) {
      for (const [id, at] of own) {
        if (at > now) soonest = Math.min(soonest, at);
        else {
          own.delete(id);
          fire(owner, id, at);
        }
      }
      if (own.size === 0) alarms.delete(owner);
    }
  };

  return {
    set(owner, id, at) {
      alarms.set(owner, (alarms.get(owner) ?? new Map<number, number>()).set(id, at));
      soonest = Math.min(soonest, at);
      // Retries end with a timer that is due at once; it must not wait for the next round.
      if (ticking && at <= clock.now()) setImmediate(() => ticking && tick());
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
