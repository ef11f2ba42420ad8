import * as fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { handleEvent } from "../../src/triggers/key-vault-events.ts";
import { eventOf, objectOf, openTriggers, vaultId, vaultName } from "./bench.ts";

// Both ways in, the queue and the webhook, call this one handler. Whatever comes is acknowledged (nothing is thrown), counted, explained.

let bench: Awaited<ReturnType<typeof openTriggers>>;
beforeAll(async () => void (bench = await openTriggers()));
afterAll(() => bench.close());

let count = 0;
let name = "";
beforeEach(() => {
  name = `db-${++count}`;
  bench.setPolicy([objectOf(name)]);
  bench.starts.length = 0;
  bench.log.length = 0;
});

const handle = (event: unknown) => handleEvent(bench.deps, bench.engine, event);
const schemas = ["EventGrid", "CloudEvents"] as const;
const version = "a".repeat(32);

/** One line for each event, with its counter. */
const explained = (kind: string, why: RegExp) => {
  expect(bench.log).toHaveLength(1);
  expect(bench.log[0]).toMatchObject({ message: expect.stringMatching(why), facts: { counter: `events.${kind}` } });
};

describe.each(schemas)("in %s's schema", (schema) => {
  test.each(["as an object", "as text"])(
    "an event %s starts one rotation, with a record of who asked",
    async (form) => {
      const event = eventOf(schema, version, name);
      expect(await handle(form === "as text" ? JSON.stringify(event) : event)).toMatchObject({ kind: "started" });
      explained("started", /rotation r-/);
      const rotationId = bench.starts[0]?.rotationId;
      const { commands } = await bench.deps.records.read(bench.key(name), rotationId);
      expect(commands).toEqual([
        expect.objectContaining({ verb: "start", version, actor: { kind: "vault", id: vaultId, roles: [] } }),
      ]);
    },
  );

  test("twenty duplicates at once are one rotation, and use one start of the day", async () => {
    const before = (await bench.deps.fleet.open()).started;
    const handled = await Promise.all(Array.from({ length: 20 }, () => handle(eventOf(schema, version, name))));
    expect(bench.starts).toHaveLength(1);
    expect(handled.filter(({ kind }) => kind === "started")).toHaveLength(1);
    for (const { kind } of handled) expect(["started", "running"]).toContain(kind);
    expect((await bench.deps.fleet.open()).started - before).toBe(1);
  });

  test("names in other letters and with stray blanks, as the documentation's sample has them", async () => {
    const data = { " vaultname": vaultName.toUpperCase(), "ObjectName ": name, OBJECTTYPE: "secret", version };
    const id = { [schema === "EventGrid" ? "topic" : "source"]: vaultId.toUpperCase() };
    expect(await handle(eventOf(schema, version, name, { data, ...id }))).toMatchObject({ kind: "started" });
  });

  test.each<[string, () => object, string, RegExp]>([
    [
      "another vault by its ARM id",
      () => ({ topic: `${vaultId}x`, source: `${vaultId}x` }),
      "foreign",
      /not in the policy/,
    ],
    [
      "another vault by its name",
      () => ({ data: { VaultName: "kv-other", ObjectType: "Secret", ObjectName: name, Version: version } }),
      "foreign",
      /not in the policy/,
    ],
    [
      "a version that is not due by its policy yet",
      () => ({
        data: {
          VaultName: vaultName,
          ObjectType: "Secret",
          ObjectName: name,
          Version: version,
          EXP: String(Date.UTC(2036, 0, 1) / 1000),
        },
      }),
      "ignored",
      /not due by its policy yet/,
    ],
    [
      "an event of another kind",
      () => ({
        eventType: "Microsoft.KeyVault.SecretNewVersionCreated",
        type: "Microsoft.KeyVault.SecretNewVersionCreated",
      }),
      "ignored",
      /asks for nothing/,
    ],
    [
      "a certificate of a secret's name",
      () => ({ data: { VaultName: vaultName, ObjectType: "Certificate", ObjectName: name, Version: version } }),
      "ignored",
      /is not in the policy/,
    ],
    [
      "an object of another kind",
      () => ({ data: { VaultName: vaultName, ObjectType: "Sas", ObjectName: name, Version: version } }),
      "ignored",
      /not rotated here/,
    ],
    [
      "a secret that nobody declared",
      () => ({ data: { VaultName: vaultName, ObjectType: "Secret", ObjectName: "unknown", Version: version } }),
      "ignored",
      /unknown is not in the policy/,
    ],
    [
      "a staging secret",
      () => ({ data: { VaultName: vaultName, ObjectType: "Secret", ObjectName: "pinion-stage-00", Version: version } }),
      "ignored",
      /staging object/,
    ],
    ["no data", () => ({ data: null }), "malformed", /not a Key Vault event/],
    [
      "no version",
      () => ({ data: { VaultName: vaultName, ObjectType: "Secret", ObjectName: name } }),
      "malformed",
      /not a Key Vault event/,
    ],
    ["a type that is no text", () => ({ eventType: 7, type: 7 }), "malformed", /not a Key Vault event/],
  ])("%s is acknowledged and explained", async (_name, change, kind, why) => {
    expect(await handle(eventOf(schema, version, name, change()))).toMatchObject({ kind });
    explained(kind, why);
    expect(bench.starts).toEqual([]);
    expect(await bench.state(name)).toMatchObject({ phase: "idle", attempts: 0 });
  });

  test("an event for a version that is over, in whatever order, starts nothing", async () => {
    await bench.setState(name, { superseded: [version, "b".repeat(32)] });
    for (const old of ["b".repeat(32), version])
      expect(await handle(eventOf(schema, old, name))).toMatchObject({
        kind: "ignored",
        why: expect.stringContaining("no longer current"),
      });
    expect(bench.starts).toEqual([]);
  });

  test("a near-expiry event for a version that we wrote a moment ago starts nothing; when it is due, it does", async () => {
    const now = new Date(bench.local.clock.now()).toISOString();
    await bench.setState(name, { publishedVersion: version, publishedAt: now });
    expect(await handle(eventOf(schema, version, name))).toMatchObject({
      kind: "ignored",
      why: expect.stringContaining("short while ago"),
    });
    expect(bench.starts).toEqual([]);
    bench.local.clock.advance(60 * 86_400_000);
    expect(await handle(eventOf(schema, version, name))).toMatchObject({ kind: "started" });
  });

  test("for an object with faults, or while the policy cannot be read, it is explained", async () => {
    bench.setPolicy([objectOf(name, { grace: "soon" })]);
    expect(await handle(eventOf(schema, version, name))).toMatchObject({
      kind: expect.stringMatching(/refused|ignored/),
    });
    bench.setPolicy([objectOf(name)], { version: 2 });
    expect(await handle(eventOf(schema, version, name))).toMatchObject({
      kind: expect.stringMatching(/refused|foreign/),
    });
    expect(bench.starts).toEqual([]);
  });

  test("with the kill switch on", async () => {
    const handled = await handleEvent({ ...bench.deps, stop: true }, bench.engine, eventOf(schema, version, name));
    expect(handled).toMatchObject({ kind: "refused", why: expect.stringContaining("PINION_STOP") });
    expect(bench.starts).toEqual([]);
  });
});

test("anything at all: never thrown, never a rotation, one explained line each, nothing of it quoted at length", async () => {
  const junk = fc.oneof(
    fc.anything({ withNullPrototype: true, maxDepth: 3 }),
    fc.json(),
    fc.string({ unit: "binary" }),
    fc.array(fc.constantFrom(...schemas.map((schema) => eventOf(schema, version, "db")))),
    // Almost an event: some of its members are something else.
    fc
      .tuple(
        fc.constantFrom(...schemas),
        fc.dictionary(
          fc.constantFrom("topic", "source", "type", "eventType", "data"),
          fc.oneof(fc.anything(), fc.string({ maxLength: 3000 })),
          { minKeys: 1 },
        ),
      )
      .map(([schema, members]) => ({ ...eventOf(schema, version, "nobody"), ...members })),
    fc
      .dictionary(
        fc.constantFrom("VaultName", "ObjectName", "ObjectType", "Version", "__proto__", "constructor"),
        fc.oneof(fc.string({ maxLength: 3000 }), fc.integer(), fc.constant(null)),
      )
      .map((data) => eventOf("EventGrid", version, "nobody", { data })),
  );
  await fc.assert(
    fc.asyncProperty(junk, async (raw) => {
      bench.log.length = 0;
      const handled = await handle(raw);
      expect(["malformed", "foreign", "ignored"]).toContain(handled.kind);
      expect(bench.log).toHaveLength(1);
      expect(bench.log[0]?.message.length).toBeLessThan(400);
    }),
    { numRuns: 1500 },
  );
  expect(bench.starts).toEqual([]);
}, 60_000);

test("only a fault of storage is thrown, so that the event comes again", async () => {
  const broken = { ...bench.deps, records: { ...bench.deps.records, read: () => Promise.reject(new Error("gone")) } };
  await expect(handleEvent(broken, bench.engine, eventOf("EventGrid", version, name))).rejects.toThrow("gone");
});
