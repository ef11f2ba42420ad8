import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { measureBeside, median, percentile, readShares, record } from "../../bench/vault/beside.ts";
import { exchange, load } from "../../bench/vault/client.ts";
import type { Reply } from "../../bench/vault/client.ts";
import { measureMemory } from "../../bench/vault/memory.ts";
import { prepare, requestTo } from "../../bench/vault/operations.ts";
import type { Measured } from "../../bench/vault/operations.ts";
import { startBare, startVault } from "../../bench/vault/processes.ts";
import type { BareServer, VaultServer } from "../../bench/vault/processes.ts";

// That `npm run bench:vault` compares like with like. No test is about a time.

const dir = mkdtempSync(join(tmpdir(), "pinion-bench-test-"));
let vault: VaultServer;
let bare: BareServer;
let operations: readonly Measured[];

beforeAll(async () => {
  vault = await startVault(join(dir, "beside"));
  operations = await prepare(vault);
  bare = await startBare(dir, vault, await record(vault, operations));
}, 120_000);

afterAll(async () => {
  await Promise.all([vault.kill(), bare.kill()]);
  rmSync(dir, { recursive: true, force: true });
});

const names = ({ headers }: Reply) => headers.filter((_, at) => at % 2 === 0);
const valueOf = ({ headers }: Reply, name: string) => headers[headers.indexOf(name) + 1];

test("the bare server answers what the vault answers: the same headers, and as many bytes", async () => {
  expect(operations.map(({ name }) => name)).toEqual([
    "secret get",
    "secret set",
    "secret list",
    "key sign RS256",
    "key sign ES256",
  ]);
  for (const { name, request } of operations) {
    const [ours, theirs] = [await exchange(vault, request(1)), await exchange(bare.places.get(name)!, request(1))];
    expect([name, theirs.status, names(theirs)]).toEqual([name, 200, names(ours)]);
    expect([name, theirs.body.length]).toEqual([name, ours.body.length]);
    for (const header of names(ours).filter((one) => !/^(date|x-ms-request-id)$/i.test(one))) {
      expect([name, header, valueOf(theirs, header)]).toEqual([name, header, valueOf(ours, header)]);
    }
  }
});

test("the vault checks tokens, and what it has answered outlives kill -9", async () => {
  const [{ request }] = operations as [Measured];
  const forged = `${vault.token.slice(0, -6)}AAAAAA`;
  expect((await exchange(vault, requestTo(forged, "GET", "secrets/a1?"))).status).toBe(401);
  const folder = join(dir, "killed");
  const first = await startVault(folder);
  const put = await exchange(first, requestTo(first.token, "PUT", "secrets/a1?", { value: "kept" }));
  await first.kill();
  const second = await startVault(folder);
  const got = await exchange(second, requestTo(second.token, "GET", "secrets/a1?"));
  await second.kill();
  expect(JSON.parse(got.body)).toEqual(JSON.parse(put.body));
  await expect(exchange(second, request(0))).rejects.toThrow("ECONNREFUSED");
});

test("a measurement has both sides, of requests that were all answered well", async () => {
  const [get, , , rsa] = operations as [Measured, Measured, Measured, Measured];
  const effort = { rounds: 2, milliseconds: 150, connections: 4 };
  for (const operation of [get, rsa]) {
    const {
      vault: ours,
      bare: theirs,
      share,
      cpuShare,
      ...rest
    } = await measureBeside(operation, { vault, bare }, effort);
    for (const side of [ours, theirs]) {
      expect(side.perSecond).toBeGreaterThan(0);
      expect(side.cpu).toBeGreaterThan(0);
      expect(side.p99).toBeGreaterThan(0);
    }
    expect(share).toBeGreaterThan(0);
    expect(cpuShare).toBeGreaterThan(0);
    expect(rest.operation).toBe(operation.name);
    expect((rest.cryptoPerSecond ?? 0) > 0).toBe(operation === rsa);
  }
  const absent = () => requestTo(vault.token, "GET", "secrets/absent?");
  await expect(load(vault, { connections: 2, total: 4, request: absent })).rejects.toThrow("answered with 404");
});

test("the shares that must be kept are those of operations that are measured", () => {
  const shares = readShares();
  expect(shares["secret get"]).toBe(0.5);
  for (const name of Object.keys(shares)) expect(operations.map((one) => one.name)).toContain(name);
});

test("medians and percentiles", () => {
  expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5]);
  const hundred = Array.from({ length: 100 }, (_, at) => 100 - at);
  expect([percentile(hundred, 0.99), percentile(hundred, 1), percentile([7], 0.99)]).toEqual([99, 100, 7]);
});

test("a full vault is measured by what it holds", async () => {
  const memory = await measureMemory(join(dir, "memory"), 20, 3);
  expect(memory).toMatchObject({ secrets: 20, versions: 3 });
  expect(memory.diskPerVersion, "its value is on the disk").toBeGreaterThan(100);
  for (const value of Object.values(memory)) expect(Number.isFinite(value)).toBe(true);
  for (const value of [memory.rssEmpty, memory.rssFull, memory.startFull, memory.startTidy]) {
    expect(value).toBeGreaterThan(0);
  }
});
