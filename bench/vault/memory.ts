import { statSync } from "node:fs";
import { join } from "node:path";
import { load } from "./client.ts";
import { requestTo } from "./operations.ts";
import { startVault } from "./processes.ts";

/** What a full vault costs. Bytes and milliseconds. */
export interface Memory {
  readonly secrets: number;
  readonly versions: number;
  /** Of the vault's process, empty and full. */
  readonly rssEmpty: number;
  readonly rssFull: number;
  /** Live JavaScript objects by version, and what it has on the disk. */
  readonly heapPerVersion: number;
  readonly diskPerVersion: number;
  readonly fillPerSecond: number;
  /** From starting the process to serving: an empty one, the full one after kill -9 (which tidies its journal), and again. */
  readonly startEmpty: number;
  readonly startFull: number;
  readonly startTidy: number;
  /** Of the process that has just read it all back. */
  readonly rssStarted: number;
}

const connections = 64;

/** Fills a new vault in `dir` with `secrets` of `versions` versions each, then kills it and starts it again, twice. */
export async function measureMemory(dir: string, secrets: number, versions: number): Promise<Memory> {
  const total = secrets * versions;
  const vault = await startVault(dir);
  const before = await vault.meter("collected");
  const value = "a-value-of-a-usual-length-4f1d9c07";
  const request = (number: number) =>
    requestTo(vault.token, "PUT", `secrets/secret-${number % secrets}?`, { value, contentType: "text/plain" });
  const filled = await load(vault, { connections, total, request });
  const after = await vault.meter("collected");
  await vault.kill();
  const disk = statSync(join(dir, "state", "kv-bench.journal")).size;

  const first = await startVault(dir);
  await first.kill();
  const second = await startVault(dir);
  const started = await second.meter("collected");
  await load(second, { connections: 1, total: 1, request: () => lastSecret(second.token, secrets) });
  await second.kill();
  return {
    secrets,
    versions,
    rssEmpty: before.rss,
    rssFull: after.rss,
    heapPerVersion: (after.heap - before.heap) / total,
    diskPerVersion: disk / total,
    fillPerSecond: filled.perSecond,
    startEmpty: vault.startedIn,
    startFull: first.startedIn,
    startTidy: second.startedIn,
    rssStarted: started.rss,
  };
}

/** It is answered with 404 where the state was not read back to its end. */
const lastSecret = (token: string, secrets: number) => requestTo(token, "GET", `secrets/secret-${secrets - 1}?`);
