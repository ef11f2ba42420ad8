import { spawn } from "node:child_process";
import { createWriteStream, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export interface HostProcessOptions {
  /** Folder of its keys, its timers and its log. */
  readonly state: string;
  /** Folder that is deployed; default dist/app. */
  readonly app?: string | undefined;
  /** On 127.0.0.1; default a free one. */
  readonly port?: number | undefined;
  /** The whole environment of the process. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Told of each line of its log. */
  readonly onLine?: (line: string) => void;
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
export async function startHostProcess(options: HostProcessOptions): Promise<AppHost> {
  const { state, app = here("../../dist/app"), port = 0, onLine } = options;
  mkdirSync(state, { recursive: true });
  const log = createWriteStream(join(state, "host.log"), { flags: "a" });
  const preload = ["--import", here("../clock-preload.ts"), "--import", here("../exit-with-parent.ts")];
  const args = [here("../host/main.ts"), "--app", app, "--state", state, "--port", String(port)];
  const child = spawn(process.execPath, [...preload, ...args], {
    env: options.env,
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  let last = "";
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error("the host has no output");
  stderr.on("data", (chunk: Buffer) => {
    log.write(chunk);
    last = (last + chunk.toString()).slice(-2000);
  });
  if (onLine !== undefined) createInterface(stderr).on("line", onLine);
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
