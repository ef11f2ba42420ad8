// Builds dist/app: the folder that is deployed, and that the local host runs. Nothing outside it is needed at run time.
import { build } from "esbuild";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
/** The host.json of each durable backend. azd builds by itself, without arguments, so its environment's PINION_BACKEND counts too. */
const hostFiles = { "azure-storage": "host.json", "durable-task-scheduler": "host.durable-task-scheduler.json" };
const { values } = parseArgs({
  options: {
    quiet: { type: "boolean", default: false },
    backend: { type: "string", default: process.env.PINION_BACKEND || "azure-storage" },
    out: { type: "string", default: join(root, "dist", "app") },
  },
});
const { quiet, backend } = values;
const out = resolve(values.out);
if (!Object.hasOwn(hostFiles, backend)) {
  console.error(`--backend: expected ${Object.keys(hostFiles).join(" or ")}, not ${backend}.`);
  process.exit(2);
}
const pkg = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

const result = await build({
  entryPoints: { main: join(root, "src", "main.ts") },
  outdir: out,
  outExtension: { ".js": ".mjs" },
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node22",
  minify: true,
  keepNames: true,
  legalComments: "none",
  metafile: true,
  // The Functions worker provides this module through `require` alone; pg-native is an optional addon that pg probes for.
  external: ["@azure/functions-core", "pg-native"],
  banner: {
    js: "import{createRequire as __cr}from'node:module';import{fileURLToPath as __fu}from'node:url';import{dirname as __dn}from'node:path';const require=__cr(import.meta.url),__filename=__fu(import.meta.url),__dirname=__dn(__filename);",
  },
  logLevel: "warning",
});

cpSync(join(root, hostFiles[backend]), join(out, "host.json"));
if (existsSync(join(root, "rotations.json"))) cpSync(join(root, "rotations.json"), join(out, "rotations.json"));
writeFileSync(
  join(out, "package.json"),
  JSON.stringify(
    { name: pkg.name, version: pkg.version, private: true, type: "module", main: "main.mjs", engines: pkg.engines },
    null,
    2,
  ) + "\n",
);

if (!quiet) {
  const files = readdirSync(out, { recursive: true })
    .map(String)
    .filter((name) => statSync(join(out, name)).isFile());
  const bytes = files.reduce((sum, name) => sum + statSync(join(out, name)).size, 0);
  console.log(
    `${relative(root, out)}: ${files.length} files, ${(bytes / 1024).toFixed(0)} KiB (${Object.keys(result.metafile.outputs).length} bundles)`,
  );
}
