import { readFileSync } from "node:fs";
import { exchange, load } from "./client.ts";
import type { Load, Place, Reply } from "./client.ts";
import type { Measured } from "./operations.ts";
import type { BareServer, VaultServer } from "./processes.ts";

/** How much to measure. */
export interface Effort {
  readonly rounds: number;
  /** Of one slice: one server, one operation. */
  readonly milliseconds: number;
  readonly connections: number;
}

/** One server's side: medians of the rounds, the 99th percentile of all requests. */
export interface Side {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p99: number;
  /** Microseconds of processor for a request, all threads of the server together. */
  readonly cpu: number;
}

/** An operation of the vault beside the bare server. */
export interface Beside {
  readonly operation: string;
  readonly vault: Side;
  readonly bare: Side;
  /** The vault's requests a second by the bare server's: the median of the rounds, each by itself. */
  readonly share: number;
  /** The same by the processor's time for a request. */
  readonly cpuShare: number;
  /** Times a second that node:crypto alone does its part, on one thread that does nothing else. */
  readonly cryptoPerSecond?: number;
}

/** The least shares of the bare server that the vault must have, by operation. */
export function readShares(): Readonly<Record<string, number>> {
  const ceilings: unknown = JSON.parse(readFileSync(new URL("../ceilings.json", import.meta.url), "utf8"));
  return (ceilings as { readonly vaultShares: Readonly<Record<string, number>> }).vaultShares;
}

/** Slices that are not measured. */
const warmUp = 13;

/** What the vault answers to each operation, for the bare servers to answer. */
export async function record(vault: Place, operations: readonly Measured[]): Promise<ReadonlyMap<string, Reply>> {
  const replies = new Map<string, Reply>();
  for (const { name, request } of operations) {
    const { status, headers, body } = await exchange(vault, request(0));
    replies.set(name, { status, headers, body });
  }
  return replies;
}

/** Both servers in turn, round after round, so that whatever else the machine does meets both alike. */
export async function measureBeside(
  operation: Measured,
  { vault, bare }: { readonly vault: VaultServer; readonly bare: BareServer },
  { rounds, milliseconds, connections }: Effort,
): Promise<Beside> {
  const place = bare.places.get(operation.name)!;
  const slice = async (at: Place, { meter }: Pick<VaultServer, "meter">, length = milliseconds) => {
    let cpu = 0;
    const sum = async (sign: 1 | -1) => void (cpu += sign * (await meter()).cpu);
    const around = { begin: () => sum(-1), end: () => sum(1) };
    const done = await load(at, { connections, milliseconds: length, request: operation.request, around });
    return { ...done, cpu: cpu / done.requests };
  };
  const sides = [() => slice(vault, vault), () => slice(place, bare)] as const;
  // Node compiles what is called often, once it has been: both are measured as they are after that.
  await slice(vault, vault, warmUp * milliseconds);
  await slice(place, bare, warmUp * milliseconds);

  const taken: { readonly vault: Load & { cpu: number }; readonly bare: Load & { cpu: number } }[] = [];
  const alone: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const [first, second] = round % 2 === 0 ? sides : ([sides[1], sides[0]] as const);
    const one = await first();
    const other = await second();
    taken.push(round % 2 === 0 ? { vault: one, bare: other } : { vault: other, bare: one });
    if (operation.crypto) alone.push(timesPerSecond(operation.crypto, milliseconds / 4));
  }

  const side = (which: "vault" | "bare"): Side => ({
    perSecond: median(taken.map((one) => one[which].perSecond)),
    p99: percentile(
      taken.flatMap((one) => one[which].times),
      0.99,
    ),
    cpu: median(taken.map((one) => one[which].cpu)),
  });
  return {
    operation: operation.name,
    vault: side("vault"),
    bare: side("bare"),
    share: median(taken.map((one) => one.vault.perSecond / one.bare.perSecond)),
    cpuShare: median(taken.map((one) => one.bare.cpu / one.vault.cpu)),
    ...(alone.length > 0 ? { cryptoPerSecond: median(alone) } : {}),
  };
}

function timesPerSecond(work: (times: number) => void, milliseconds: number): number {
  const began = performance.now();
  let done = 0;
  for (; performance.now() - began < milliseconds; done += 10) work(10);
  return (done * 1000) / (performance.now() - began);
}

/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The least value that the given part of all values does not exceed. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN;
}
