import { setTimeout as delay } from "node:timers/promises";
import * as fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { createDurable, createMemoryStore } from "../../../local/host/durable/index.ts";
import type { Durable, Store } from "../../../local/host/durable/index.ts";
import { answers, EventType, isScheduled } from "../../../local/host/durable/history.ts";
import type { HistoryEvent } from "../../../local/host/durable/history.ts";
import type { MemoryRows } from "../../../local/host/durable/memory-store.ts";
import { families, resultOf } from "./programs.ts";
import type { Program } from "./programs.ts";
import { conformanceApp, workerOf } from "./serve.ts";

let worker: ReturnType<typeof workerOf>;
beforeAll(async () => {
  worker = workerOf(await conformanceApp());
});

/** A store that dies with its process at the n-th write: before that is done, or after it but before anybody knows. */
function mortal(store: Store, n: number, after: boolean, dead: () => void): Store {
  let left = n;
  const never = new Promise<never>(() => {});
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    if (left < 0) return never;
    if (left-- > 0) return work();
    if (after) await work();
    dead();
    return never;
  };
  return {
    ...store,
    load: (id) => (left < 0 ? never : store.load(id)),
    commit: (change) => guarded(() => store.commit(change)),
    enqueue: (id, message) => guarded(() => store.enqueue(id, message)),
    remove: (id) => guarded(() => store.remove(id)),
  };
}

/** Time that flies: ten minutes for each look at the clock. */
function flyingClock() {
  let now = 1_800_000_000_000;
  return { now: () => (now += 600_000) };
}

/** Runs a program through a number of deaths; gives its output, its history, and how often each activity ran. */
async function live(program: Program, deaths: readonly { readonly at: number; readonly after: boolean }[]) {
  const rows: MemoryRows = new Map();
  const clock = flyingClock();
  const ran = new Map<string, number>();
  const begin = async (death?: { readonly at: number; readonly after: boolean }) => {
    let died = () => {};
    const dying = new Promise<void>((resolve) => (died = resolve));
    const memory = createMemoryStore(rows);
    let dead = false;
    const store = death ? mortal(memory, death.at, death.after, () => ((dead = true), died())) : memory;
    const durable = createDurable({
      hub: "h",
      clock,
      store,
      log: () => {},
      ...worker,
      // A dead process runs nothing.
      invokeOrchestrator: (name, payload) => (dead ? new Promise(() => {}) : worker.invokeOrchestrator(name, payload)),
      invokeActivity: async (_name, input, { instanceId, taskId }) => {
        if (dead) return new Promise(() => {});
        ran.set(`${instanceId}/${taskId}`, (ran.get(`${instanceId}/${taskId}`) ?? 0) + 1);
        const { label, fails = 0 } = JSON.parse(input!) as { label: string; fails?: number };
        // By what the history says, not by this process's memory: the attempt is the same after a death.
        const before = history(instanceId).filter((row) => isSame(row, input!) && row.EventId <= taskId).length;
        if (before <= fails) throw new Error(`${label} attempt ${before}`);
        return label;
      },
    });
    await durable.start();
    return { durable, dying };
  };
  const history = (id: string) =>
    rows.has(id) ? (JSON.parse(rows.get(id)!.text) as { history: HistoryEvent[] }).history : [];
  const isSame = (row: HistoryEvent, input: string) =>
    row.EventType === EventType.TaskScheduled && JSON.stringify((JSON.parse(row.Input) as [unknown])[0]) === input;

  const queue = [...deaths];
  let { durable, dying } = await begin(queue.shift());
  await Promise.race([call(durable, "POST", "orchestrators/program/i", JSON.stringify(program)), dying]);
  for (let round = 0; round < 2000; round++) {
    const status = JSON.parse((await call(durable, "GET", "instances/i")).body ?? "{}") as {
      runtimeStatus?: string;
      output?: unknown;
    };
    if (status.runtimeStatus === "Completed" || status.runtimeStatus === "Failed") {
      await durable.stop();
      return { status, history, ids: [...rows.keys()], ran };
    }
    const dead = await Promise.race([dying.then(() => true), delay(2, false)]);
    if (dead) {
      ({ durable, dying } = await begin(queue.shift()));
      // A start that died before it was stored was never answered, so the client sends it again.
      if (!rows.has("i"))
        await Promise.race([call(durable, "POST", "orchestrators/program/i", JSON.stringify(program)), dying]);
    }
    for (const id of rows.keys()) {
      if (round % 5 === 0)
        void call(durable, "POST", `instances/${id}/raiseEvent/${round % 2 ? "e" : "f"}`, round % 2 ? '"e"' : '"f"');
    }
  }
  throw new Error(`It never ended: ${JSON.stringify(program)} ${JSON.stringify(history("i"))}`);
}

function call(durable: Durable, method: string, path: string, body = "") {
  return durable.handle({
    method,
    path,
    query: new URLSearchParams(),
    body,
    headers: { "content-type": "application/json" },
    base: "http://127.0.0.1",
  });
}

const death = fc.record({ at: fc.nat(12), after: fc.boolean() });

describe("the engine, killed at its writes and started again", () => {
  it("ends as if nothing had happened, with no step taken twice", async () => {
    await fc.assert(
      fc.asyncProperty(families, fc.array(death, { maxLength: 4 }), async (program, deaths) => {
        const { status, history, ids, ran } = await live(program, deaths);
        expect(status).toMatchObject({
          runtimeStatus: "Completed",
          output: resultOf(program),
        });
        for (const id of ids) {
          const rows = history(id);
          const scheduled = rows.filter(isScheduled).map((row) => row.EventId);
          const taken = rows.map(answers).filter((one) => one !== undefined);
          expect(new Set(scheduled).size).toBe(scheduled.length);
          expect(new Set(taken).size).toBe(taken.length);
          expect(rows.filter((row) => row.EventType === EventType.ExecutionStarted)).toHaveLength(1);
        }
        // Activities run at least once, and again only where a death took their result.
        expect(Math.max(1, ...ran.values())).toBeLessThanOrEqual(deaths.length + 1);
      }),
      { numRuns: 60 },
    );
  });
});
