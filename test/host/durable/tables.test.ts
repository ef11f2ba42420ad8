import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { TableClient } from "@azure/data-tables";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startAzurite } from "../../../local/azurite.ts";
import type { Azurite } from "../../../local/azurite.ts";
import { createTableStore } from "../../../local/host/durable/index.ts";
import type { HistoryEvent } from "../../../local/host/durable/history.ts";
import { answers, isScheduled } from "../../../local/host/durable/history.ts";
import { createApi } from "../conformance/api.ts";
import type { Api } from "../conformance/api.ts";
import { resultOf } from "./programs.ts";
import type { Program } from "./programs.ts";
import { serve } from "./serve.ts";

let azurite: Azurite;
beforeAll(async () => {
  azurite = await startAzurite();
});
afterAll(() => azurite.stop());

const storeOf = (hub: string) => createTableStore({ connectionString: azurite.connectionString, hub });
const tableOf = (hub: string) =>
  TableClient.fromConnectionString(azurite.connectionString, `${hub}Standin`, { allowInsecureConnection: true });

/** The seed decides when the kills come; a failing one can be given again. */
const seed = Number(process.env["PINION_SEED"] ?? Date.now() % 100_000);

function random(from: number): () => number {
  let state = from;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

describe(`killed with SIGKILL and started again (PINION_SEED=${seed})`, () => {
  let child: ChildProcess;
  let api: Api;
  const start = async () => {
    child = spawn(process.execPath, [join(import.meta.dirname, "child.ts"), azurite.connectionString, "crash"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(child.stdout!, "data")) as [Buffer];
    api = createApi(line.toString().trim());
  };
  const kill = async () => {
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  };
  /** Does it until the host, if killed meanwhile, has answered. */
  const insist = async <T>(work: () => Promise<T>): Promise<T> => {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
        await delay(50);
      }
    }
  };
  afterAll(() => kill());

  // The retried activity counts its attempts in its process, so each kill may cost it one more.
  const program = (n: number): Program => [
    { act: `a${n}` },
    { all: [{ act: `b${n}` }, { retry: `c${n}`, fails: 1, attempts: 20 }, { timer: 1 }] },
    { event: "e" },
    { sub: [{ act: `d${n}` }, { event: "e" }, { act: `f${n}` }] },
    { act: `g${n}` },
  ];

  it("loses nothing that was acknowledged and takes no step twice", async () => {
    const next = random(seed);
    await start();
    const ids = await Promise.all(Array.from({ length: 8 }, (_, n) => api.start("program", program(n))));
    const raised = ids.map((id) => insist(() => api.raise(id, "e", "e")));
    const deaths = (async () => {
      for (let n = 0; n < 6; n++) {
        await delay(30 + next() * 300);
        await kill();
        await start();
      }
    })();
    await Promise.all([...raised, deaths]);
    const done = await Promise.all(ids.map((id) => insist(() => wakeChildren(id))));
    expect(done).toEqual(ids.map((_, n) => ({ status: "Completed", output: resultOf(program(n)) })));

    const store = storeOf("crash");
    const all = await store.list();
    expect(all).toHaveLength(16);
    for (const { id } of all) {
      const { history } = (await store.load(id))!;
      expectEachOnce(history);
    }
  }, 120_000);

  /** Raises the event that the sub-orchestration waits for, and waits for the end. */
  async function wakeChildren(id: string): Promise<{ status: string; output: unknown }> {
    for (;;) {
      const status = await api.status(id);
      if (status.runtimeStatus !== "Running") return { status: status.runtimeStatus, output: status.output };
      const running = await api.request("GET", "instances/?runtimeStatus=Running");
      const children = (running.json as { instanceId: string }[]).filter(({ instanceId }) => instanceId.includes(":"));
      for (const { instanceId } of children) await api.raise(encodeURIComponent(instanceId), "e", "e");
      await delay(50);
    }
  }
});

function expectEachOnce(history: readonly HistoryEvent[]) {
  const scheduled = history.filter(isScheduled).map((row) => row.EventId);
  const taken = history.map(answers).filter((id) => id !== undefined);
  expect(scheduled).toEqual(scheduled.map((_, n) => n));
  expect(new Set(taken).size).toBe(taken.length);
}

describe("the table store", () => {
  it("fires a timer of 90 days when the clock is moved, and after a restart too", async () => {
    let ahead = 0;
    const clock = { now: () => Date.now() + ahead };
    const day = 24 * 3600_000;
    let served = await serve({ clock, store: storeOf("moved") });
    let api = createApi(served.url);
    const first = await api.start("timer", (90 * day) / 1000);
    const second = await api.start("timer", (91 * day) / 1000);
    await api.until(first, "Running");
    ahead += 90 * day;
    expect(Number((await api.until(first)).output)).toBeGreaterThanOrEqual(90 * day);
    await api.until(second, "Running");
    await served.stop();
    ahead += day;
    served = await serve({ clock, store: storeOf("moved") });
    api = createApi(served.url);
    expect((await api.until(second)).runtimeStatus, "the timer fell due while nobody was there").toBe("Completed");
    await served.stop();
  });

  it("lets only one of two hosts on a hub take a step", async () => {
    const warnings: string[] = [];
    const options = {
      clock: { now: () => Date.now() },
      log: (_: string, message: string) => void warnings.push(message),
    };
    const first = await serve({ ...options, store: storeOf("shared") });
    const id = await createApi(first.url).start("twoEvents");
    await createApi(first.url).until(id, "Running");
    const second = await serve({ ...options, store: storeOf("shared") });
    // Both hear of the event that only one of them was told; the other's step meets a history that has moved on.
    await createApi(first.url).raise(id, "a", 1);
    await createApi(second.url).raise(id, "b", 2);
    await createApi(second.url).raise(id, "a", 3);
    expect((await createApi(second.url).until(id)).output).toEqual([1, 2, 3]);
    expect(warnings.some((warning) => warning.includes("checkpoint was not stored"))).toBe(true);
    expectEachOnce((await storeOf("shared").load(id))!.history);
    await Promise.all([first.stop(), second.stop()]);
  });

  it("keeps within the limits of an entity, and deletes what it no longer needs", async () => {
    const served = await serve({ clock: { now: () => Date.now() }, store: storeOf("sizes") });
    const api = createApi(served.url);
    const { instanceId } = await api.run("longValues", { length: 900_000, char: "é" });
    let biggest = 0;
    for await (const row of tableOf("sizes").listEntities()) {
      const texts = Object.values(row).filter((value) => typeof value === "string");
      for (const text of texts) expect(text.length).toBeLessThanOrEqual(32_768);
      biggest = Math.max(biggest, 2 * texts.reduce((sum, text) => sum + text.length, 0));
    }
    expect(biggest).toBeLessThan(1024 * 1024);
    expect(biggest, "some row was in need of splitting").toBeGreaterThan(500_000);
    await api.request("DELETE", `instances/${instanceId}`);
    const counted = await api.start("countsDown", { n: 6, seen: 0 });
    await api.until(counted);
    await delay(300);
    const left: string[] = [];
    for await (const row of tableOf("sizes").listEntities()) left.push(row.rowKey ?? "");
    expect(left.filter((key) => key.startsWith("x-"))).toEqual([]);
    expect(left.filter((key) => key.startsWith("h-")).every((key) => key.startsWith("h-00000007-"))).toBe(true);
    await served.stop();
  });
});
