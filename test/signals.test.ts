import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Deps } from "../src/activities/deps.ts";
import type { Consumer } from "../src/consumer.ts";
import { PinionError } from "../src/errors.ts";
import { type Counter, type Facts, type Log, logLine, signals } from "../src/signals.ts";
import { openSecrets } from "../src/vault/secrets.ts";
import { handleEvent } from "../src/triggers/key-vault-events.ts";
import { sweep } from "../src/triggers/sweep.ts";
import { at, stage } from "./review/fakes.ts";
import { eventOf, objectOf, openTriggers } from "./triggers/bench.ts";
import { openLocalVault } from "./vault-client/vault.ts";

// Alert rules ask for these names and facts, so each is really logged, where the thing happens, and nothing else is.

const heard: Facts[] = [];
const everHeard = new Set<string>();
const log: Log = (_level, _message, facts) => {
  if (facts === undefined) return;
  heard.push(facts);
  if (facts.counter !== undefined) everHeard.add(facts.counter);
};
const of = (counter: Counter) => heard.filter((facts) => facts.counter === counter);
beforeEach(() => void (heard.length = 0));

let bench: Awaited<ReturnType<typeof openTriggers>>;
beforeAll(async () => void (bench = await openTriggers()));
afterAll(() => bench.close());

const evidence = { getBlockBlobClient: () => ({ upload: async () => undefined }) } as unknown as Deps["evidence"];

test("rotation.started: once for a rotation, at its first try", async () => {
  const { steps, vault, records, given } = stage({ log });
  await vault.vault.write("db", { value: "source-value", tags: {} }, AbortSignal.timeout(1000));
  records.become({ phase: "idle", rotationId: "r-0" });
  const actor = { kind: "timer", id: "sweep", roles: [] } as const;
  records.commands.push({ id: "start", verb: "start", rotationId: "r-1", version: "v0", actor, at: "" });
  expect(await steps.preflight(given)).toMatchObject({ ok: true });
  expect(await steps.preflight(given)).toMatchObject({ ok: true });
  expect(of("rotation.started")).toEqual([{ counter: "rotation.started", object: "db", rotationId: "r-1" }]);
});

const ending = { timeline: [], startedAt: "", endedAt: "" } as const;
const fault = { code: "TARGET_FORBIDDEN", class: "permanent", message: "No." } as const;

test.each([
  ["rotated", {}, false],
  ["rolled-back", {}, false],
  ["rolled-back", { fault }, true],
  ["failed", { fault }, true],
  ["refused", { fault }, true],
] as const)("rotation.ended: %s %o; failed: %s", async (outcome, more, failed) => {
  const { steps, given } = stage({ log, evidence });
  expect(await steps.record({ ...given, ...ending, outcome, ...more })).toMatchObject({ ok: true });
  const facts = { object: "db", rotationId: "r-1", outcome, code: "fault" in more ? fault.code : "" };
  expect(of("rotation.ended")).toEqual([{ counter: "rotation.ended", ...facts }]);
  expect(of("rotation.failed")).toEqual(failed ? [{ counter: "rotation.failed", ...facts }] : []);
});

test("rotation.ended: told by a second copy of the last step too, since the first may have died", async () => {
  const { steps, given } = stage({ log, evidence });
  for (let copy = 0; copy < 2; copy++) await steps.record({ ...given, ...ending, outcome: "rotated" });
  expect(of("rotation.ended")).toHaveLength(2);
});

test("rotation.held and step.failed carry what is shut, and what refused", async () => {
  const { steps, records, given } = stage({
    log,
    publish: () => Promise.reject(new Error("no topic")),
  });
  records.become({ phase: "grace" });
  await steps.hold({ ...given, fault, escalate: true });
  const who = { object: "db", rotationId: "r-1" };
  expect(of("rotation.held")).toEqual([{ counter: "rotation.held", ...who, code: fault.code, escalated: true }]);
  await steps.set({ ...given, stagedVersion: "v", sourceVersion: "v", candidate: { id: "a" }, current: { id: "a" } });
  expect(of("step.failed")).toEqual([{ counter: "step.failed", ...who, step: "set", code: "LEASE_LOST" }]);
});

const engine = {
  start: async () => ({ started: true, rotationId: "r-2" }),
  wake: async () => {},
  running: async () => undefined,
};

/** A sweep over one object that expires at a given time, pinned by one consumer. */
async function sweepOne(expiresOn: Date, object: Record<string, unknown> = {}) {
  const consumer = { read: async () => ({ text: "", pinned: "former" }) } as unknown as Consumer;
  const site =
    "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/rg/providers/Microsoft.Web/sites/api";
  const consumers = [{ kind: "app-service", id: "api", resourceId: site, setting: "DB", reads: "pinned", lag: "PT0S" }];
  const scene = stage({ log, consumer: () => consumer, object: { consumers, mode: "observe", ...object } });
  scene.records.become({ phase: "idle", publishedVersion: "ours", superseded: ["former"] });
  const newest = { name: "db", version: "ours", enabled: true, tags: {}, createdOn: new Date(at), expiresOn };
  const vault = { ...scene.vault.vault, inventory: async () => [newest] };
  await sweep({ ...scene.deps, zone: () => ({ ...scene.deps.zone(undefined), vault: () => vault }) }, engine);
}

const day = 86_400_000;

test("sweep and pins.drifted", async () => {
  await sweepOne(new Date(at + 90 * day));
  expect(of("sweep")).toEqual([{ counter: "sweep", seen: 1, due: 0, started: 0, unreadable: 0, policyFaults: 0 }]);
  expect(of("pins.drifted")).toEqual([{ counter: "pins.drifted", object: "db", consumer: "api" }]);
  expect(of("object.overdue")).toEqual([]);
});

test("rotation.lost and object.seen", async () => {
  bench.setPolicy([objectOf("lost")]);
  await bench.setState("lost", { phase: "grace", rotationId: "r-1" });
  await sweep({ ...bench.deps, log, stop: true }, { ...bench.engine, running: async () => undefined });
  const facts = { object: "lost", phase: "grace", rotationId: "r-1" };
  expect(of("rotation.lost")).toEqual([{ counter: "rotation.lost", ...facts }]);
  expect(of("object.seen")).toEqual([{ counter: "object.seen", ...facts, since: "", dueAt: "", expiresAt: "" }]);
});

test("rotation.recovered: where its record stood", async () => {
  const { steps, vault, records, given } = stage({ log });
  await vault.vault.write("db", { value: "source-value", tags: {} }, AbortSignal.timeout(1000));
  const actor = { kind: "timer", id: "sweep", roles: [] } as const;
  records.become({ phase: "idle", rotationId: "r-0" });
  records.commands.push({ id: "start", verb: "start", rotationId: "r-1", version: "v0", actor, at: "" });
  await steps.preflight(given);
  records.become({ phase: "grace" });
  expect(await steps.preflight({ ...given, takeUp: true })).toMatchObject({ ok: true });
  const facts = { object: "db", rotationId: "r-1", phase: "grace" };
  expect(of("rotation.recovered")).toEqual([{ counter: "rotation.recovered", ...facts }]);
});

test("record.rebuilt: once, and whether the former version is still enabled", async () => {
  bench.setPolicy([objectOf("rebuilt")]);
  const former = await bench.local.put("rebuilt", "{}");
  await bench.local.put("rebuilt", "{}", { tags: { "pinion-rotation": "r-7", "pinion-previous": former } });
  for (let sweeps = 0; sweeps < 2; sweeps++) await sweep({ ...bench.deps, log, stop: true }, bench.engine);
  const facts = { object: "rebuilt", rotationId: "r-7", formerEnabled: true };
  expect(of("record.rebuilt")).toEqual([{ counter: "record.rebuilt", ...facts }]);
});

const weekly = { window: { cron: "0 3 * * 0", duration: "PT2H", timeZone: "UTC" } };

test.each<[string, number, Record<string, unknown>, boolean]>([
  ["due since an hour", 30 - 1 / 24, {}, false],
  ["due for two days", 28, {}, true],
  ["due for two days, with a window", 28, weekly, false],
  ["due for a quarter of its time, with a window", 22, weekly, true],
  ["expired", -1, {}, true],
])("object.overdue: %s", async (_name, days, object, overdue) => {
  const expiresOn = new Date(at + days * day);
  await sweepOne(expiresOn, object);
  const dueAt = new Date(expiresOn.getTime() - 30 * day).toISOString();
  const facts = { counter: "object.overdue", object: "db", dueAt, expiresAt: expiresOn.toISOString() };
  expect(of("object.overdue")).toEqual(overdue ? [facts] : []);
});

test("events.*: one for each event", async () => {
  const deps = { ...bench.deps, log };
  bench.setPolicy([objectOf("db"), objectOf("quarantined")]);
  await bench.setState("quarantined", { quarantined: true });
  const version = "a".repeat(32);
  const event = eventOf("EventGrid", version);
  const other = eventOf("EventGrid", version, "db", { topic: "/subscriptions/0/another" });
  for (const [raw, kind] of [
    [event, "started"],
    [event, "running"],
    [eventOf("EventGrid", version, "unknown"), "ignored"],
    [eventOf("EventGrid", version, "quarantined"), "refused"],
    ["nonsense", "malformed"],
    [other, "foreign"],
  ] as const) {
    heard.length = 0;
    await handleEvent(deps, bench.engine, raw);
    expect(heard).toEqual([{ counter: `events.${kind}` }]);
  }
});

test("vault.forbidden and vault.throttled name the vault, once for each refusal", async () => {
  const local = await openLocalVault();
  const credential = { getToken: async () => ({ token: "anybody", expiresOnTimestamp: Date.now() + day }) };
  const vault = openSecrets(local.uri, credential, log);
  for (const [status, counter] of [
    [403, "vault.forbidden"],
    [429, "vault.throttled"],
  ] as const) {
    heard.length = 0;
    local.control.addFault({ operation: "secret.get", kind: "status", status });
    await expect(vault.latest("db", AbortSignal.timeout(5000))).rejects.toBeInstanceOf(PinionError);
    expect(heard).toEqual([{ counter, vault: new URL(local.uri).host }]);
  }
  heard.length = 0;
  await expect(vault.latest("nobody", AbortSignal.timeout(5000))).rejects.toMatchObject({ code: "SECRET_NOT_FOUND" });
  expect(heard).toEqual([]);
  await local.close();
});

test("settings.faulty: the app starts, and says so", () => {
  const main = join(import.meta.dirname, "..", "src", "main.ts");
  const env = { PATH: process.env["PATH"], PINION_STOP: "perhaps" };
  const { stderr } = spawnSync(
    process.execPath,
    ["--input-type=module", "-e", `await import(${JSON.stringify(main)})`],
    {
      env,
      encoding: "utf8",
    },
  );
  expect(stderr).toContain('{"counter":"settings.faulty","faults":2}');
  everHeard.add("settings.faulty");
});

test("each signal was heard above, with the facts that are declared for it", () => {
  expect([...everHeard].toSorted()).toEqual(Object.keys(signals).toSorted());
});

test("a line ends with the facts as flat JSON, the counter first, as queries read it", () => {
  const line = logLine("a rotation {of} db", { counter: "rotation.started", object: "db", rotationId: "r-1" });
  expect(/(\{"counter":[^{}]*\})$/.exec(line)?.[1]).toBe(
    '{"counter":"rotation.started","object":"db","rotationId":"r-1"}',
  );
  expect(logLine("nothing")).toBe("nothing");
});

test("a wrong name, or a missing fact, does not compile", () => {
  const written: Facts[] = [
    // @ts-expect-error -- no such counter
    { counter: "rotation.begun", object: "db", rotationId: "r" },
    // @ts-expect-error -- no rotationId
    { counter: "rotation.started", object: "db" },
  ];
  expect(written).toHaveLength(2);
});
