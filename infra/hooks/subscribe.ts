// After `azd deploy`: where events come straight to the app, subscribes it to its vaults. Event Grid asks the endpoint before it accepts a
// subscription, so this cannot be part of main.bicep. Each vault has a parameter file, written by `npm run -s pinion -- onboard ... --webhook`.
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { PinionError } from "../../src/errors.ts";
import { az, type Az } from "../az.ts";
import { readWords } from "../words.ts";

const folder = fileURLToPath(new URL("..", import.meta.url));

/** What the hook needs to know: azd's environment, the folder with parameter files, and how `az` is run. */
export interface Deployed {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly folder: string;
  readonly az: Az;
  readonly out: (line: string) => void;
}

/** Deploys every `onboard*.bicepparam` that delivers by webhook. Resolves with how many. Needs the rights that onboarding needs. */
export async function subscribe({ env, folder, az, out }: Deployed): Promise<number> {
  if (env["PINION_DELIVERY"] !== "webhook") return 0;
  const files = globSync("onboard*.bicepparam", { cwd: folder }).sort();
  const found = files.map((file) => ({ file, text: readFileSync(`${folder}/${file}`, "utf8") }));
  const called = found.filter(({ text }) => /^param delivery = \{\s*by: 'webhook'/m.test(text));
  if (called.length === 0) {
    out(
      "No infra/onboard*.bicepparam delivers by webhook yet: npm run -s pinion -- onboard rotations.json <vault> --webhook > infra/onboard-<vault>.bicepparam",
    );
  }
  for (const { file, text } of called) {
    const subscription = /--subscription ([0-9a-f-]{36})/i.exec(text)?.[1];
    if (subscription === undefined)
      throw new PinionError(
        "CONFIG_INVALID",
        `infra/${file} names no subscription: write it anew with pinion onboard.`,
      );
    out(`infra/${file}: subscribing`);
    const where = ["--subscription", subscription, "--location", env["AZURE_LOCATION"] ?? ""];
    await az("deployment", "sub", "create", ...where, "--parameters", `${folder}/${file}`);
  }
  return called.length;
}

const usage = `npm run -s subscribe

Deploys every infra/onboard*.bicepparam that delivers by webhook, to the subscription that it names. azd runs it after each deployment.
Nothing happens unless PINION_DELIVERY is webhook; AZURE_LOCATION is the region of the deployments.

Exit codes: 0 done, 1 not deployed, 2 not understood.`;

if (import.meta.main) {
  const words = readWords(process.argv.slice(2), { usage, names: [] });
  process.exitCode = typeof words === "number" ? words : await run();
}

async function run(): Promise<number> {
  try {
    await subscribe({ env: process.env, folder, az, out: console.log });
    return 0;
  } catch (error) {
    console.error(error instanceof PinionError ? error.message : "The vaults could not be subscribed.");
    return 1;
  }
}
