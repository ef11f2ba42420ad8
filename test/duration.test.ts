import * as fc from "fast-check";
import { expect, test } from "vitest";
import { durationSchema, formatDuration, parseDuration } from "../src/duration.ts";

const day = 86_400_000;

test.each([
  ["P90D", 90 * day],
  ["PT48H", 2 * day],
  ["P1DT2H", day + 7_200_000],
  ["P2W", 14 * day],
  ["P1W1DT1H1M1S", 8 * day + 3_661_000],
  ["PT90M", 5_400_000],
  ["PT0S", 0],
  ["P0D", 0],
  ["P36500D", 36_500 * day],
])("%s is %i ms", (text, milliseconds) => {
  expect(parseDuration(text)).toBe(milliseconds);
  expect(durationSchema.parse(text)).toBe(milliseconds);
});

test.each(["P3M", "P1Y", "P1Y6M", "P1Y10D", "P1M1D"])("%s is refused, with the reason", (text) => {
  expect(() => parseDuration(text)).toThrow(/years and months have no fixed length/);
});

test.each([
  "",
  "P",
  "PT",
  "P1DT",
  "1D",
  "90",
  "-P1D",
  "P-1D",
  "P1.5D",
  "PT1H1D",
  "P1D ",
  "p1d",
  "P1H",
  "PT1D",
  "P1D2W",
])("%j is refused", (text) => {
  expect(() => parseDuration(text)).toThrow(/ISO 8601 duration of weeks, days/);
  expect(durationSchema.safeParse(text).success).toBe(false);
});

test("a length that no date could hold is refused", () => {
  expect(() => parseDuration("P36501D")).toThrow("at most P36500D");
  expect(() => parseDuration("PT999999999H")).toThrow("at most P36500D");
});

test("every whole number of seconds comes back from its text", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 36_500 * 86_400 }), (seconds) => {
      expect(parseDuration(formatDuration(seconds * 1_000))).toBe(seconds * 1_000);
    }),
    { seed: 20_261_123 },
  );
  expect([0, 999, day, 90_061_000].map(formatDuration)).toEqual(["PT0S", "PT0S", "P1D", "P1DT1H1M1S"]);
});
