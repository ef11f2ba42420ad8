import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { TableClient } from "@azure/data-tables";
import { BlobServiceClient } from "@azure/storage-blob";
import { QueueServiceClient } from "@azure/storage-queue";
import { afterEach, expect, test } from "vitest";
import { startAzurite } from "../../local/azurite.ts";
import { soon } from "./cloud.ts";
import { openClock } from "../../local/clock.ts";

const dir = mkdtempSync(join(tmpdir(), "pinion-azurite-"));
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  rmSync(dir, { recursive: true, force: true });
});

test("three services answer, and data outlives the process", async () => {
  const first = await startAzurite({ dir: join(dir, "kept") });
  await BlobServiceClient.fromConnectionString(first.connectionString).getContainerClient("kept").create();
  await QueueServiceClient.fromConnectionString(first.connectionString).createQueue("kept");
  await TableClient.fromConnectionString(first.connectionString, "kept", {
    allowInsecureConnection: true,
  }).createTable();
  await first.stop();
  expect(isAlive(first.pid)).toBe(false);

  const second = await startAzurite({ dir: join(dir, "kept") });
  stops.push(second.stop);
  const blobs = BlobServiceClient.fromConnectionString(second.connectionString);
  expect(await blobs.getContainerClient("kept").exists()).toBe(true);
});

test("a message's visibility follows the cloud's clock", async () => {
  const clock = openClock(join(dir, "clock"));
  const azurite = await startAzurite({ clockFile: clock.file });
  stops.push(azurite.stop);
  const queue = QueueServiceClient.fromConnectionString(azurite.connectionString).getQueueClient("later");
  await queue.create();
  await queue.sendMessage("hello", { visibilityTimeout: 3600 });
  expect((await queue.receiveMessages()).receivedMessageItems).toHaveLength(0);
  clock.advance(3_601_000);
  await expect.poll(async () => (await queue.receiveMessages()).receivedMessageItems.length, soon).toBe(1);
});

test("a taken port is refused in Azurite's own words", async () => {
  const azurite = await startAzurite();
  stops.push(azurite.stop);
  const blobPort = Number(new URL(azurite.blobUrl).port);
  await expect(startAzurite({ blobPort })).rejects.toThrow(/Azurite did not start.*EADDRINUSE/s);
});

test("a parent killed with -9 leaves no orphan, and what was written stays", async () => {
  const script = join(dir, "parent.mts");
  mkdirSync(dir, { recursive: true });
  const module = pathToFileURL(join(import.meta.dirname, "../../local/azurite.ts")).href;
  const blob = pathToFileURL(
    join(import.meta.dirname, "../../node_modules/@azure/storage-blob/dist/esm/index.js"),
  ).href;
  const data = JSON.stringify(join(dir, "orphan"));
  writeFileSync(
    script,
    `const { startAzurite } = await import(${JSON.stringify(module)});
     const { BlobServiceClient } = await import(${JSON.stringify(blob)});
     const azurite = await startAzurite({ dir: ${data} });
     await BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient("late").create();
     console.log(azurite.pid);`,
  );
  const parent = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(parent.stdout, "data")) as [Buffer];
  const pid = Number(line.toString());
  expect(isAlive(pid)).toBe(true);
  parent.kill("SIGKILL");
  for (let i = 0; i < 100 && isAlive(pid); i++) await sleep(100);
  expect(isAlive(pid)).toBe(false);

  const again = await startAzurite({ dir: join(dir, "orphan") });
  stops.push(again.stop);
  const blobs = BlobServiceClient.fromConnectionString(again.connectionString);
  expect(await blobs.getContainerClient("late").exists()).toBe(true);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
