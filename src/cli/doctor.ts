import { readFile } from "node:fs/promises";
import { findRotator, rotators } from "../../rotators/index.ts";
import { openContext } from "../doctor/context.ts";
import { examine } from "../doctor/examine.ts";
import { outsideChecks } from "../doctor/outside/checks.ts";
import type { Outside } from "../doctor/outside/context.ts";
import { reached } from "../doctor/outside/reached.ts";
import { type Report, reportOf, versionIn } from "../doctor/report.ts";
import { textOf } from "../doctor/text.ts";
import { isSafeUrl } from "../policy-texts.ts";
import { authority, readArguments, type Terminal } from "./terminal.ts";

const help = [
  "npm run pinion -- doctor [--url https://<app>/api] [--json]",
  "npm run pinion -- doctor --here [--settings local.settings.json] [--json]",
  "",
  "Asks the app, whose rights are what counts, and looks at it from outside. PINION_URL is the default of --url.",
  "With --here, or where no URL is given: looks from this machine, with the settings of the file and of the environment, as you are logged in.",
  "Exit codes: 0 no fault, 1 faults or an app that was not reached, 2 not understood.",
].join("\n");

const known = {
  url: { type: "string" },
  here: { type: "boolean", default: false },
  settings: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

/** Examines, and says what it found; resolves with the exit code: 0 no fault, 1 faults or an app that was not reached, 2 the command was not understood. */
export async function doctor(
  args: readonly string[],
  terminal: Terminal,
  folder: string = process.cwd(),
): Promise<number> {
  const read = readArguments(args, known, help, terminal);
  if (!read.understood) return read.code;
  const options = read.values;
  const url = options.here ? undefined : (options.url ?? terminal.env["PINION_URL"])?.replace(/\/+$/, "");
  const [word] = read.words;
  if (word !== undefined || (url !== undefined && !isSafeUrl(url))) {
    const fault =
      word === undefined ? `${url} is no https URL (http only on this machine).` : `doctor takes no ${word}.`;
    terminal.err(`${fault}\n\n${help}`);
    return 2;
  }
  const fromFile = url === undefined ? await readSettings(options.settings) : {};
  if (fromFile === undefined) {
    terminal.err(`${options.settings} is not there, or is no settings file: {"Values": {...}}.`);
    return 2;
  }
  const report = url === undefined ? await inside(fromFile, terminal, folder) : await outside(url, terminal, folder);
  const { checks, findings } = report;
  if (options.json) terminal.out(JSON.stringify(report, null, 2));
  else terminal.out([titleOf(report, url), "", textOf(checks, findings, terminal.colours === true)].join("\n"));
  const unreached = findings.some(({ check, level }) => check === reached.id && level !== "ok");
  return unreached || findings.some(({ level }) => level === "fault") ? 1 : 0;
}

/** The values of a settings file, as Core Tools keeps them; none where nobody named one and there is none. */
async function readSettings(file?: string): Promise<Readonly<Record<string, string>> | undefined> {
  try {
    const { Values = {} } = JSON.parse(await readFile(file ?? "local.settings.json", "utf8")) as {
      readonly Values?: Readonly<Record<string, string>>;
    };
    return Values;
  } catch (error) {
    const absent = error instanceof Error && "code" in error && error.code === "ENOENT";
    return absent && file === undefined ? {} : undefined;
  }
}

async function inside(file: Readonly<Record<string, string>>, { env }: Terminal, folder: string): Promise<Report> {
  // The managed identity of a local cloud, which the host would put into the app's environment.
  for (const name of ["IDENTITY_ENDPOINT", "IDENTITY_HEADER"]) {
    const value = file[name];
    if (value !== undefined) process.env[name] ??= value;
  }
  const registry = { rotators, find: findRotator };
  return reportOf(openContext({ place: "laptop", env: { ...file, ...env }, folder, registry }));
}

/** Milliseconds. The app's own checks wait for each other, each with its time, and it may have to start first; App Service cuts at 230 s. */
const outsidePatience = 240_000;

/** The app's own findings, after what only somebody outside can see. */
async function outside(url: string, { env }: Terminal, folder: string): Promise<Report> {
  const version = await versionIn(folder);
  const context: Outside = { url, headers: authority(env), version, fetch };
  const findings = await examine(outsideChecks, context, { limit: outsidePatience });
  const { report } = context;
  return {
    version: report?.version ?? version,
    place: "app",
    checks: [...outsideChecks.map(({ id }) => id), ...(report?.checks ?? [])],
    findings: [...findings, ...(report?.findings ?? [])],
  };
}

function titleOf({ version, place }: Report, url: string | undefined): string {
  if (place === "laptop")
    return `Pinion ${version}, seen from this machine with the rights of your login; those of the app are what counts: --url asks it.`;
  return `Pinion ${version} at ${new URL(url ?? "https://localhost").host}, as the app itself sees it.`;
}
