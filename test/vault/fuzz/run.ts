import { statSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, vi } from "vitest";
import { testVault, vaultName } from "../support.ts";
import { pastSeeds, seed } from "./budget.ts";
import { checkAnswer, hush, must } from "./oracle.ts";
import { describe, drafts, writeRequest } from "./request.ts";
import type { Draft, Meant } from "./request.ts";
import { learn, fill } from "./known.ts";
import type { Known } from "./known.ts";
import { openWire } from "./wire.ts";
import type { Received } from "./wire.ts";

/** A part of the surface. */
export interface Topic {
  readonly name: string;
  /** What every batch begins with; each must be accepted. */
  readonly prepare: readonly Meant[];
  readonly grammar: fc.Arbitrary<Meant>;
  /** What can be read and must not change by a refused request. */
  readonly reads: readonly string[];
}

/** Batches at the same time, each on a vault of its own, so that it is known which request changed what. */
const lanes = 4;
const batch = 50;
/** Before and after every so many requests everything is read, which is dear. */
const readEvery = 20;

export type Lane = Awaited<ReturnType<typeof openLane>>;

/** A vault with one connection, which sends requests and checks the answers. */
export async function openLane(options: Parameters<typeof testVault>[0] = {}) {
  // Nothing but requests moves anything: the clock is not looked at in between.
  const vault = await testVault({ tickMs: 2 ** 31 - 1, ...options });
  const wire = openWire({ port: Number(new URL(vault.url).port), ca: vault.ca });
  const journal = () => statSync(join(vault.stateDir, `${vaultName}.journal`)).size;
  const known: Known = { versions: new Map(), blobs: new Map() };

  /** What was sent since the last reset, for whoever has to find out what an answer came from. */
  const sent: string[] = [];

  const send = async (draft: Draft): Promise<Received> => {
    const filled = {
      ...draft,
      path: fill(draft.path, known),
      query: fill(draft.query, known),
      body: draft.body && fill(draft.body, known),
    };
    const what = describe(filled);
    sent.push(what);
    const size = journal();
    const headOnly = draft.method === "HEAD";
    const answer = await wire.ask(writeRequest(filled), headOnly, what);
    checkAnswer(answer, what, { headOnly, mayHaveNull: /_emulator|%5f/i.test(draft.path) });
    if (answer.status >= 400) must(journal() === size, `${answer.status} changed the vault: ${what}`);
    else if (!headOnly) learn(known, draft.path, answer);
    return answer;
  };
  const mean = ({ method, path, query = "api-version=2026-04-01", body }: Meant) =>
    send({
      method,
      path,
      query,
      authorization: "Bearer t",
      headers: [],
      body: body === undefined ? undefined : Buffer.from(JSON.stringify(body)).toString("latin1"),
    });
  const read = async (paths: readonly string[]) => {
    const texts: string[] = [];
    for (const path of paths) {
      const { status, body } = await mean({ method: "GET", path });
      texts.push(`${status} ${body}`);
    }
    return texts.join("\n");
  };
  return { ...vault, wire, sent, send, mean, read };
}

interface Counts {
  sent: number;
  accepted: number;
  refused: number;
}

/** Sends so many requests of a topic, and a few of every seed that once found something. */
export async function fuzz(topic: Topic, requests: number): Promise<Counts> {
  const counts = { sent: 0, accepted: 0, refused: 0 };
  const seen = new Map<string, { accepted: number; refused: number }>();
  // Where the vault says that something failed in itself.
  const complaints = vi.spyOn(console, "error");
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  const runs = Math.ceil(requests / lanes / batch);
  const seeds = Array.from({ length: lanes }, (_, lane) => seed + lane);
  await Promise.all(seeds.map((one) => runLane(topic, one, runs, counts, seen)));
  for (const one of pastSeeds) if (!seeds.includes(one)) await runLane(topic, one, 2, counts, seen);
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const { sent, accepted, refused } = counts;
  console.log(
    `${topic.name}: seed ${seed}, ${sent} requests, ${accepted} accepted, ${refused} refused, ${Math.round(sent / seconds)} a second (${((user + system) / 1000 / sent).toFixed(2)} ms of CPU each).`,
  );
  const operations = [...seen].map(([name, { accepted, refused }]) => `${name} ${accepted}/${refused}`);
  console.log(operations.sort().join(", "));
  expect(complaints).not.toHaveBeenCalled();
  complaints.mockRestore();
  return counts;
}

async function runLane(
  { prepare, grammar, reads }: Topic,
  laneSeed: number,
  runs: number,
  counts: Counts,
  seen: Map<string, { accepted: number; refused: number }>,
): Promise<void> {
  const lane = await openLane();
  const { control, clock } = lane;
  const property = fc.asyncProperty(
    fc.array(drafts(grammar), { minLength: batch, maxLength: batch }),
    fc.constantFrom(0, 0, 1000),
    async (requests, deleteDelayMs) => {
      control.reset();
      for (const one of prepare)
        expect([one.path, (await lane.mean(one)).status]).toEqual([
          one.path,
          expect.toSatisfy((status: number) => status < 300),
        ]);
      control.set({ deleteDelayMs });
      for (const [at, one] of requests.entries()) {
        // What is due as the clock goes on happens with the next request, which is one that is accepted.
        if (one.path === "/tick") {
          clock.advance(Number(one.query));
          await lane.read(reads.slice(0, 1));
          continue;
        }
        const before = at % readEvery === 0 ? await lane.read(reads) : undefined;
        const { status } = await lane.send(one);
        counts.sent += 1;
        counts[status < 400 ? "accepted" : "refused"] += 1;
        if (status >= 400 && before !== undefined) {
          const after = await lane.read(reads);
          must(after === before, `Changed by ${describe(one)}:\n${before}\nafter:\n${after}`);
        }
        // What comes back may have an operation that is long due.
        if (status < 400 && /re(store|cover)|%/i.test(one.path)) await lane.read(reads.slice(0, 1));
      }
      const log = control.log();
      must(!JSON.stringify(log).includes(hush), "A value is in the log.");
      for (const { operation = "none", status } of log) {
        const count = seen.get(operation) ?? { accepted: 0, refused: 0 };
        count[status < 400 ? "accepted" : "refused"] += 1;
        seen.set(operation, count);
      }
    },
  );
  const check = fc.assert(property, {
    seed: laneSeed,
    numRuns: runs,
    interruptAfterTimeLimit: 800_000,
    markInterruptAsFailure: true,
    endOnFailure: true,
  });
  await check.catch((error: Error) => {
    const { cause } = error as { cause?: Error };
    throw new Error([String(cause?.stack), `Seed ${laneSeed}. Sent before:`, ...lane.sent.slice(-15)].join("\n"));
  });
  // What is in memory is what is on the disk, after all that was refused.
  const held = await lane.read(reads);
  lane.wire.close();
  await lane.close();
  const again = await openLane({ stateDir: lane.stateDir, clock });
  expect(await again.read(reads)).toBe(held);
  again.wire.close();
}
