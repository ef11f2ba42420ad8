import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const root = join(import.meta.dirname, "../..");

const scripts = (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: Record<string, string> })
  .scripts;
const made = new Set(["dist/app", "dist/app.zip"]);

/** What a pipeline names and this repository does not have: files, and scripts of npm. */
export function missing(content: string): readonly string[] {
  const files = [
    ...content.matchAll(/(?<![\w/.-])(?:\.\/)?((?:\.ci|\.github|\.azuredevops|infra|scripts|src|dist)\/[\w./*-]*\w)/g),
  ].map(([, file]) => file!);
  const asked = [...content.matchAll(/npm run (?:--silent )?([\w:-]+)/g)].map(([, script]) => script!);
  return [
    ...files
      .filter((file) => !made.has(file) && !file.includes("*") && !existsSync(join(root, file)))
      .map((file) => `there is no ${file}`),
    ...asked.filter((script) => !Object.hasOwn(scripts, script)).map((script) => `there is no npm run ${script}`),
  ];
}

/** What bash, and shellcheck where it is installed, has against a script. In CI it must be. */
export function shellFault(script: string): string | undefined {
  const { status, stderr } = spawnSync("bash", ["-n"], { input: script, encoding: "utf8" });
  if (status !== 0) return stderr;
  const checked = spawnSync("shellcheck", ["--shell=bash", "-"], { input: script, encoding: "utf8" });
  if (checked.error !== undefined) return process.env["CI"] === "true" ? "shellcheck is not installed" : undefined;
  return checked.status === 0 ? undefined : checked.stdout;
}

/** Whether shellcheck looks too. */
export const hasShellcheck = spawnSync("shellcheck", ["--version"]).error === undefined;
