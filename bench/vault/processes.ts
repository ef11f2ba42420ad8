import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { exchange } from "./client.ts";
import type { Place, Reply } from "./client.ts";
import type { Meter } from "./meter.ts";

const pathOf = (file: string) => fileURLToPath(new URL(file, import.meta.url));

/** A server in a process of its own. */
interface Server {
  /** What it has used; "collected": after its garbage is gone. */
  readonly meter: (when?: "collected") => Promise<Meter>;
  readonly kill: () => Promise<void>;
}

/** A vault as `npm run vault -- --auth strict --state DIR` serves it. */
export interface VaultServer extends Server, Place {
  readonly tlsDir: string;
  /** A bearer token for one that may do everything. */
  readonly token: string;
  /** Milliseconds from the start of the process until it served. */
  readonly startedIn: number;
}

/** Bare servers, one for each name. */
export interface BareServer extends Server {
  readonly places: ReadonlyMap<string, Place>;
}

async function start(script: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const preload = [pathOf("meter.ts"), pathOf("../../local/exit-with-parent.ts")].flatMap((one) => ["--import", one]);
  const child = spawn(process.execPath, ["--expose-gc", ...preload, script, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  const exit = once(child, "exit");
  const line = await Promise.race([once(createInterface(child.stdout!), "line"), exit.then(() => undefined)]);
  if (line === undefined) throw new Error(`${script} did not start.`);
  const kill = async () => {
    child.kill("SIGKILL");
    await exit;
  };
  const meter: Server["meter"] = async (when) => {
    child.send(when ?? "now");
    return ((await once(child, "message")) as [Meter])[0];
  };
  return { said: JSON.parse(String(line[0])) as unknown, meter, kill };
}

const environment = { PINION_VAULT_KEY: randomBytes(32).toString("hex") };

/** Starts the vault on what `dir` keeps of it: `kill` is kill -9, and nothing is lost by it. */
export async function startVault(dir: string): Promise<VaultServer> {
  const began = performance.now();
  const args = ["--json", "--port", "0", "--auth", "strict", "--vault", "kv-bench", "--state", join(dir, "state")];
  const env = { ...environment, XDG_CONFIG_HOME: join(dir, "config") };
  const { said, ...server } = await start(pathOf("../../local/vault/cli.ts"), args, env);
  const startedIn = performance.now() - began;
  const {
    vaults,
    caFile,
    environment: given,
  } = said as {
    vaults: Readonly<Record<string, string>>;
    caFile: string;
    environment: Readonly<Record<string, string>>;
  };
  const ca = readFileSync(caFile, "utf8");
  const token = await tokenFrom(given, ca);
  return { ...server, port: Number(new URL(vaults["kv-bench"]!).port), ca, tlsDir: dirname(caFile), token, startedIn };
}

async function tokenFrom(env: Readonly<Record<string, string>>, ca: string): Promise<string> {
  const form = new URLSearchParams({
    grant_type: "client_credentials",
    client_id: env["AZURE_CLIENT_ID"]!,
    client_secret: env["AZURE_CLIENT_SECRET"]!,
    scope: "https://vault.azure.net/.default",
  }).toString();
  const type = "application/x-www-form-urlencoded";
  const request = `POST /${env["AZURE_TENANT_ID"]}/oauth2/v2.0/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\nContent-Length: ${form.length}\r\n\r\n${form}`;
  const port = Number(new URL(env["AZURE_AUTHORITY_HOST"]!).port);
  const { body } = await exchange({ port, ca }, Buffer.from(request));
  return (JSON.parse(body) as { access_token: string }).access_token;
}

/** Starts bare servers that answer `replies`, with the vault's own TLS material. */
export async function startBare(
  dir: string,
  { tlsDir, ca }: VaultServer,
  replies: ReadonlyMap<string, Reply>,
): Promise<BareServer> {
  const file = join(dir, "replies.json");
  writeFileSync(file, JSON.stringify(Object.fromEntries(replies)));
  const { said, ...server } = await start(pathOf("bare.ts"), [tlsDir, file]);
  const ports = Object.entries(said as Record<string, number>);
  return { ...server, places: new Map(ports.map(([name, port]) => [name, { port, ca }])) };
}
