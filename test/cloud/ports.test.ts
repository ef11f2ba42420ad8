import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort, requirePorts } from "../../local/cloud/ports.ts";

const root = mkdtempSync(join(tmpdir(), "pinion-ports-"));
const other = createServer();
let taken = 0;
beforeAll(async () => {
  await once(other.listen(0, "127.0.0.1"), "listening");
  taken = (other.address() as AddressInfo).port;
});
afterAll(() => {
  other.close();
  rmSync(root, { recursive: true, force: true });
});

function state(files: Readonly<Record<string, object>>): string {
  const dir = mkdtempSync(join(root, "state-"));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(dir, name, ".."), { recursive: true });
    writeFileSync(join(dir, name), JSON.stringify(content));
  }
  return dir;
}

test("a wanted port is given where it is free, and another one where it is not", async () => {
  const free = await freePort();
  expect(await freePort(free)).toBe(free);
  expect(await freePort(taken)).not.toBe(taken);
});

test("what is kept needs its ports again: another program there is named before anything starts", async () => {
  const free = await freePort();
  await requirePorts(state({}));
  await requirePorts(state({ "vaults/ports.json": { "kv-a": free }, "postgres/server.json": { port: free } }));
  await expect(requirePorts(state({ "vaults/ports.json": { "kv-a": free, "kv-b": taken } }))).rejects.toThrow(
    `port ${taken}, where kv-b of`,
  );
  await expect(requirePorts(state({ "postgres/server.json": { port: taken } }))).rejects.toThrow("where PostgreSQL of");
});

test("a database that a killed start left is not another program: the next start stops it", async () => {
  const dir = state({ "postgres/server.json": { port: taken }, "postgres/data/postmaster.pid": {} });
  await expect(requirePorts(dir)).resolves.toBeUndefined();
});
