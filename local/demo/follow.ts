import { setTimeout as delay } from "node:timers/promises";
import type { MovableClock } from "../clock.ts";
import type { Api, Evidence, Shown } from "./api.ts";
import { createSteps, retryLine, waitLine } from "./lines.ts";
import type { Service } from "./services.ts";

export interface Followed {
  readonly shown: Shown;
  /** Undefined where nothing was begun, since its version was no longer the current one. */
  readonly evidence: Evidence | undefined;
  /** Real seconds from the start to the end, the waits skipped by the clock. */
  readonly seconds: number;
}

interface Follow {
  readonly clock: MovableClock;
  readonly api: Api;
  readonly services: readonly Pick<Service, "drainsUntil">[];
  readonly id: string;
  /** The rotation that had ended before; the one that is followed is another. */
  readonly previous: string | undefined;
  readonly say: (line: string) => void;
}

/** Below this many milliseconds a wait is waited; a longer one is skipped by the clock. */
const worthSkipping = 400;
/** Real milliseconds after which an event that was told in an earlier run is not waited for: the hourly sweep finds what it missed. */
const patience = 8_000;
/** Real milliseconds of retries that need no word. */
const unspoken = 3_000;
/** Real milliseconds without anything new after which it is given up. */
const stalled = 120_000;

/**
 * Follows a rotation to its end, prints each step once and in order, and moves the cloud's clock through its waits. Steps that came and
 * went between two looks, as the last one always may, are told from the evidence.
 */
export async function follow({ clock, api, services, id, previous, say }: Follow): Promise<Followed> {
  const began = performance.now();
  let heard = began;
  let [last, changed] = ["", began];
  const speak = (line: string): void => {
    heard = performance.now();
    say(line);
  };
  const saySteps = createSteps(speak);
  let wait = "";
  let swept = false;
  let retried = "";
  for (;;) {
    const shown = await api.call<Shown>("GET", `rotations/${id}`);
    const { status, rotationId } = shown;
    const seen = JSON.stringify([rotationId, status]);
    if (seen !== last) [last, changed] = [seen, performance.now()];
    if (rotationId !== undefined && rotationId !== previous) {
      saySteps(status?.timeline ?? []);
      if (shown.phase === "idle" && shown.outcome !== undefined) {
        const seconds = (performance.now() - began) / 1000;
        const evidence =
          shown.outcome === "stale" ? undefined : await api.call<Evidence>("GET", `evidence/${rotationId}`);
        saySteps((evidence?.steps ?? []).map(({ proofs, ...step }) => ({ ...step, proofs: proofs.length })));
        return { shown, evidence, seconds };
      }
      if (status?.until !== undefined) {
        const until = Date.parse(status.until);
        const { fault } = status;
        if (status.step === "retry") {
          const line = retryLine(fault?.message ?? "");
          if (line !== retried && performance.now() - heard > unspoken) speak((retried = line));
        } else {
          const line = waitLine({ ...status, until: status.until }, clock.now());
          if (line !== wait && until - clock.now() > worthSkipping) speak(line);
          wait = line;
        }
        await skip(clock, services, until);
      }
    } else if (!swept && performance.now() - began > patience) {
      swept = true;
      speak("  no event comes a second time; the sweep finds it within the hour, skipped");
      clock.advance(3_600_000);
    }
    if (performance.now() - Math.max(heard, changed) > stalled)
      throw new Error(`Nothing was heard of ${id} for two minutes`);
    await delay(40);
  }
}

/** Goes forward, but first only to where each replaced instance of a service has ended: it may use what it was given for its whole lag. */
async function skip(clock: MovableClock, services: Follow["services"], until: number): Promise<void> {
  for (const service of services) {
    const drained = service.drainsUntil;
    if (drained === undefined || drained > until) continue;
    clock.advance(Math.max(0, drained - clock.now()));
    while (service.drainsUntil !== undefined) await delay(10);
  }
  const left = until - clock.now();
  if (left > worthSkipping) clock.advance(left - 20);
}
