import { spawn } from "node:child_process";
import { createWriteStream, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type Cloud, eventsQueue, topicName } from "./cloud.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The app's settings in the local cloud: what Azure would give it, with this machine's addresses. */
export function appSettings(cloud: Cloud): Record<string, string> {
  return {
    AzureWebJobsStorage: cloud.azurite.connectionString,
    FUNCTIONS_WORKER_RUNTIME: "node",
    PINION_POLICY: cloud.policyUrl,
    PINION_EVENTS_QUEUE: eventsQueue,
    PINION_TOPIC_ENDPOINT: cloud.azure.topicEndpoint(topicName),
    PINION_RESOURCE_MANAGER_URL: cloud.azure.url,
    PINION_RESOURCE_MANAGER_AUDIENCE: "https://management.azure.com",
    PINION_COMMAND_AUTHORITY: "keys",
    IDENTITY_ENDPOINT: cloud.azure.identityEndpoint,
    IDENTITY_HEADER: cloud.azure.identityHeader,
    NODE_EXTRA_CA_CERTS: cloud.tls.caFile,
  };
}

export interface AppHostOptions {
  readonly cloud: Cloud;
  /** Folder that is deployed; default dist/app. */
  readonly app?: string;
  readonly port?: number;
  /** Settings on top of those of {@link appSettings}. */
  readonly env?: Readonly<Record<string, string>>;
  /** Name of its state folder and log below the cloud's folder. */
  readonly name?: string;
}

/** The app running on the host stand-in, in a process of its own. */
export interface AppHost {
  readonly url: string;
  readonly pid: number;
  readonly key: string;
  readonly masterKey: string;
  readonly systemKeys: Readonly<Record<string, string>>;
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
  /** SIGKILL: nothing is finished, nothing is said. */
  kill(): Promise<void>;
}

/** Starts the host; rejects with the last words of its log when it does not come up. */
export async function startAppHost(options: AppHostOptions): Promise<AppHost> {
  const { cloud, name = "host" } = options;
  const state = join(cloud.dir, name);
  mkdirSync(state, { recursive: true });
  const log = createWriteStream(join(state, "host.log"), { flags: "a" });
  const preload = ["--import", here("../clock-preload.ts"), "--import", here("../exit-with-parent.ts")];
  const args = [
    here("../host/main.ts"),
    "--app",
    options.app ?? here("../../dist/app"),
    "--state",
    state,
    "--port",
    String(options.port ?? 0),
  ];
  const child = spawn(process.execPath, [...preload, ...args], {
    env: { PATH: process.env["PATH"], ...appSettings(cloud), PINION_CLOCK: cloud.clockFile, ...options.env },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  let last = "";
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error("the host has no output");
  stderr.on("data", (chunk: Buffer) => {
    log.write(chunk);
    last = (last + chunk.toString()).slice(-2000);
  });
  const ended = new Promise<void>((resolve) => void child.once("exit", () => log.end(resolve)));
  const line = await new Promise<string>((resolve, reject) => {
    createInterface(stdout).once("line", resolve);
    void ended.then(() => reject(new Error(`The app's host did not start: ${last}`)));
  });
  const { url } = JSON.parse(line) as { url: string };
  const keys = JSON.parse(readFileSync(join(state, "keys.json"), "utf8")) as {
    function: string;
    master: string;
    system: Record<string, string>;
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await ended;
  };
  return {
    url,
    pid: child.pid ?? 0,
    key: keys.function,
    masterKey: keys.master,
    systemKeys: keys.system,
    ended,
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
  };
}
