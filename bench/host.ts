// Orchestrations a second of the Durable stand-in, on Azurite's tables as `npm start` uses it: eight activities that do
// nothing, one after the other.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startAzurite } from "../local/azurite.ts";
import { createTableStore } from "../local/host/durable/index.ts";
import { createApi } from "../test/host/conformance/api.ts";
import { serve } from "../test/host/durable/serve.ts";

const activities = 8;
const rounds = 3;

const dir = mkdtempSync(join(tmpdir(), "pinion-bench-"));
const azurite = await startAzurite({ dir });
const store = createTableStore({ connectionString: azurite.connectionString, hub: "bench" });
const host = await serve({ clock: { now: () => Date.now() }, store });
const api = createApi(host.url);

/** Starts one and waits in the host itself, so that no polling from here is measured. */
async function orchestration(): Promise<void> {
  const answer = await api.request("POST", "orchestrators/noops?timeout=60&pollingInterval=1", String(activities));
  if (answer.status !== 200) throw new Error(`An orchestration did not complete: ${JSON.stringify(answer.json)}`);
}

async function perSecond(total: number, atOnce: number): Promise<number> {
  const begun = performance.now();
  let left = total;
  const worker = async () => {
    while (left-- > 0) await orchestration();
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return (total * 1000) / (performance.now() - begun);
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
const measure = async (total: number, atOnce: number) => {
  const rates: number[] = [];
  for (let round = 0; round < rounds; round++) rates.push(await perSecond(total, atOnce));
  return median(rates);
};

await perSecond(20, 1);
const alone = await measure(20, 1);
const together = await measure(50, 50);
console.log(`${activities} no-op activities, median of ${rounds} rounds`);
console.log(
  `one at a time: ${alone.toFixed(1)} orchestrations/s, ${(1000 / alone / activities).toFixed(1)} ms an activity`,
);
console.log(`50 at once:    ${together.toFixed(1)} orchestrations/s`);
console.log(
  JSON.stringify({ activities, oneAtATime: Number(alone.toFixed(1)), fiftyAtOnce: Number(together.toFixed(1)) }),
);

await host.stop();
await azurite.stop();
rmSync(dir, { recursive: true });
