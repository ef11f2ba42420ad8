// npm run bench:vault [-- --json] [--rounds 51] [--milliseconds 150] [--connections 16] [--secrets 10000] [--versions 10]
//
// What the local Key Vault costs beside a bare node:https server that answers the same bytes: same headers and sizes, same
// TLS material, no work. Vault (`npm run vault -- --auth strict --state DIR`), bare server and client are processes of their
// own; the two servers are asked in turn, in one run, so only the shares mean something on another machine.
//
// - *share*: requests a second, the vault's by the bare server's. *by cpu*: the same by what a request takes of a processor,
//   which is steadier on a busy machine.
// - *crypto alone*: how often node:crypto signs in a second on one thread that does nothing else. No vault signs more often.
// - *set* is answered when it is on the disk; writes that come together share a flush.
// - Then a new vault is filled, killed with kill -9, and started again on its state.
//
// Ends with 1 when a secret is read at less than half of the bare server's rate (bench/ceilings.json) by both shares: on a
// machine that is busy with other things, which of two processes gets a core when says more than either server. Never
// because of a time.
import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { measureBeside, readShares, record } from "./vault/beside.ts";
import type { Beside } from "./vault/beside.ts";
import { measureMemory } from "./vault/memory.ts";
import type { Memory } from "./vault/memory.ts";
import { prepare } from "./vault/operations.ts";
import { startBare, startVault } from "./vault/processes.ts";

const number = (value: string) => ({ type: "string", default: value }) as const;
const { values: args } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: number("51"),
    milliseconds: number("150"),
    connections: number("16"),
    secrets: number("10000"),
    versions: number("10"),
  },
});
const leastShares = readShares();

const dir = mkdtempSync(join(tmpdir(), "pinion-bench-vault-"));
try {
  const beside = await besideBare(join(dir, "beside"));
  if (!args.json) tellBeside(beside);
  const memory = await measureMemory(join(dir, "memory"), Number(args.secrets), Number(args.versions));
  if (!args.json) tellMemory(memory);
  const under = beside.filter(({ operation, share }) => share < (leastShares[operation] ?? 0));
  for (const { operation, share } of under) {
    console.error(
      `${operation} is at ${percent(share)} of the bare server, not at ${percent(leastShares[operation]!)}.`,
    );
  }
  if (args.json) console.log(JSON.stringify({ load: loadavg()[0], beside, memory }));
  if (under.length > 0) process.exitCode = 1;
} finally {
  rmSync(dir, { recursive: true, force: true });
}

async function besideBare(folder: string): Promise<readonly Beside[]> {
  const vault = await startVault(folder);
  const operations = await prepare(vault);
  const bare = await startBare(folder, vault, await record(vault, operations));
  const effort = {
    rounds: Number(args.rounds),
    milliseconds: Number(args.milliseconds),
    connections: Number(args.connections),
  };
  const all: Beside[] = [];
  for (const operation of operations) all.push(await measureBeside(operation, { vault, bare }, effort));
  await Promise.all([vault.kill(), bare.kill()]);
  return all;
}

function tellBeside(all: readonly Beside[]): void {
  const cell = (text: string | number, width: number) => String(text).padStart(width);
  console.log(
    `${args.connections} connections, medians of ${args.rounds} rounds of ${args.milliseconds} ms, node ${process.versions.node}, load ${loadavg()[0]!.toFixed(1)}\n`,
  );
  console.log(
    `${"".padEnd(16)}${cell("requests/s", 18)}${cell("share", 8)}${cell("by cpu", 8)}${cell("p99 ms", 18)}${cell("crypto alone", 14)}`,
  );
  for (const { operation, vault, bare, share, cpuShare, cryptoPerSecond } of all) {
    const both = (of: (side: Beside["vault"]) => string) => cell(`${of(vault)} of ${of(bare)}`, 18);
    console.log(
      operation.padEnd(16) +
        both(({ perSecond }) => perSecond.toFixed(0)) +
        cell(percent(share), 8) +
        cell(percent(cpuShare), 8) +
        cell(`${vault.p99.toFixed(1)} to ${bare.p99.toFixed(1)}`, 18) +
        cell(cryptoPerSecond === undefined ? "" : `${cryptoPerSecond.toFixed(0)}/s`, 14),
    );
  }
}

function tellMemory(memory: Memory): void {
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(1)} s`;
  const { secrets, versions, rssEmpty, rssFull, heapPerVersion, diskPerVersion, rssStarted } = memory;
  console.log(
    `\n${secrets} secrets of ${versions} versions each, filled at ${memory.fillPerSecond.toFixed(0)} a second`,
  );
  console.log(`memory   ${mib(rssFull)} (empty: ${mib(rssEmpty)}; started again: ${mib(rssStarted)})`);
  console.log(`version  ${heapPerVersion.toFixed(0)} bytes of heap, ${diskPerVersion.toFixed(0)} bytes of journal`);
  console.log(
    `start    ${seconds(memory.startFull)} after kill -9, journal tidied; ${seconds(memory.startTidy)} after that; ${seconds(memory.startEmpty)} empty`,
  );
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}
