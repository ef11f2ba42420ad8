import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openKeys } from "../../local/host/keys.ts";
import { retryDelay } from "../../local/host/run.ts";
import {
  connectionString,
  milliseconds,
  readHostSettings,
  readLocalSettings,
  resolveSettings,
} from "../../local/host/settings.ts";
import { parseSchedule } from "../../local/host/timers.ts";
import { temporaryFolder } from "./harness.ts";

describe("settings", () => {
  test("of local.settings.json fill what the environment leaves open", () => {
    using folder = temporaryFolder();
    const file = join(folder.path, "local.settings.json");
    writeFileSync(file, JSON.stringify({ IsEncrypted: false, Values: { A: "file", B: "file" } }));
    const env = { A: "environment" };
    readLocalSettings(file, env);
    expect(env).toEqual({ A: "environment", B: "file" });
  });

  test("are put where %NAME% stands, and missed by name", () => {
    expect(resolveSettings("a-%X%-%Y%", { X: "1", Y: "2" })).toBe("a-1-2");
    expect(() => resolveSettings("%X%", {})).toThrow('The app setting "X", which "%X%" names, is not set.');
  });

  test("name a connection with or without its prefix", () => {
    expect(connectionString("Mine", { AzureWebJobsMine: "one", Mine: "two" })).toBe("one");
    expect(connectionString("Mine", { Mine: "two" })).toBe("two");
    expect(connectionString("", { AzureWebJobsStorage: "three" })).toBe("three");
    expect(connectionString(undefined, { AzureWebJobsStorage: "three" })).toBe("three");
    expect(() => connectionString("Mine", {})).toThrow('The app setting "Mine" must hold a storage connection string');
  });

  test("of host.json have the real host's defaults", () => {
    using folder = temporaryFolder();
    expect(() => readHostSettings(folder.path, {})).toThrow("holds no host.json");
    mkdirSync(folder.path, { recursive: true });
    writeFileSync(join(folder.path, "host.json"), '{"version":"2.0"}');
    expect(readHostSettings(folder.path, { WEBSITE_SITE_NAME: "site" })).toEqual({
      routePrefix: "api",
      functionTimeout: 1_800_000,
      queues: { base64: true, maxDequeueCount: 5, visibilityTimeout: 0, maxPollingInterval: 60_000, batchSize: 16 },
      durable: { hub: "site", connection: "AzureWebJobsStorage" },
    });
  });

  test("hold time spans", () => {
    expect(["00:00:02", "00:00:00.5", "1.02:03:04", "00:10"].map(milliseconds)).toEqual([
      2000, 500, 93_784_000, 600_000,
    ]);
    expect(() => milliseconds("5 minutes")).toThrow("is no time span");
  });
});

describe("keys", () => {
  test("are made once, for the owner's eyes only, and stay", () => {
    using folder = temporaryFolder();
    const keys = openKeys(join(folder.path, "new"));
    expect(openKeys(join(folder.path, "new"))).toEqual(keys);
    const all = [keys.master, keys.function, ...Object.values(keys.system)];
    expect(new Set(all).size).toBe(4);
    expect(Math.min(...all.map((key) => key.length))).toBeGreaterThanOrEqual(40);
    expect(statSync(join(folder.path, "new", "keys.json")).mode & 0o777).toBe(0o600);
  });
});

describe("a schedule", () => {
  const next = (expression: string, after: string, zone?: string) =>
    new Date(parseSchedule(expression, zone)(Date.parse(after))).toISOString();
  test.each([
    ["0 */5 * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:05:00.000Z"],
    ["*/10 * * * * *", "2026-01-01T00:00:01Z", "2026-01-01T00:00:10.000Z"],
    ["0 30 9 * * MON-FRI", "2026-01-02T09:30:00Z", "2026-01-05T09:30:00.000Z"],
    ["0 0 5/6 * * *", "2026-01-01T06:00:00Z", "2026-01-01T11:00:00.000Z"],
    // Day and weekday must both hold: the next Friday the 13th.
    ["0 0 0 13 * FRI", "2026-01-01T00:00:00Z", "2026-02-13T00:00:00.000Z"],
    ["*/5 * * * *", "2026-01-01T00:00:01Z", "2026-01-01T00:05:00.000Z"],
    ["00:05:00", "2026-01-01T00:00:01Z", "2026-01-01T00:05:01.000Z"],
  ])("%s after %s", (expression, after, expected) => {
    expect(next(expression, after)).toBe(expected);
  });

  test("follows WEBSITE_TIME_ZONE", () => {
    expect(next("0 0 9 * * *", "2026-07-01T00:00:00Z", "Europe/Berlin")).toBe("2026-07-01T07:00:00.000Z");
  });

  test("that is none is refused", () => {
    expect(() => parseSchedule("every day")).toThrow("CronPattern");
    expect(() => parseSchedule("0 0 25 * * *")).toThrow("CronPattern");
  });
});

test("retries wait as their policy says", () => {
  const fixed = { retryStrategy: "fixedDelay", maxRetryCount: 3, delayInterval: { seconds: 4 } } as const;
  expect([0, 1, 2].map((retries) => retryDelay(fixed, retries))).toEqual([4000, 4000, 4000]);
  const growing = {
    retryStrategy: "exponentialBackoff",
    maxRetryCount: -1,
    minimumInterval: { seconds: 1 },
    maximumInterval: { seconds: 5 },
  } as const;
  expect([0, 1, 2, 3].map((retries) => retryDelay(growing, retries))).toEqual([1000, 2000, 4000, 5000]);
});
