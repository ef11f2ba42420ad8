import { Cron } from "croner";
import type { Milliseconds } from "./duration.ts";
import type { Window } from "./policy.ts";

/**
 * Whether changes may be made. `overridden`: the window is shut, but it opens no more before the deadline, so it counts as open;
 * a window is a wish, an expiry is a fact.
 */
export type WindowState =
  | { readonly open: true; readonly overridden: false; readonly closesAt: Date }
  | { readonly open: true; readonly overridden: true }
  | { readonly open: false; readonly overridden: false; readonly opensAt: Date };

/** What is wrong with a window, by its field. */
export interface WindowFault {
  readonly field: "cron" | "timeZone";
  readonly message: string;
  readonly expected: string;
}

const openings = (window: Window): Cron =>
  new Cron(window.cron, { timezone: window.timeZone, mode: "5-part", paused: true });

/** The last opening at or before an instant. croner's own search excludes the instant itself. */
const lastOpening = (cron: Cron, at: number): number | undefined =>
  cron.previousRuns(1, new Date(at + 1))[0]?.getTime();

// A window that opens again before it closes stays open. Nobody needs to know more than this many openings ahead.
const chained = 100;

/**
 * The state of a window at an instant. Given the deadline by which the work must be done (the expiry, less what the work
 * takes), a window without an opening before it is overridden. The duration is elapsed time. An opening that falls in the hour
 * that spring skips comes at the end of that hour; one in the hour that autumn repeats comes once, at its first passing.
 */
export function windowState(window: Window, at: Date, deadline?: Date): WindowState {
  const cron = openings(window);
  const last = lastOpening(cron, at.getTime());
  if (last !== undefined && at.getTime() < last + window.duration) {
    let closes = last + window.duration;
    for (let count = 0; count < chained; count++) {
      const later = lastOpening(cron, closes);
      if (later === undefined || later + window.duration === closes) break;
      closes = later + window.duration;
    }
    return { open: true, overridden: false, closesAt: new Date(closes) };
  }
  const opensAt = cron.nextRun(at);
  if (opensAt === null || (deadline !== undefined && opensAt >= deadline)) return { open: true, overridden: true };
  return { open: false, overridden: false, opensAt };
}

// Cron expressions repeat by the year, so one year from a fixed day says all there is, and the same on every day.
const year = { from: Date.UTC(2026, 0, 1), to: Date.UTC(2027, 0, 1) } as const;

/** What is wrong with a window for an object that is due so long before its expiry: a window must open within every such span. */
export function windowFault(window: Window, rotateBefore: Milliseconds): WindowFault | undefined {
  try {
    // Throws for a zone that this runtime does not know.
    new Intl.DateTimeFormat("en", { timeZone: window.timeZone }).format();
  } catch {
    return {
      field: "timeZone",
      message: "is not a time zone",
      expected: "an IANA time zone such as Europe/Berlin or UTC",
    };
  }
  const expected =
    "a cron expression of five fields: minute, hour, day of month, month, day of week, such as 0 2 * * 2-4";
  let cron: Cron;
  try {
    if (window.cron.startsWith("@")) throw new RangeError("a nickname");
    cron = openings(window);
  } catch {
    return { field: "cron", message: "is not a cron expression", expected };
  }
  if (cron.nextRun(new Date(year.from)) === null) {
    return { field: "cron", message: "never opens", expected: "a cron expression of a day that exists" };
  }
  // From each opening, jump to the last one that is still within reach; where there is none, the gap is too long.
  for (let at = year.from; at < year.to;) {
    const reached = lastOpening(cron, at + rotateBefore);
    if (reached === undefined || reached <= at) {
      return {
        field: "cron",
        message: "opens too rarely: a rotation that falls due may find no opening before the expiry",
        expected: "at least one opening within rotateBefore, at any time of the year",
      };
    }
    at = reached;
  }
  return undefined;
}
