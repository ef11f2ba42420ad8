// npm run bench:load [-- --runs 15] [--app dist/app]
//
// Time from starting a process to all functions registered, as the Functions worker does it, against `node -e 0` in the same
// run. Both are measured in turn, so that whatever else the machine does meets both alike; medians are compared.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { build } from "esbuild";

const { values } = parseArgs({
  options: { runs: { type: "string", default: "15" }, app: { type: "string", default: "dist/app" } },
});
const app = resolve(values.app);
const root = join(import.meta.dirname, "..");
if (!existsSync(join(app, "package.json"))) {
  console.error(`${app} is not built; run npm run build first.`);
  process.exit(1);
}

const folder = mkdtempSync(join(tmpdir(), "pinion-bench-"));
try {
  const loader = join(folder, "load.mjs");
  // Compiled, because the worker's own code is too: what is measured is the app's.
  await build({
    stdin: {
      contents: `
        import { loadApp } from "./local/host/app.ts";
        const app = await loadApp(process.argv[2]);
        process.stdout.write("\\n" + app.functions.size);
        process.exit();`,
      resolveDir: root,
    },
    outfile: loader,
    bundle: true,
    format: "esm",
    platform: "node",
    logLevel: "warning",
  });
  measure(loader, Number(values.runs));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function measure(loader: string, runs: number): void {
  const cases = [
    { name: "node -e 0", args: ["-e", "0"], times: [] as number[] },
    { name: "all functions registered", args: [loader, app], times: [] as number[] },
  ];
  let functions = 0;
  for (let run = -1; run < runs; run++) {
    for (const { args, times } of cases) {
      const started = performance.now();
      const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", env: environment() });
      const took = performance.now() - started;
      if (status !== 0) throw new Error(`${args[0]} ended with ${status}: ${stderr}`);
      // The first round only fills the file cache.
      if (run >= 0) times.push(took);
      // After what the app itself may print.
      if (stdout !== "") functions = Number(stdout.split("\n").at(-1));
    }
  }
  if (functions === 0) throw new Error(`${app} registered no function.`);
  const floor = median(cases[0]!.times);
  console.log(`${functions} functions, median of ${runs} runs, node ${process.versions.node}\n`);
  console.log(`${"".padEnd(26)}${"ms".padStart(8)}${"best".padStart(8)}${"ratio".padStart(8)}`);
  for (const { name, times } of cases) {
    const [middle, best] = [median(times), Math.min(...times)];
    console.log(
      name.padEnd(26) +
        middle.toFixed(0).padStart(8) +
        best.toFixed(0).padStart(8) +
        (middle / floor).toFixed(2).padStart(8),
    );
  }
}

/** The app's settings as a new clone has them. */
function environment(): NodeJS.ProcessEnv {
  const sample = join(root, "local.settings.sample.json");
  const { Values = {} } = existsSync(sample)
    ? (JSON.parse(readFileSync(sample, "utf8")) as { Values?: Record<string, string> })
    : {};
  return { ...Values, ...process.env };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
