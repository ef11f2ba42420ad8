import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { emptyState, openRecords, type Records } from "../../src/store/records.ts";
import type { Command } from "../../src/store/types.ts";
import { openAzurite } from "./storage.ts";
import { scriptedTable } from "./table.ts";

let store: Awaited<ReturnType<typeof openAzurite>>;
beforeAll(async () => void (store = await openAzurite()));
afterAll(() => store.close());

let count = 0;
const fresh = () => `kv--secret--object-${++count}`;
const commandOf = (verb: Command["verb"], rotationId: string, id: string = verb): Command => ({
  id,
  verb,
  rotationId,
  version: "v1",
  at: "2026-01-01T00:00:00.000Z",
  actor: { kind: "key", id: "function key", roles: [] },
});

// The scripted table of the race tests is held to the same behaviour as a real one.
describe.each([
  ["Azurite", (): Records => openRecords(store.storage.records)],
  ["the scripted table", (): Records => scripted],
])("records on %s", (_name, open) => {
  test("nothing is there at first, and the first write wins", async () => {
    const [records, object] = [open(), fresh()];
    expect(await records.read(object)).toEqual({ state: { value: emptyState, etag: "" }, commands: [] });
    const etag = await records.write(object, { ...emptyState, attempts: 1 }, "");
    expect(etag).toMatch(/^W\//);
    expect(await records.write(object, { ...emptyState, attempts: 2 }, "")).toBeUndefined();
    expect((await records.read(object)).state.value.attempts).toBe(1);
  });

  test("a state of any length comes back whole, and a short one after it too", async () => {
    const [records, object] = [open(), fresh()];
    const notes = Array.from({ length: 2_000 }, (_, at) => `consumer-${at} is pinned to ${"x".repeat(60)}`);
    const long = { ...emptyState, report: { at: "", notes } };
    const etag = (await records.write(object, long, "")) ?? "";
    expect((await records.read(object)).state.value).toEqual(long);
    await records.write(object, emptyState, etag);
    expect((await records.read(object)).state.value).toEqual(emptyState);
  });

  test("a write on top of what is no longer there is refused, and changes nothing", async () => {
    const [records, object] = [open(), fresh()];
    const first = (await records.write(object, emptyState, "")) ?? "";
    const second = (await records.write(object, { ...emptyState, attempts: 1 }, first)) ?? "";
    expect(second).not.toBe(first);
    expect(await records.write(object, { ...emptyState, attempts: 2 }, first)).toBeUndefined();
    expect((await records.read(object)).state).toEqual({ value: { ...emptyState, attempts: 1 }, etag: second });
  });

  test("a command is recorded with the state it was given for, or not at all", async () => {
    const [records, object] = [open(), fresh()];
    await records.write(object, { ...emptyState, rotationId: "r-1" }, "");
    const { state } = await records.read(object);
    await records.write(object, { ...state.value, pointOfNoReturn: true }, state.etag);
    expect(await records.command(object, commandOf("rollback", "r-1"), state)).toBe(false);
    expect((await records.read(object, "r-1")).commands).toEqual([]);

    const now = (await records.read(object)).state;
    expect(await records.command(object, commandOf("rollback", "r-1"), now)).toBe(true);
    expect(await records.write(object, now.value, now.etag)).toBeUndefined();
    const after = await records.read(object, "r-1");
    expect(after.commands.map(({ verb }) => verb)).toEqual(["rollback"]);
    expect(after.state.value.lastCommand).toBe("rollback");
  });

  test("commands are those of one rotation only, whatever its id looks like", async () => {
    const [records, object, other] = [open(), fresh(), fresh()];
    await records.start(object, "k1", commandOf("start", "r-1"));
    await records.start(object, "k2", commandOf("start", "r-12"));
    await records.start(other, "k1", commandOf("start", "r-1"));
    await records.write(other, { ...emptyState, rotationId: "r-1" }, "");
    for (const [rotationId, found] of [
      ["r-1", ["r-1"]],
      ["r-12", ["r-12"]],
      ["r-", []],
      ["r-1!start", []],
      ["", []],
      ["~", []],
    ] as const)
      expect((await records.read(object, rotationId)).commands.map((command) => command.rotationId)).toEqual(found);
  });

  test("a key is one request: all twenty get the first one's command", async () => {
    const [records, object] = [open(), fresh()];
    const given = await Promise.all(
      Array.from({ length: 20 }, (_, at) => records.start(object, "same", commandOf("start", `r-${at}`))),
    );
    expect(new Set(given.map(({ rotationId }) => rotationId)).size).toBe(1);
    const [{ rotationId }] = given as [Command];
    for (let at = 0; at < 20; at++)
      expect((await records.read(object, `r-${at}`)).commands).toHaveLength(`r-${at}` === rotationId ? 1 : 0);
    expect((await records.start(object, "another", commandOf("start", "r-99"))).rotationId).toBe("r-99");
    // A key belongs to its object.
    expect((await records.start(fresh(), "same", commandOf("start", "r-98"))).rotationId).toBe("r-98");
  });
});
const scripted = openRecords(scriptedTable(() => Promise.resolve()));

test("a rotation id that would break out of the query finds nothing of others", async () => {
  const records = openRecords(store.storage.records);
  const [object, other] = [fresh(), fresh()];
  await records.write(other, { ...emptyState, rotationId: "r-1" }, "");
  await records.start(other, "k", commandOf("start", "r-1"));
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.constantFrom(`x') or PartitionKey ne '`, `x' or RowKey eq 'state`, `') or (RowKey ne 'x`, "''", "'"),
        fc.string({ unit: "grapheme-ascii", maxLength: 60 }),
      ),
      async (rotationId) => {
        expect(await records.read(object, rotationId)).toEqual({
          state: { value: emptyState, etag: "" },
          commands: [],
        });
      },
    ),
    { numRuns: 60 },
  );
});

test("all objects' states, and no command among them", async () => {
  const records = openRecords(store.storage.records);
  const mine = Array.from({ length: 30 }, fresh);
  await Promise.all(mine.map((object) => records.write(object, emptyState, "")));
  await records.start(fresh(), "k", commandOf("start", "r-1"));
  const all = await records.all();
  expect(mine.every((object) => all.some((one) => one.object === object))).toBe(true);
  expect(all.every(({ state }) => state.phase === "idle")).toBe(true);
});

test("a row that was changed by hand is said to be so, without its text", async () => {
  const object = fresh();
  await store.storage.records.createEntity({ partitionKey: object, rowKey: "state", json: "canary-1{" });
  const error = await openRecords(store.storage.records)
    .read(object)
    .catch((fault: unknown) => fault);
  expect(error).toMatchObject({ code: "STORAGE_UNAVAILABLE", message: expect.stringContaining("not JSON") });
  expect((error as Error).message).not.toContain("canary");
});

test("storage that is gone is a fault that passes", async () => {
  const gone = store.azurite.connectionString.replaceAll(/:\d+\//g, ":1/");
  const { openStorage } = await import("../../src/store/storage.ts");
  const { noIdentity } = await import("./storage.ts");
  const storage = openStorage({ connectionString: gone }, noIdentity);
  for (const ask of [() => storage.ready(), () => openRecords(storage.records).read("x")])
    await expect(ask()).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE", class: "transient" });
});
