import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Cron } from "croner";
import type { Clock } from "../clock.ts";
import type { AppFunction, AppLog } from "./app.ts";
import { bindingText } from "./core.ts";
import { describeError, wait } from "./run.ts";
import type { Runner } from "./run.ts";
import { milliseconds, resolveSettings } from "./settings.ts";
import type { Env } from "./settings.ts";

/** Says when a timer is due next after an instant; both in milliseconds since 1970. */
export type Schedule = (after: number) => number;

/** What is kept of a timer, as the real host keeps it. ISO times. */
interface Status {
  readonly Last: string;
  readonly Next: string;
  readonly LastUpdated: string;
}

/** Real milliseconds between two looks at the cloud's clock. */
const tick = 50;
/** A timer that is later than this missed its instant: the clock was moved, or the host was not running. */
const punctual = 2000;

/**
 * A schedule from an NCRONTAB expression (6 fields, seconds first, or 5), or from a time span such as `00:05:00`.
 * Times are those of `zone` (WEBSITE_TIME_ZONE, UTC when absent). Throws on any other text.
 */
export function parseSchedule(expression: string, zone = "UTC"): Schedule {
  if (/^[\d.]+:[\d:.]+$/.test(expression.trim())) {
    const span = milliseconds(expression.trim());
    return (after) => after + span;
  }
  // NCRONTAB asks for day and weekday both; `5/15` is its way to say 5-59/15.
  const cron = new Cron(expression, { mode: "5-or-6-parts", timezone: zone, domAndDow: true, sloppyRanges: true });
  return (after) => cron.nextRun(new Date(after))?.getTime() ?? Infinity;
}

/**
 * Runs timer triggers by the cloud's clock. A timer's instants that passed while nobody looked are made up for by one run with
 * `isPastDue`. Its status is kept in `state` (unless `useMonitor` is false or it fires more often than once a minute), and
 * written after a run, so that one that was cut short is past due at the next start. Returns what stops them and resolves when the runs under way have ended.
 */
export function startTimers(options: {
  readonly functions: Iterable<AppFunction>;
  readonly clock: Clock;
  readonly state: string;
  readonly env: Env;
  readonly runner: Runner;
  readonly log: AppLog;
}): () => Promise<void> {
  const stopping = new AbortController();
  const timers = [...options.functions].map((fn) => {
    const expression = resolveSettings(bindingText(fn.trigger, "schedule") ?? "", options.env);
    const schedule = parseSchedule(expression, options.env["WEBSITE_TIME_ZONE"]);
    return keepTime({ ...options, fn, schedule, signal: stopping.signal });
  });
  return async () => {
    stopping.abort();
    await Promise.all(timers);
  };
}

async function keepTime(options: {
  readonly fn: AppFunction;
  readonly schedule: Schedule;
  readonly clock: Clock;
  readonly state: string;
  readonly runner: Runner;
  readonly log: AppLog;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { fn, schedule, clock, runner, log, signal } = options;
  const started = clock.now();
  const first = schedule(started);
  const monitored = fn.trigger["useMonitor"] !== false && schedule(first) - first >= 60_000;
  const file = join(options.state, "timers", `${encodeURIComponent(fn.name)}.json`);
  let status = (monitored ? readStatus(file) : undefined) ?? statusAt(undefined, first, started);
  // A schedule that was changed takes effect from now on; what the old one missed stays missed.
  if (Date.parse(status.Next) !== schedule(Date.parse(status.LastUpdated)))
    status = { ...status, Next: iso(first), LastUpdated: iso(started) };
  if (monitored) writeStatus(file, status);

  let due = Date.parse(status.Next);
  let atOnce = fn.trigger["runOnStartup"] === true;
  while (!signal.aborted) {
    const now = clock.now();
    if (!atOnce && now < due) {
      await wait(Math.min(tick, due - now), signal);
      continue;
    }
    const timer = {
      Schedule: { AdjustForDST: true },
      ScheduleStatus: status,
      IsPastDue: now - due > punctual,
    };
    atOnce = false;
    try {
      await runner.withRetry(fn, { data: { json: JSON.stringify(timer) } });
    } catch (error) {
      log("error", fn.name, `failed: ${describeError(error)}`);
    }
    const ended = clock.now();
    status = statusAt(now, schedule(ended), ended);
    due = Date.parse(status.Next);
    if (monitored) writeStatus(file, status);
  }
}

function statusAt(last: number | undefined, next: number, updated: number): Status {
  return {
    Last: last === undefined ? "0001-01-01T00:00:00+00:00" : iso(last),
    Next: iso(next),
    LastUpdated: iso(updated),
  };
}

/** A schedule without a further instant is written as the end of .NET's time. */
function iso(time: number): string {
  return Number.isFinite(time) ? new Date(time).toISOString() : "9999-12-31T23:59:59.999Z";
}

function readStatus(file: string): Status | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Status;
  } catch {
    return undefined;
  }
}

function writeStatus(file: string, status: Status): void {
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(`${file}.new`, JSON.stringify(status));
  renameSync(`${file}.new`, file);
}
