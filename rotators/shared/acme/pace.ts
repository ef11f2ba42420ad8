import { setTimeout as delay } from "node:timers/promises";
import type { AcmeStep } from "./target.ts";

/** How much of its time a call has left: an activity is killed after 40 s, so each call stops by itself before. */
export interface Pace {
  over(): boolean;
  /** Waits between two looks, longer each time, or as long as the CA asks; false where that would take too long for this call. */
  wait(retryAfterSeconds?: number): Promise<boolean>;
}

const budget = 20_000;
const pauses = [100, 200, 400, 800, 1500, 2500, 4000, 5000];

export function startPace(step: Pick<AcmeStep, "ports" | "signal">): Pace {
  const end = step.ports.now() + budget;
  let looks = 0;
  return {
    over: () => step.ports.now() >= end,
    async wait(retryAfterSeconds = 0) {
      const pause = Math.max(pauses[looks++] ?? Infinity, retryAfterSeconds * 1000);
      if (step.ports.now() + pause > end) return false;
      await delay(pause, undefined, { signal: step.signal });
      return true;
    },
  };
}
