import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { windowFault, windowState } from "../src/window.ts";

const hour = 3_600_000;
const day = 24 * hour;
const nights = { cron: "0 2 * * 2-4", duration: 3 * hour, timeZone: "Europe/Berlin" };
const daily = { ...nights, cron: "0 2 * * *" };
const at = (iso: string): Date => new Date(iso);
const open = (closesAt: string) => ({ open: true, overridden: false, closesAt: at(closesAt) });
const shut = (opensAt: string) => ({ open: false, overridden: false, opensAt: at(opensAt) });

describe("Tuesday to Thursday, 02:00 to 05:00 in Berlin (UTC+1 in November)", () => {
  test.each([
    ["2026-11-24T00:59:59.999Z", shut("2026-11-24T01:00:00Z")],
    ["2026-11-24T01:00:00Z", open("2026-11-24T04:00:00Z")],
    ["2026-11-24T03:59:59.999Z", open("2026-11-24T04:00:00Z")],
    ["2026-11-24T04:00:00Z", shut("2026-11-25T01:00:00Z")],
    ["2026-11-26T12:00:00Z", shut("2026-12-01T01:00:00Z")],
  ])("at %s", (now, state) => {
    expect(windowState(nights, at(now))).toEqual(state);
  });
});

describe("the change of clocks", () => {
  test("02:00 does not exist on 29 March 2026: the window opens at 03:00 summer time, for its full three hours", () => {
    expect(windowState(daily, at("2026-03-29T00:59:59Z"))).toEqual(shut("2026-03-29T01:00:00Z"));
    expect(windowState(daily, at("2026-03-29T01:00:00Z"))).toEqual(open("2026-03-29T04:00:00Z"));
  });

  test("02:00 comes twice on 25 October 2026: the window opens at the first, and not again", () => {
    expect(windowState(daily, at("2026-10-24T23:59:59Z"))).toEqual(shut("2026-10-25T00:00:00Z"));
    expect(windowState(daily, at("2026-10-25T01:30:00Z"))).toEqual(open("2026-10-25T03:00:00Z"));
    expect(windowState(daily, at("2026-10-25T03:00:00Z"))).toEqual(shut("2026-10-26T01:00:00Z"));
  });

  test("the same wall time is another instant in summer", () => {
    expect(windowState(daily, at("2026-07-01T00:00:00Z"))).toEqual(open("2026-07-01T03:00:00Z"));
    expect(windowState(daily, at("2026-12-01T00:00:00Z"))).toEqual(shut("2026-12-01T01:00:00Z"));
  });
});

describe("a window never lets an expiry pass", () => {
  const friday = at("2026-11-27T12:00:00Z");
  test("an opening before the deadline is waited for", () => {
    expect(windowState(nights, friday, at("2026-12-01T01:00:01Z"))).toEqual(shut("2026-12-01T01:00:00Z"));
  });
  test("without one, the window counts as open", () => {
    expect(windowState(nights, friday, at("2026-12-01T01:00:00Z"))).toEqual({ open: true, overridden: true });
    expect(windowState(nights, friday, at("2026-11-01T00:00:00Z"))).toEqual({ open: true, overridden: true });
  });
  test("an open window is not overridden, whatever the deadline", () => {
    expect(windowState(nights, at("2026-11-24T02:00:00Z"), at("2026-11-24T02:00:01Z"))).toEqual(
      open("2026-11-24T04:00:00Z"),
    );
  });
  test("a window that never opens counts as open", () => {
    expect(windowState({ ...nights, cron: "0 2 30 2 *" }, friday)).toEqual({ open: true, overridden: true });
  });
});

test("windows that overlap are one: it closes when the last has closed", () => {
  const overlapping = { cron: "0 1-3 * * *", duration: 90 * 60_000, timeZone: "UTC" };
  expect(windowState(overlapping, at("2026-11-24T01:10:00Z"))).toEqual(open("2026-11-24T04:30:00Z"));
  const always = { cron: "* * * * *", duration: hour, timeZone: "UTC" };
  expect(windowState(always, at("2026-11-24T01:10:00Z"))).toMatchObject({ open: true, overridden: false });
});

test("at any instant: open until it closes, or shut until it opens", () => {
  const windows = [
    nights,
    daily,
    { cron: "30 22 * * 5", duration: 10 * hour, timeZone: "America/New_York" },
    { cron: "15 2 * * *", duration: hour, timeZone: "Australia/Lord_Howe" },
  ];
  const instants = fc.date({ min: at("2026-01-01T00:00:00Z"), max: at("2027-12-31T00:00:00Z"), noInvalidDate: true });
  fc.assert(
    fc.property(fc.constantFrom(...windows), instants, (window, now) => {
      const state = windowState(window, now);
      if (!state.open) {
        expect(state.opensAt > now).toBe(true);
        expect(windowState(window, state.opensAt).open).toBe(true);
        expect(windowState(window, new Date(state.opensAt.getTime() - 1)).open).toBe(false);
        return;
      }
      if (state.overridden) throw new Error("overridden without a deadline");
      expect(state.closesAt > now).toBe(true);
      expect(windowState(window, new Date(state.closesAt.getTime() - 1)).open).toBe(true);
      expect(windowState(window, state.closesAt).open).toBe(false);
    }),
    { seed: 20_261_123, numRuns: 300 },
  );
});

test("a window must open within every span between due and expiry", () => {
  expect(windowFault(nights, 30 * day)).toBeUndefined();
  // From Thursday to Tuesday, over the night that autumn makes an hour longer.
  expect(windowFault(nights, 5 * day + hour)).toBeUndefined();
  expect(windowFault(nights, 5 * day)).toMatchObject({ field: "cron" });
  expect(windowFault({ ...nights, cron: "0 2 1 * *" }, 30 * day)?.message).toMatch(/opens too rarely/);
  expect(windowFault({ ...nights, cron: "0 2 1 * *" }, 32 * day)).toBeUndefined();
});
