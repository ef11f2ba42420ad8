import { spawn } from "node:child_process";
import { once } from "node:events";
import { Agent } from "node:https";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { call, tempDir } from "./support.ts";
import type { Asked } from "./support.ts";

const script = fileURLToPath(new URL("../../local/vault/cli.ts", import.meta.url));

/** Runs `npm run vault` with a configuration folder (and so a key) of its own. Whoever calls it ends it. */
export function launchCli(args: readonly string[], config: string) {
  const { PINION_VAULT_KEY: _, ...inherited } = process.env;
  const env = { ...inherited, XDG_CONFIG_HOME: config };
  const child = spawn(process.execPath, [script, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  const texts = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (texts.out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (texts.err += text));
  return { child, config, texts, exit: once(child, "close").then(([code]) => code as number | null) };
}

/** The same, ending with the test. */
export function spawnCli(args: readonly string[], config = tempDir()) {
  const cli = launchCli(args, config);
  onTestFinished(() => void cli.child.kill("SIGKILL"));
  return cli;
}

/** What `--json` says. */
export interface Told {
  readonly vaults: Readonly<Record<string, string>>;
  readonly caFile: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly identities: readonly Record<"name" | "clientId" | "objectId" | "secret", string>[];
}

/** Waits until a vault that was started with `--json` serves. */
export async function toldBy({ child, texts, exit }: ReturnType<typeof launchCli>): Promise<Told> {
  const first = await Promise.race([once(createInterface(child.stdout), "line"), exit.then(() => undefined)]);
  if (!first) throw new Error(`The vault did not start: ${texts.err}`);
  return JSON.parse(String(first[0])) as Told;
}

/** Starts it and waits until it serves. `ask` is about the first vault, without an api-version for `/_emulator/`. */
export async function startCli(args: readonly string[], config?: string) {
  const cli = spawnCli(["--port", "0", "--json", ...args], config);
  const told = await toldBy(cli);
  const ca = readFileSync(told.caFile, "utf8");
  const agent = new Agent({ ca, keepAlive: true });
  onTestFinished(() => agent.destroy());
  const url = Object.values(told.vaults)[0]!;
  const ask = (method: string, path: string, asked: Asked = {}) =>
    call(agent, url, method, path.startsWith("/_emulator") ? path : `${path}?api-version=7.6`, asked);
  const stop = async (signal: NodeJS.Signals = "SIGTERM") => {
    cli.child.kill(signal);
    return cli.exit;
  };
  return { ...cli, told, ca, agent, url, ask, stop };
}
