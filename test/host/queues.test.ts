import { join } from "node:path";
import { QueueServiceClient } from "@azure/storage-queue";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startAzurite } from "../../local/azurite.ts";
import type { Azurite } from "../../local/azurite.ts";
import { openClock } from "../../local/clock.ts";
import { fixture, readRecord, startHostProcess, temporaryFolder, until } from "./harness.ts";
import type { HostProcess } from "./harness.ts";

const folder = temporaryFolder();
const clock = openClock(join(folder.path, "clock"));
let azurite: Azurite;
let service: QueueServiceClient;
let count = 0;

beforeAll(async () => {
  azurite = await startAzurite({ clockFile: clock.file });
  service = QueueServiceClient.fromConnectionString(azurite.connectionString);
});
afterAll(async () => {
  await azurite.stop();
  folder[Symbol.dispose]();
});

/** A queue and a host of its own, so that tests do not see each other's messages. */
async function withQueue(run: (queue: Queue) => Promise<void>): Promise<void> {
  const name = `work-${++count}`;
  const state = join(folder.path, name);
  const record = join(folder.path, `${name}.record`);
  const client = service.getQueueClient(name);
  const poison = service.getQueueClient(`${name}-poison`);
  const hosts: HostProcess[] = [];
  try {
    await run({
      name,
      client,
      start: async (env = {}) => {
        const host = await startHostProcess({
          app: fixture("app"),
          state,
          clock: clock.file,
          queueLock: 3,
          env: { FIXTURE_RECORD: record, FIXTURE_QUEUE: name, AzureWebJobsStorage: azurite.connectionString, ...env },
        });
        hosts.push(host);
        return host;
      },
      send: async (text) => {
        await client.sendMessage(Buffer.from(text).toString("base64"));
      },
      entries: (...keys) => readRecord(record).filter((entry) => keys.some((key) => key in entry)),
      length: async () => (await client.getProperties()).approximateMessagesCount ?? 0,
      poisoned: async () =>
        (
          await poison.peekMessages({ numberOfMessages: 10 }).catch(() => ({ peekedMessageItems: [] }))
        ).peekedMessageItems.map(({ messageText }) => messageText),
    });
  } finally {
    for (const host of hosts) await host.kill();
  }
}
interface Queue {
  readonly name: string;
  readonly client: ReturnType<QueueServiceClient["getQueueClient"]>;
  start(env?: Record<string, string>): Promise<HostProcess>;
  send(text: string): Promise<void>;
  entries(...keys: string[]): Record<string, unknown>[];
  length(): Promise<number>;
  poisoned(): Promise<string[]>;
}

describe("a queue trigger", () => {
  test("waits for its queue to be there, gets messages parsed, with the host's metadata, and deletes them", () =>
    withQueue(async (queue) => {
      await queue.start();
      await queue.client.create();
      const sent = await queue.client.sendMessage(Buffer.from('{"n":1}').toString("base64"));
      await queue.send("plain text");
      await until("two messages", () => (queue.entries("end").length === 2 ? true : undefined));
      expect(queue.entries("end").map(({ end }) => end)).toEqual([{ n: 1 }, "plain text"]);
      const metadata = queue.entries("begin")[0]!["metadata"] as Record<string, unknown>;
      expect(metadata).toMatchObject({ id: sent.messageId, dequeueCount: 1, queueTrigger: '{"n":1}' });
      expect(metadata["insertionTime"]).toBe(sent.insertedOn.toISOString().replace(".000Z", "+00:00"));
      expect(Object.keys(metadata).sort()).toEqual([
        "dequeueCount",
        "expirationTime",
        "id",
        "insertionTime",
        "nextVisibleTime",
        "popReceipt",
        "queueTrigger",
      ]);
      await until("an empty queue", async () => ((await queue.length()) === 0 ? true : undefined));
    }));

  test("handles several messages at once", () =>
    withQueue(async (queue) => {
      await queue.client.create();
      for (let n = 0; n < 5; n++) await queue.send(JSON.stringify({ n, wait: 700 }));
      await queue.start();
      await until("five ends", () => (queue.entries("end").length === 5 ? true : undefined));
      expect(queue.entries("begin", "end").map((entry) => "begin" in entry)).toEqual([
        ...Array.from({ length: 5 }, () => true),
        ...Array.from({ length: 5 }, () => false),
      ]);
    }));

  test("sees a failed message again after visibilityTimeout and gives it to the poison queue at the last", () =>
    withQueue(async (queue) => {
      await queue.client.create();
      const host = await queue.start();
      await queue.send('{"fail":true}');
      await until("a poisoned message", async () => ((await queue.poisoned()).length > 0 ? true : undefined));
      const deliveries = queue
        .entries("begin")
        .map(({ metadata }) => (metadata as { dequeueCount: number }).dequeueCount);
      expect(deliveries).toEqual([1, 2, 3]);
      expect(await queue.poisoned()).toEqual([Buffer.from('{"fail":true}').toString("base64")]);
      await until("an empty queue", async () => ((await queue.length()) === 0 ? true : undefined));
      await until("the log", () => host.log().includes("it failed 3 times.") || undefined);
      expect(host.log()).toContain("error queue failed (delivery 3): Error: asked to fail\n");
    }));

  test("gives what is no base64 to the poison queue without running", () =>
    withQueue(async (queue) => {
      await queue.client.create();
      await queue.start();
      await queue.client.sendMessage("{not base64}");
      await until("a poisoned message", async () => ((await queue.poisoned()).length > 0 ? true : undefined));
      expect(await queue.poisoned()).toEqual(["{not base64}"]);
      expect(queue.entries("begin")).toHaveLength(0);
    }));

  test("keeps a message hidden for as long as it works on it", () =>
    withQueue(async (queue) => {
      await queue.client.create();
      await queue.start();
      // Longer than the lock of 3 s, shorter than the functionTimeout of 5 s.
      await queue.send('{"wait":4000}');
      await until("the end", () => (queue.entries("end").length > 0 ? true : undefined));
      await until("an empty queue", async () => ((await queue.length()) === 0 ? true : undefined));
      expect(queue.entries("begin")).toHaveLength(1);
    }));

  test("goes on after kill -9 with the message that was under way and those behind it", () =>
    withQueue(async (queue) => {
      await queue.client.create();
      const first = await queue.start();
      await queue.send('{"n":1,"wait":2000}');
      await until("a begin", () => (queue.entries("begin").length === 1 ? true : undefined));
      await first.kill();
      await queue.send('{"n":2}');
      const second = await queue.start();
      await until("both ends", () => (queue.entries("end").length === 2 ? true : undefined));
      expect(queue.entries("end").map(({ end, pid }) => [(end as { n: number }).n, pid])).toEqual([
        [2, second.pid],
        [1, second.pid],
      ]);
      await until("an empty queue", async () => ((await queue.length()) === 0 ? true : undefined));
      expect(await queue.poisoned()).toEqual([]);
    }));

  test("that kills its host each time ends in the poison queue", () =>
    withQueue(async (queue) => {
      await queue.client.create();
      await queue.send('{"wait":60000}');
      for (let time = 1; time <= 3; time++) {
        const host = await queue.start();
        await until("a begin", () => (queue.entries("begin").length === time ? true : undefined));
        await host.kill();
        clock.advance(4000);
      }
      await queue.start();
      await until("a poisoned message", async () => ((await queue.poisoned()).length > 0 ? true : undefined));
      expect(queue.entries("begin")).toHaveLength(3);
    }));

  test("ends what it works on when the host is asked to stop", () =>
    withQueue(async (queue) => {
      await queue.client.create();
      const host = await queue.start();
      await queue.send('{"wait":1000}');
      await until("a begin", () => (queue.entries("begin").length === 1 ? true : undefined));
      expect(await host.stop()).toBe(0);
      expect(queue.entries("end")).toHaveLength(1);
      expect(await queue.length()).toBe(0);
    }));

  test("finds its connection by the setting that it names, or ends the host with a sentence", () =>
    withQueue(async (queue) => {
      await queue.client.create();
      await queue.send("here");
      const missing = await queue.start({ FIXTURE_CONNECTION: "Elsewhere" }).catch((reason: unknown) => reason);
      expect((missing as Error).message.split("\n")[0]).toContain('The app setting "Elsewhere" must hold');
      await queue.start({
        FIXTURE_CONNECTION: "Elsewhere",
        Elsewhere: azurite.connectionString,
        AzureWebJobsStorage: "",
      });
      await until("the message", () => (queue.entries("end").length === 1 ? true : undefined));
    }));
});
