import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openClock } from "../../local/clock.ts";
import { fixture, readRecord, startHostProcess, temporaryFolder, until } from "./harness.ts";
import type { HostProcess } from "./harness.ts";

const minute = 60_000;
let folder: ReturnType<typeof temporaryFolder>;
let host: HostProcess | undefined;

beforeEach(() => {
  folder = temporaryFolder();
  // Far from any instant of the schedules below, whenever the tests run.
  const hour = 60 * minute;
  clock().advance(hour - (clock().now() % hour) + 5 * minute);
});
afterEach(async () => {
  await host?.kill();
  host = undefined;
  folder[Symbol.dispose]();
});

const start = async (env: Record<string, string>) => {
  const record = join(folder.path, "record");
  host = await startHostProcess({
    app: fixture("app"),
    state: folder.path,
    clock: clock().file,
    env: { FIXTURE_RECORD: record, ...env },
  });
  return host;
};
const clock = () => openClock(join(folder.path, "clock"));

interface Timer {
  isPastDue: boolean;
  schedule: { adjustForDST: boolean };
  scheduleStatus: { last: string; next: string; lastUpdated: string };
}
const fired = (key = "timer") =>
  readRecord(join(folder.path, "record"))
    .map((entry) => entry[key] as Timer | undefined)
    .filter((timer) => timer !== undefined);
const nothingMore = async (count: number) => {
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect(fired()).toHaveLength(count);
};

describe("a timer", () => {
  test("fires on time, again and again, and is not past due", async () => {
    await start({ FIXTURE_SCHEDULE: "* * * * * *" });
    await until("three runs", () => (fired().length >= 3 ? true : undefined));
    expect(fired().map(({ isPastDue }) => isPastDue)).not.toContain(true);
    expect(fired()[0]).toMatchObject({ schedule: { adjustForDST: true } });
  });

  test("whose instants a moved clock passed fires once, past due, and then at its next instant", async () => {
    await start({ FIXTURE_SCHEDULE: "0 0 * * * *" });
    await nothingMore(0);
    clock().advance(30 * 24 * 60 * minute);
    await until("a run", () => (fired().length > 0 ? true : undefined));
    await nothingMore(1);
    expect(fired()[0]).toMatchObject({ isPastDue: true });
    expect(Date.parse(fired()[0]!.scheduleStatus.next)).toBeLessThan(clock().now() - 29 * 24 * 60 * minute);
    clock().advance(60 * minute);
    await until("another run", () => (fired().length > 1 ? true : undefined));
    await nothingMore(2);
    const { next } = fired()[1]!.scheduleStatus;
    expect([Date.parse(next) % (60 * minute), clock().now() - Date.parse(next) < 60 * minute]).toEqual([0, true]);
  });

  test("that missed its instant while the host was dead fires once at the next start", async () => {
    const env = { FIXTURE_SCHEDULE: "0 */10 * * * *" };
    await (await start(env)).kill();
    clock().advance(3 * 60 * minute);
    await start(env);
    await until("a run", () => (fired().length > 0 ? true : undefined));
    await nothingMore(1);
    expect(fired()[0]).toMatchObject({ isPastDue: true, scheduleStatus: { last: "0001-01-01T00:00:00+00:00" } });
    await host!.kill();
    await start(env);
    await nothingMore(1);
  });

  test("whose schedule was changed makes nothing up for the old one", async () => {
    await (await start({ FIXTURE_SCHEDULE: "0 */10 * * * *" })).kill();
    clock().advance(3 * 60 * minute);
    await start({ FIXTURE_SCHEDULE: "0 0 0 1 1 *" });
    await nothingMore(0);
    expect(fired()).toEqual([]);
  });

  test("with runOnStartup fires at once, and a failure is tried again as its policy says", async () => {
    await start({ FIXTURE_STARTUP: "1" });
    await until("three attempts", () => (fired("atStart").length === 3 ? true : undefined));
    await until("the failure", () => host!.log().includes("error atStart failed: Error: again") || undefined);
    const attempts = readRecord(join(folder.path, "record")).filter((entry) => "atStart" in entry);
    expect(attempts.map(({ retry, error }) => [retry, error])).toEqual([
      [0, undefined],
      [1, "again"],
      [2, "again"],
    ]);
    expect(fired("atStart")[0]).toMatchObject({ isPastDue: false });
  });

  test("can be run by hand with the master key", async () => {
    const { call, keys } = await start({ FIXTURE_SCHEDULE: "0 0 0 1 1 *" });
    const run = (key: string) =>
      call("/admin/functions/timer", { method: "POST", body: "{}", headers: { "x-functions-key": key } });
    expect((await run(keys.function)).status).toBe(401);
    expect((await run(keys.master)).status).toBe(202);
    await until("a run", () => (fired().length === 1 ? true : undefined));
  });

  test.each([
    ["no schedule", "sometimes"],
    ["a setting that is missing", "%NOWHERE%"],
  ])("with %s ends the host with a sentence", async (_, schedule) => {
    const error = await start({ FIXTURE_SCHEDULE: schedule }).catch((reason: unknown) => reason);
    expect((error as Error).message.split("\n")[0]).toMatch(/could not be started: /);
  });
});
