import fs, { readFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { openJournal } from "../../local/vault/journal.ts";
import { tempDir, testVault } from "./support.ts";

// What is on the disk, and when. The disk is Node's own, but for when its flushes end.

const key = Buffer.alloc(32, 7);

/** Takes over the flushes of this process: each one waits until it is let go, or fails. */
function holdFlushes() {
  const waiting: ((error: Error | null) => void)[] = [];
  const real = fs.fdatasync;
  fs.fdatasync = ((_: number, done: (error: Error | null) => void) => void waiting.push(done)) as typeof real;
  syncBuiltinESMExports();
  onTestFinished(() => {
    fs.fdatasync = real;
    syncBuiltinESMExports();
  });
  return waiting;
}

function open(file = join(tempDir(), "a.journal")) {
  const records: number[] = [];
  const journal = openJournal<number>(
    file,
    key,
    (record) => void records.push(record),
    () => records,
  );
  return { file, journal, records };
}

test("many writes share one flush; each waits for one that began after it", async () => {
  const flushes = holdFlushes();
  const { journal } = open();
  expect(journal.durable(), "nothing was written").toBeUndefined();
  const done: string[] = [];
  const wait = (name: string) => void journal.durable()!.then(() => done.push(name));
  journal.append(1);
  wait("one");
  await Promise.resolve();
  for (const number of [2, 3, 4]) {
    journal.append(number);
    wait(String(number));
  }
  await vi.waitFor(() => expect(flushes).toHaveLength(1));
  expect(done).toEqual([]);
  flushes.shift()!(null);
  await vi.waitFor(() => expect(flushes, "one flush for the three that came meanwhile").toHaveLength(1));
  expect(done).toEqual(["one"]);
  flushes.shift()!(null);
  await vi.waitFor(() => expect(done).toEqual(["one", "2", "3", "4"]));
  expect(journal.durable()).toBeUndefined();
});

test("no answer before the flush; a read of what is not flushed waits, too", async () => {
  const { ask } = await testVault();
  const flushes = holdFlushes();
  const answers: string[] = [];
  const note = (what: string) => (answer: { status: number }) => void answers.push(`${what} ${answer.status}`);
  const set = ask("PUT", "/secrets/a", { body: { value: "v" } }).then(note("set"));
  await vi.waitFor(() => expect(flushes).toHaveLength(1));
  const get = ask("GET", "/secrets/a").then(note("get"));
  await vi.waitFor(async () => expect(flushes).toHaveLength(1));
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(answers).toEqual([]);
  flushes.shift()!(null);
  await vi.waitFor(() => expect(answers).toContain("set 200"));
  flushes.shift()?.(null);
  await Promise.all([set, get]);
  expect(answers.sort()).toEqual(["get 200", "set 200"]);
});

test("a disk that fails: the request is not answered with success, and nothing is taken any more", async () => {
  const spoken = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const { ask, close } = await testVault();
  await ask("PUT", "/secrets/a", { body: { value: "v" } });
  const flushes = holdFlushes();
  const set = ask("PUT", "/secrets/b", { body: { value: "v" } });
  await vi.waitFor(() => expect(flushes).toHaveLength(1));
  flushes.shift()!(new Error("EIO"));
  expect((await set).status).toBe(500);
  expect((await ask("PUT", "/secrets/c", { body: { value: "v" } })).status).toBe(500);
  await close();
  spoken.mockRestore();
});

test("a rewritten journal holds what it was rewritten with and what came after, while a flush is under way", async () => {
  const flushes = holdFlushes();
  const { file, journal } = open();
  for (const number of [1, 2, 3]) journal.append(number);
  const before = journal.durable();
  await vi.waitFor(() => expect(flushes).toHaveLength(1));
  journal.rewrite([7, 8]);
  expect(journal.durable(), "a rewrite is flushed when it returns").toBeUndefined();
  journal.append(9);
  flushes.shift()!(null);
  await before;
  const last = journal.durable();
  await vi.waitFor(() => expect(flushes).toHaveLength(1));
  flushes.shift()!(null);
  await last;
  await journal.close();
  expect(open(file).records).toEqual([7, 8, 9]);
  expect(readFileSync(file, "latin1").split("\n")).toHaveLength(4);
});

test("closing flushes what nobody waited for", async () => {
  const flushes = holdFlushes();
  const { file, journal } = open();
  journal.append(1);
  let closed = false;
  const closing = journal.close().then(() => (closed = true));
  await vi.waitFor(() => expect(flushes).toHaveLength(1));
  expect(closed).toBe(false);
  flushes.shift()!(null);
  await closing;
  expect(open(file).records).toEqual([1]);
});

test("a closed journal takes nothing", async () => {
  const { journal } = open();
  await journal.close();
  await journal.close();
  expect(() => journal.append(1)).toThrow("is closed");
  expect(() => journal.rewrite([])).toThrow("is closed");
});
