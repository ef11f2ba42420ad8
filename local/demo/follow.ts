import { setTimeout as delay } from "node:timers/promises";
import type { AppHost } from "../cloud/app-host.ts";
import type { Cloud } from "../cloud/cloud.ts";
import type { Service } from "./services.ts";

/** What `GET /api/rotations/{id}` shows, as far as the story needs it. */
export interface Shown {
  readonly id: string;
  readonly phase: string;
  readonly strategy: string;
  readonly rotationId?: string;
  readonly outcome?: string;
  readonly message?: string;
  readonly publishedVersion?: string;
  readonly status?: {
    readonly rotationId: string;
    readonly step: string;
    readonly until?: string;
    readonly fault?: { readonly code: string; readonly message: string };
    readonly timeline: readonly {
      readonly step: string;
      readonly startedAt: string;
      readonly endedAt: string;
      readonly proofs: number;
      readonly fault?: { readonly code: string; readonly message: string };
    }[];
  };
}

export interface Evidence {
  readonly rotationId: string;
  readonly outcome: string;
  readonly steps: readonly {
    readonly step: string;
    readonly startedAt: string;
    readonly endedAt: string;
    readonly proofs: readonly { readonly name: string; readonly ok: boolean }[];
  }[];
}

/** The app's API as its users call it; every reply is kept for the canary scan. */
export interface Api {
  call<T>(method: string, path: string, body?: unknown): Promise<T>;
  readonly replies: readonly string[];
}

export function openApi(host: AppHost): Api {
  const replies: string[] = [];
  return {
    replies,
    async call<T>(method: string, path: string, body?: unknown) {
      const reply = await fetch(`${host.url}/api/${path}`, {
        method,
        headers: { "x-functions-key": host.key, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await reply.text();
      if (replies.at(-1) !== text) replies.push(text);
      if (!reply.ok) throw new Error(`${method} /api/${path}: ${reply.status} ${text}`);
      return JSON.parse(text) as T;
    },
  };
}

export interface Followed {
  readonly shown: Shown;
  /** Real seconds from the start to the end, the waits skipped by the clock. */
  readonly seconds: number;
}

interface Follow {
  readonly cloud: Cloud;
  readonly api: Api;
  readonly services: readonly Service[];
  readonly id: string;
  /** The rotation that had ended before; the one that is followed is another. */
  readonly previous: string | undefined;
  readonly say: (line: string) => void;
}

/** Below this many milliseconds a wait is waited; a longer one is skipped by the clock. */
const worthSkipping = 400;

/** Real milliseconds after which an event that was told in an earlier run is not waited for: the hourly sweep finds what it missed. */
const patience = 8_000;

/** Follows a rotation to its end, prints each step as it completes, and moves the cloud's clock through its waits. */
export async function follow({ cloud, api, services, id, previous, say }: Follow): Promise<Followed> {
  const began = performance.now();
  const printed = new Set<string>();
  let wait = "";
  let swept = false;
  let ended: number | undefined;
  for (;;) {
    const shown = await api.call<Shown>("GET", `rotations/${id}`);
    const { status } = shown;
    if (shown.rotationId !== undefined && shown.rotationId !== previous) {
      for (const [index, entry] of (status?.timeline ?? []).entries()) {
        const key = `${index} ${entry.step}`;
        if (printed.has(key)) continue;
        printed.add(key);
        say(stepLine(entry));
      }
      if (shown.phase === "idle" && shown.outcome !== undefined) {
        if (ended !== undefined) return { shown, seconds: (ended - began) / 1000 };
        // The record comes before what the orchestration says of its last step: one more look.
        ended = performance.now();
        await delay(100);
        continue;
      }
      if (status?.until !== undefined) {
        const line = waitLine(status.step, status.until, cloud.clock.now(), status.fault?.message);
        const worthSaying = Date.parse(status.until) - cloud.clock.now() > worthSkipping && status.step !== "retry";
        if (line !== wait && worthSaying) say(line);
        wait = line;
        await skip(cloud, services, Date.parse(status.until));
      }
    } else if (!swept && performance.now() - began > patience) {
      swept = true;
      say("  no event comes a second time; the sweep finds it within the hour, skipped");
      cloud.clock.advance(3_600_000);
    }
    if (performance.now() - began > 120_000)
      throw new Error(`${id} did not end in two minutes; see its log in host/host.log`);
    await delay(40);
  }
}

/** Goes forward, but first only to where each replaced instance of a service has ended: it may use what it was given for its whole lag. */
async function skip(cloud: Cloud, services: readonly Service[], until: number): Promise<void> {
  for (const service of services) {
    const drained = service.drainsUntil;
    if (drained === undefined || drained > until) continue;
    cloud.clock.advance(Math.max(0, drained - cloud.clock.now()));
    while (service.drainsUntil !== undefined) await delay(10);
  }
  const left = until - cloud.clock.now();
  if (left > worthSkipping) cloud.clock.advance(left - 20);
}

function stepLine({
  step,
  startedAt,
  endedAt,
  proofs,
  fault,
}: NonNullable<Shown["status"]>["timeline"][number]): string {
  const seconds = ((Date.parse(endedAt) - Date.parse(startedAt)) / 1000).toFixed(2).padStart(6);
  const mark = fault === undefined ? "✓" : "✗";
  const what = fault === undefined ? `${proofs} ${proofs === 1 ? "proof" : "proofs"}` : fault.message;
  return `  ${mark} ${step.padEnd(10)} ${seconds} s  ${what}`;
}

function waitLine(step: string, until: string, now: number, why: string | undefined): string {
  const minutes = Math.max(1, Math.round((Date.parse(until) - now) / 60_000));
  const span = minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
  return `  … ${step}: ${span} on the cloud's clock, skipped${why === undefined ? "" : ` (${why})`}`;
}
