import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { subscribe } from "../../infra/hooks/subscribe.ts";
import { temporaryFolder } from "../host/harness.ts";

const temporary = temporaryFolder();
afterAll(() => temporary[Symbol.dispose]());

const subscription = "00000000-0000-0000-0000-0000000000bb";
const head = `using 'onboard.bicep'\n//   az deployment sub create --subscription ${subscription} --location <region> --parameters <this file>\n`;
const webhook = `${head}param delivery = { by: 'webhook', functionAppId: readEnvironmentVariable('AZURE_FUNCTION_APP_ID') }\n`;
const queue = `${head}param delivery = {\n  by: 'queue'\n}\n`;

let count = 0;
let folder: string;
beforeEach(() => {
  folder = join(temporary.path, String(++count));
  mkdirSync(folder);
});

async function run(env: Record<string, string>) {
  const calls: string[][] = [];
  const lines: string[] = [];
  const az = async (...args: readonly string[]) => void calls.push([...args]);
  const deployed = await subscribe({ env, folder, az, out: (line) => void lines.push(line) });
  return { deployed, calls, lines };
}

test("with delivery by queue nothing is deployed, whatever files there are", async () => {
  writeFileSync(join(folder, "onboard.bicepparam"), webhook);
  expect(await run({ PINION_DELIVERY: "queue" })).toEqual({ deployed: 0, calls: [], lines: [] });
  expect(await run({})).toEqual({ deployed: 0, calls: [], lines: [] });
});

test("with delivery by webhook each vault that is called is subscribed, in its own subscription", async () => {
  writeFileSync(join(folder, "onboard.bicepparam"), webhook);
  writeFileSync(join(folder, "onboard-payments.bicepparam"), webhook);
  writeFileSync(join(folder, "onboard-queue.bicepparam"), queue);
  const { deployed, calls } = await run({ PINION_DELIVERY: "webhook", AZURE_LOCATION: "westeurope" });
  expect(deployed).toBe(2);
  const args = ["deployment", "sub", "create", "--subscription", subscription, "--location", "westeurope"];
  expect(calls).toEqual([
    [...args, "--parameters", join(folder, "onboard-payments.bicepparam")],
    [...args, "--parameters", join(folder, "onboard.bicepparam")],
  ]);
});

test("without a parameter file, and with one that names no subscription, the reader hears what to do", async () => {
  expect((await run({ PINION_DELIVERY: "webhook" })).lines.join()).toContain("pinion -- onboard");
  writeFileSync(join(folder, "onboard.bicepparam"), webhook.replace(subscription, "<id>"));
  await expect(run({ PINION_DELIVERY: "webhook" })).rejects.toThrow("infra/onboard.bicepparam names no subscription");
});
