import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { handleEvent } from "../../src/triggers/key-vault-events.ts";
import { newRotationId, requestStart } from "../../src/triggers/request.ts";
import { sweep } from "../../src/triggers/sweep.ts";
import { findSubject } from "../../src/activities/deps.ts";
import type { Actor } from "../../src/store/types.ts";
import { eventOf, objectOf, openTriggers } from "./bench.ts";

const day = 86_400_000;
let bench: Awaited<ReturnType<typeof openTriggers>>;
beforeAll(async () => void (bench = await openTriggers()));
afterAll(() => bench.close());

let count = 0;
let name = "";
let version = "";
const expiring = (days: number) => ({ expiresOn: new Date(bench.local.clock.now() + days * day) });
beforeEach(async () => {
  name = `db-${++count}`;
  bench.setPolicy([objectOf(name)]);
  bench.starts.length = 0;
  bench.started.clear();
  bench.log.length = 0;
  for (const [object, rotationId] of Object.entries((await bench.deps.fleet.open()).active))
    await bench.deps.fleet.release(object, rotationId);
  version = await bench.local.put(name, "{}", expiring(10));
});

const look = (stop = false) => sweep({ ...bench.deps, stop }, bench.engine);
const iso = (days: number) => new Date(bench.local.clock.now() + days * day).toISOString();
const person: Actor = { kind: "person", id: "someone", roles: [] };
const ask = async (actor: Actor, key: string, wanted = version) => {
  const subject = await findSubject(bench.deps, name);
  if (subject === undefined) throw new Error("no such object");
  return requestStart(bench.deps, bench.engine, { subject, version: wanted, actor, key });
};
const timer: Actor = { kind: "timer", id: "sweep", roles: [] };

test("what is due is started once, by the timer; what is not due is only reported", async () => {
  const fresh = `${name}-fresh`;
  await bench.local.put(fresh, "{}", expiring(31));
  bench.setPolicy([objectOf(name), objectOf(fresh)]);
  expect(await look()).toEqual({ seen: 2, due: 1, started: 1, faults: 0 });
  expect(bench.starts.map(({ instance }) => instance)).toEqual([bench.key(name)]);
  const { commands } = await bench.deps.records.read(bench.key(name), bench.starts[0]?.rotationId);
  expect(commands).toEqual([expect.objectContaining({ version, actor: timer })]);
  expect((await bench.state(fresh)).report).toMatchObject({ notes: [] });
  expect(await look()).toMatchObject({ due: 1, started: 0 });
  expect(bench.starts).toHaveLength(1);
});

describe("the current version of what may be rotated", () => {
  const asked = () => bench.local.control.log().map(({ operation }) => operation);
  const since = async (act: () => Promise<unknown>) => {
    const before = asked().length;
    await act();
    return asked()
      .slice(before)
      .filter((operation) => operation !== "secret.list");
  };
  const current = async (object: string) => (await bench.state(object)).report?.current?.version;
  let fresh = "";
  let made = "";
  beforeEach(async () => {
    fresh = `${name}-fresh`;
    made = await bench.local.put(fresh, "{}", expiring(60));
    bench.setPolicy([objectOf(fresh)]);
  });

  test("is told, and asked for once for each version, without its value", async () => {
    expect(await since(look)).toEqual(["secret.versions"]);
    expect(await current(fresh)).toBe(made);
    expect(await since(look)).toEqual([]);
    bench.local.clock.advance(1_000);
    const next = await bench.local.put(fresh, "{}", expiring(60));
    expect(await since(look)).toEqual(["secret.versions"]);
    expect(await current(fresh)).toBe(next);
    expect(await since(look)).toEqual([]);
  });

  test("costs nothing where it was read anyway", async () => {
    bench.setPolicy([objectOf(name)]);
    await bench.setState(name, { quarantined: true });
    expect(await since(look)).not.toContain("secret.versions");
    expect(await current(name)).toBe(version);
  });

  test("is not asked for where nobody may start it: observed, disabled, or under the kill switch", async () => {
    const off = `${name}-disabled`;
    await bench.local.put(off, "{}", { enabled: false, ...expiring(60) });
    bench.setPolicy([objectOf(fresh, { mode: "observe" }), objectOf(off)]);
    expect(await since(look)).toEqual([]);
    bench.setPolicy([objectOf(fresh)]);
    expect(await since(() => look(true))).toEqual([]);
    expect(await current(fresh)).toBeUndefined();
  });

  test("is not guessed: of two that were made in one second neither is named", async () => {
    await bench.local.put(fresh, "{}", expiring(60));
    await look();
    expect((await bench.state(fresh)).report?.notes).toEqual([]);
    expect(await current(fresh)).toBeUndefined();
  });

  test("keeps nothing from being looked at when it cannot be read", async () => {
    bench.local.control.addFault({ operation: "secret.versions", kind: "status", status: 403 });
    expect(await look()).toMatchObject({ seen: 1, faults: 0 });
    expect((await bench.state(fresh)).report).toMatchObject({ notes: [], expiresAt: iso(60) });
    expect(await current(fresh)).toBeUndefined();
    await look();
    expect(await current(fresh)).toBe(made);
  });
});

test("an event and the sweep at once are one rotation", async () => {
  await Promise.all([look(), handleEvent(bench.deps, bench.engine, eventOf("EventGrid", version, name)), look()]);
  expect(bench.starts).toHaveLength(1);
});

test("one object's fault stops no other, and each is said", async () => {
  const [gone, off, forever] = [`${name}-gone`, `${name}-off`, `${name}-forever`];
  await bench.local.put(off, "{}", { enabled: false, ...expiring(1) });
  await bench.local.put(forever, "{}");
  bench.setPolicy([gone, off, forever, name].map((one) => objectOf(one)));
  expect(await look()).toEqual({ seen: 4, due: 1, started: 1, faults: 0 });
  for (const [object, note] of [
    [gone, "does not exist"],
    [off, "newest version is disabled"],
    [forever, "no expiry date"],
  ] as const)
    expect((await bench.state(object)).report?.notes.join()).toContain(note);
});

test("a vault that fails is a fault of its objects, told with its code", async () => {
  bench.local.control.addFault({ operation: "secret.list", kind: "status", status: 403 });
  expect(await look()).toMatchObject({ seen: 1, started: 0, faults: 1 });
  expect(bench.log.map(({ message }) => message).join("\n")).toContain(`sweep of ${name}: VAULT_FORBIDDEN`);
  expect(await look()).toMatchObject({ started: 1, faults: 0 });
});

test("the kill switch stops it, and its removal does not need an event", async () => {
  expect(await look(true)).toMatchObject({ due: 1, started: 0 });
  expect(await look()).toMatchObject({ started: 1 });
});

describe("what was refused is remembered, and acted on", () => {
  test("retryNotBefore: obeyed by events and sweep, passed by a person, over when it is over", async () => {
    await bench.setState(name, { retryNotBefore: iso(1), attempts: 1 });
    const handled = await handleEvent(bench.deps, bench.engine, eventOf("CloudEvents", version, name));
    expect(handled).toMatchObject({ kind: "refused", why: expect.stringContaining("tried again after") });
    expect((await bench.state(name)).remembered).toMatchObject({ version });
    expect(await look()).toMatchObject({ due: 1, started: 0 });
    bench.local.clock.advance(day + 1000);
    expect(await look()).toMatchObject({ started: 1 });
  });

  test("a person passes back-off and quarantine; events and sweep pass neither", async () => {
    await bench.setState(name, { retryNotBefore: iso(1), quarantined: true, attempts: 5 });
    expect(await look()).toMatchObject({ started: 0 });
    bench.local.clock.advance(30 * day);
    version = await bench.local.put(name, "{}", expiring(10));
    expect(await look()).toMatchObject({ due: 1, started: 0 });
    expect((await bench.state(name)).remembered?.why).toContain("start it by hand");
    expect(await ask(person, "by hand")).toMatchObject({ kind: "started" });
  });

  test("a request that came in the grace is served when the place is free, though the version is young", async () => {
    // As after the cutover: our own version is the newest, and a person wants it rotated again.
    const young = await bench.local.put(name, "{}", expiring(90));
    const state = {
      phase: "grace",
      rotationId: "r-000000001-x",
      sourceVersion: version,
      publishedVersion: young,
      publishedAt: iso(0),
      superseded: [version],
    } as const;
    await bench.setState(name, state);
    bench.started.set(bench.key(name), "r-000000001-x");
    expect(await ask(person, "again", young)).toMatchObject({ kind: "refused", code: "NO_FREE_SLOT" });
    // Nobody's event makes it older, nor the sweep while the rotation runs.
    expect(await look()).toMatchObject({ started: 0 });
    bench.started.clear();
    await bench.setState(name, { phase: "idle", outcome: "rotated" });
    expect(await look()).toMatchObject({ due: 0, started: 1 });
    // The sweep starts it, and says for whom.
    const { commands } = await bench.deps.records.read(bench.key(name), bench.starts.at(-1)?.rotationId);
    expect(commands).toEqual([
      expect.objectContaining({
        actor: { kind: "timer", id: "sweep", roles: [] },
        reason: expect.stringContaining(person.id),
      }),
    ]);
  });

  test("of a version that is over by then, nothing comes", async () => {
    const young = await bench.local.put(name, "{}", expiring(90));
    await bench.setState(name, {
      remembered: { version, at: iso(0), why: "then" },
      superseded: [version],
      publishedVersion: young,
      publishedAt: iso(0),
    });
    expect(await look()).toMatchObject({ started: 0 });
    expect((await bench.state(name)).report?.notes.join()).toContain("a version that is over");
  });

  test("the fleet's caps: refused, remembered, and started when a place is given back", async () => {
    const other = `${name}-other`;
    await bench.local.put(other, "{}", expiring(5));
    bench.setPolicy([objectOf(name), objectOf(other)], { limits: { concurrent: 1, perDay: 5000 } });
    expect(await look()).toMatchObject({ due: 2, started: 1 });
    expect((await bench.state(other)).remembered?.why).toContain("limits.concurrent");
    // The first one ends.
    await bench.setState(name, { superseded: [version] });
    bench.started.clear();
    await bench.deps.fleet.release(bench.key(name), bench.starts[0]?.rotationId ?? "");
    expect(await look()).toMatchObject({ started: 1 });
    expect(bench.starts.map(({ instance }) => instance)).toEqual([bench.key(name), bench.key(other)]);
  });

  test("an open breaker stops events and sweep until a person starts one", async () => {
    bench.setPolicy([objectOf(name)], { limits: { concurrent: 500, perDay: 5000, breaker: { failures: 2 } } });
    const subject = await findSubject(bench.deps, name);
    const target = `target:${subject?.rotator.account(subject.object.rotator.target) ?? ""}`;
    for (const rotationId of ["r-1", "r-2"]) await bench.deps.fleet.tell([target], rotationId, true);
    expect(await look()).toMatchObject({ started: 0 });
    expect((await bench.state(name)).remembered?.why).toContain("start one by hand");
    expect(await ask(person, "go on")).toMatchObject({ kind: "started" });
  });
});

test("a place whose rotation never came to run is given back", async () => {
  const dead = { object: "kv--secret--dead", rotationId: "r-dead", breakers: [], byPerson: false, at: iso(0) };
  await bench.deps.fleet.claim({ ...dead, limits: { concurrent: 500, perDay: 5000, breakerFailures: 5 } });
  await look();
  const { active } = await bench.deps.fleet.open();
  expect(Object.keys(active)).toEqual([bench.key(name)]);
});

describe("a start", () => {
  test("under one key is one rotation for ever: after its end it is told so, also when others came since", async () => {
    const first = await ask(person, "key-1");
    expect(first).toMatchObject({ kind: "started" });
    const rotationId = "rotationId" in first ? first.rotationId : "";
    expect(await ask(person, "key-1")).toEqual({ kind: "running", rotationId });
    for (const last of [rotationId, newRotationId(bench.local.clock.now(), rotationId)]) {
      bench.started.clear();
      bench.starts.length = 0;
      await bench.setState(name, { phase: "idle", rotationId: last, outcome: "failed" });
      expect(await ask(person, "key-1")).toMatchObject({ kind: "ignored", why: expect.stringContaining(rotationId) });
      expect(bench.starts).toEqual([]);
      expect((await bench.deps.fleet.open()).active).toEqual({});
    }
    expect(await ask(person, "key-2")).toMatchObject({ kind: "started" });
  });

  test("beside a running one is answered with the one that runs", async () => {
    const replies = await Promise.all(Array.from({ length: 10 }, (_, n) => ask(person, `key-${n}`)));
    expect(bench.starts).toHaveLength(1);
    const { rotationId } = bench.starts[0] ?? { rotationId: "" };
    for (const reply of replies) expect(reply).toMatchObject({ rotationId });
    expect((await bench.deps.fleet.open()).active).toEqual({ [bench.key(name)]: rotationId });
  });

  test("ids of an object's rotations rise, also on an instance whose clock is behind", () => {
    const now = Date.UTC(2026, 0, 1);
    let last: string | undefined;
    for (const at of [now, now, now - 60_000, now + 1, now - 3_600_000]) {
      const next = newRotationId(at, last);
      expect(next).toMatch(/^r-[0-9a-z]{9}-[0-9a-f]{8}$/);
      expect(next > (last ?? "")).toBe(true);
      last = next;
    }
    expect(newRotationId(now, "nonsense").slice(0, 12)).toBe(newRotationId(now).slice(0, 12));
  });
});
