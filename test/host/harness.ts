import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import type { Keys } from "../../local/host/keys.ts";

const root = join(import.meta.dirname, "..", "..");

/** A folder of the tests' own app. */
export const fixture = (name: string) => join(import.meta.dirname, "fixture", name);

/** A host in a process of its own. */
export interface HostProcess {
  readonly url: string;
  readonly functions: number;
  readonly keys: Keys;
  readonly pid: number;
  /** What it wrote to standard error so far. */
  log(): string;
  /** Asks it to end and gives its exit code. */
  stop(): Promise<number | null>;
  /** `kill -9`. */
  kill(): Promise<void>;
  /** A request whose answer's text is read. */
  call(path: string, init?: RequestInit): Promise<{ status: number; text: string; headers: Headers }>;
}

/** What the host gets beside its environment. `state` outlives it. */
export interface HostArguments {
  readonly app: string;
  readonly state: string;
  readonly clock?: string;
  readonly settings?: string;
  readonly queueLock?: number;
  readonly env?: Record<string, string>;
}

/** Starts the host; rejects with its standard error when it ends before it is ready. */
export async function startHostProcess(options: HostArguments): Promise<HostProcess> {
  const preload = (name: string) => ["--import", pathToFileURL(join(root, "local", name)).href];
  const child = spawn(
    process.execPath,
    [
      ...preload("clock-preload.ts"),
      ...preload("exit-with-parent.ts"),
      join(root, "local", "host", "main.ts"),
      "--app",
      options.app,
      "--state",
      options.state,
      ...(options.settings === undefined ? [] : ["--settings", options.settings]),
      ...(options.queueLock === undefined ? [] : ["--queue-lock", String(options.queueLock)]),
    ],
    {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: { ...process.env, NODE_ENV: "production", PINION_CLOCK: options.clock ?? "", ...options.env },
    },
  );
  let said = "";
  child.stderr!.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const ended = once(child, "exit") as Promise<[number | null]>;
  const lines: string[] = [];
  const ready = new Promise<string>((resolve) => {
    createInterface({ input: child.stdout! }).on("line", (line) => {
      lines.push(line);
      resolve(line);
    });
  });
  const first = await Promise.race([ready, ended.then(([code]) => Promise.reject(new HostEnded(code, said)))]);
  const { url, functions } = JSON.parse(first) as { url: string; functions: number };
  return {
    url,
    functions,
    keys: JSON.parse(readFileSync(join(options.state, "keys.json"), "utf8")) as Keys,
    pid: child.pid!,
    log: () => said,
    async stop() {
      child.kill("SIGTERM");
      const [code] = await ended;
      if (lines.length !== 1) throw new Error(`Standard output holds more than the ready line: ${lines.join("\n")}`);
      return code;
    },
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
    async call(path, init) {
      const response = await fetch(new URL(path, url), { redirect: "manual", ...init });
      return { status: response.status, text: await response.text(), headers: response.headers };
    },
  };
}

/** The host ended before it was ready. */
export class HostEnded extends Error {
  readonly code: number | null;
  constructor(code: number | null, stderr: string) {
    super(stderr);
    this.code = code;
  }
}

/** A folder that goes away with `using`. */
export function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "pinion-host-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** The JSON lines of a file; none when there is no file. */
export function readRecord(file: string): Record<string, unknown>[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Looks every 20 ms until `check` gives something; fails after `milliseconds` with what was awaited. */
export async function until<T>(
  what: string,
  check: () => T | undefined | Promise<T | undefined>,
  milliseconds = 20_000,
): Promise<T> {
  const end = performance.now() + milliseconds;
  for (;;) {
    const value = await check();
    if (value !== undefined) return value;
    if (performance.now() > end) throw new Error(`Waited ${milliseconds} ms in vain: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
