import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { launchCli, toldBy } from "./cli.ts";

const project = fileURLToPath(new URL("dotnet", import.meta.url));
const quiet = {
  DOTNET_CLI_TELEMETRY_OPTOUT: "1",
  DOTNET_NOLOGO: "1",
  DOTNET_SKIP_FIRST_TIME_EXPERIENCE: "1",
  // No process stays behind that the next build could use.
  MSBUILDDISABLENODEREUSE: "1",
};
const patience = 480_000;

/** Of which vaults the checks are about, as Given.cs explains them. */
const strict = [
  "--auth=strict",
  "--vault=kv-net-main",
  "--vault=kv-net-spare",
  "--identity=admin=Key Vault Administrator",
  "--identity=user=Key Vault Secrets User@secrets/net-allowed",
  "--identity=reader=Key Vault Reader",
  "--identity=nobody",
];
const open = [
  "--vault=kv-net-guarded",
  "--vault=kv-net-faulty",
  "--vault=kv-net-ruled",
  "--purge-protection",
  "--retention=7",
  "--delete-delay=5",
];

/** How one check went; `broken` says what was not as promised, null: nothing. */
export interface Outcome {
  readonly check: string;
  readonly broken: string | null;
  readonly milliseconds: number;
}

/** What the program said, in its own order. */
export interface Report {
  /** The names of all checks, those that never came to an end too. */
  readonly checks: readonly string[];
  readonly outcomes: ReadonlyMap<string, Outcome>;
  readonly exitCode: number | null;
  /** What the program and the vaults said on stderr, where a vault puts its own faults. */
  readonly errors: string;
}

/** Why the checks cannot run on this machine; undefined: they can. */
export function missing(): string | undefined {
  const { status, stdout, error } = spawnSync("dotnet", ["--version"], {
    encoding: "utf8",
    env: { ...process.env, ...quiet },
  });
  if (error || status !== 0) return "there is no dotnet here";
  return Number.parseInt(stdout, 10) >= 10 ? undefined : `dotnet is ${stdout.trim()}, not 10`;
}

/** Builds the program in a temporary folder and runs it against vaults of its own. */
export async function runChecks(): Promise<Report> {
  const dir = mkdtempSync(join(tmpdir(), "pinion-dotnet-"));
  // Each has an authority of its own, so that trust in one is none in the other.
  const vaults = [strict, open].map((args, index) =>
    launchCli(["--port", "0", "--json", ...args], join(dir, `config-${index}`)),
  );
  try {
    const [checked, any] = await Promise.all([...vaults.map(toldBy), build(dir)]);
    const said = await run([join(dir, "bin/VaultChecks/debug/VaultChecks.dll")], {
      ...checked!.environment,
      VAULT_MAIN: checked!.vaults["kv-net-main"]!,
      VAULT_SPARE: checked!.vaults["kv-net-spare"]!,
      VAULT_IDENTITIES: JSON.stringify(checked!.identities),
      VAULT_GUARDED: any!.vaults["kv-net-guarded"]!,
      VAULT_FAULTY: any!.vaults["kv-net-faulty"]!,
      VAULT_RULED: any!.vaults["kv-net-ruled"]!,
      VAULT_GUARDED_CA: any!.caFile,
    });
    return { ...read(said), errors: [said.err, ...vaults.map(({ texts }) => texts.err)].join("") };
  } finally {
    for (const { child } of vaults) child.kill();
    await Promise.all(vaults.map(({ exit }) => exit));
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Builds a program into `dir`. Asks the package feed only for what this machine does not have yet. */
export async function build(dir: string, from = project): Promise<undefined> {
  const options = ["--nologo", "-m:1", "-p:RestoreLockedMode=true", "-p:UseSharedCompilation=false"];
  const { exitCode, out, err } = await run(["build", from, "--artifacts-path", dir, ...options]);
  if (exitCode !== 0) throw new Error(`dotnet build failed:\n${out}\n${err}`);
}

/** Runs `dotnet` with the arguments. */
export async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn("dotnet", args, {
    env: { ...process.env, ...quiet, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: patience,
    killSignal: "SIGKILL",
  });
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  const [code] = (await once(child, "close")) as [number | null];
  return { exitCode: code, out, err };
}

function read({ exitCode, out }: Awaited<ReturnType<typeof run>>): Omit<Report, "errors"> {
  const [first = "{}", ...rest] = out.split("\n").filter((line) => line.startsWith("{"));
  const { checks = [] } = JSON.parse(first) as Partial<Report>;
  const outcomes = rest.map((line) => JSON.parse(line) as Outcome);
  return { checks, outcomes: new Map(outcomes.map((one) => [one.check, one])), exitCode };
}
