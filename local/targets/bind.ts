import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** A running BIND, for tests: an authoritative server on loopback. */
export interface BindServer {
  readonly host: string;
  /** UDP and TCP. */
  readonly port: number;
  /** `host:port` */
  readonly address: string;
  /** What it logged so far. */
  readonly log: () => string;
  readonly stop: () => Promise<void>;
}

export interface BindOptions {
  /** Folder for its configuration and zones. */
  readonly dir: string;
  /** Loopback address; default 127.0.0.1. */
  readonly host?: string;
  /** Absent: a free one. */
  readonly port?: number;
  readonly keys?: readonly BindKey[];
  readonly zones: readonly BindZone[];
}

/** A TSIG key. `secret` in base64. */
export interface BindKey {
  readonly name: string;
  readonly algorithm: string;
  readonly secret: string;
}

export interface BindZone {
  readonly name: string;
  /** Lines of the zone file after its SOA: NS records and the rest. */
  readonly records: readonly string[];
  /** Names of the keys that may update it, or an `update-policy` statement. */
  readonly updatedBy?: readonly string[] | string;
  /** Names of the keys that see this zone at all; absent: everybody does. */
  readonly seenBy?: readonly string[];
}

const startTimeout = 20_000;

/** The program, where this machine has it: package `bind9` of Debian. */
export const namedPath: string | undefined = [
  "/usr/sbin/named",
  "/usr/local/sbin/named",
  "/opt/homebrew/sbin/named",
].find((path) => existsSync(path));

// It ends with this process, however that dies: the shell waits for the end of its standard input, which only the parent holds open.
const lifeline = `"$@" 0</dev/null 3<&- & pid=$!; { read -r line <&3; kill -TERM $pid; } & guard=$!; wait $pid; code=$?; kill $guard 2>/dev/null; exit $code`;

/** Starts `named` in the foreground. Rejects with its last words when it does not come up. */
export async function startBind(options: BindOptions): Promise<BindServer> {
  if (namedPath === undefined) throw new Error("There is no named on this machine: install bind9.");
  const { dir, host = "127.0.0.1" } = options;
  const port = options.port ?? (await freePort(host));
  mkdirSync(dir, { recursive: true });
  for (const zone of options.zones) writeFileSync(join(dir, `${zone.name}.zone`), zoneFile(zone));
  const config = join(dir, "named.conf");
  writeFileSync(config, configuration({ ...options, host, port }), { mode: 0o600 });
  const command = [namedPath, "-g", "-n", "1", "-c", config];
  const child = spawn("/bin/sh", ["-c", `exec 3<&0; ${lifeline}`, "sh", ...command], {
    stdio: ["pipe", "ignore", "pipe"],
    detached: true,
  });
  const lines: string[] = [];
  await running(child, lines);
  return {
    host,
    port,
    address: `${host}:${port}`,
    log: () => lines.join("\n"),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.stdin.end();
      await ended;
    },
  };
}

function configuration({ dir, host, port, keys = [], zones }: BindOptions & { host: string; port: number }): string {
  const list = (words: readonly string[]) => words.map((word) => ` ${word};`).join("");
  const keyList = (names: readonly string[]) => list(names.map((name) => `key "${name}"`));
  const updates = (by: readonly string[] | string) =>
    typeof by === "string" ? by : `allow-update {${by.length > 0 ? keyList(by) : " none;"} };`;
  return [
    ...keys.map(({ name, algorithm, secret }) => `key "${name}" { algorithm ${algorithm}; secret "${secret}"; };`),
    "controls { };",
    "options {",
    `  directory "${dir}";`,
    `  listen-on port ${port} { ${host}; };`,
    "  listen-on-v6 { none; };",
    `  pid-file "${dir}/named.pid";`,
    `  session-keyfile "${dir}/session.key";`,
    "  lock-file none;",
    "  recursion no; allow-transfer { none; }; notify no; dnssec-validation no; minimal-responses no;",
    "};",
    ...zones.map(
      ({ name, updatedBy = [], seenBy }) =>
        `zone "${name}" { type primary; file "${name}.zone"; ${updates(updatedBy)}` +
        ` allow-query {${seenBy === undefined ? " any;" : keyList(seenBy)} }; };`,
    ),
    "",
  ].join("\n");
}

function zoneFile({ name, records }: BindZone): string {
  return [`$ORIGIN ${name}.`, "$TTL 60", "@ SOA ns1 hostmaster 1 60 60 3600 60", ...records, ""].join("\n");
}

async function running(child: ChildProcess, lines: string[]): Promise<void> {
  const reader = createInterface({ input: child.stderr! });
  const up = new Promise<void>((resolve) => {
    reader.on("line", (line) => {
      lines.push(line);
      if (line.endsWith(" running")) resolve();
    });
  });
  const words = () => lines.slice(-8).join("\n");
  const died = once(child, "exit").then(([code]) => {
    throw new Error(`named did not start (code ${String(code)}). ${words()}`);
  });
  died.catch(() => {});
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`named did not start in ${startTimeout} ms. ${words()}`)), startTimeout);
  });
  try {
    await Promise.race([up, died, late]);
  } catch (error) {
    child.stdin!.end();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** A port that is free for TCP and for UDP. */
async function freePort(host: string): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const socket = createSocket("udp4");
  try {
    socket.bind(port, host);
    await once(socket, "listening");
    return port;
  } catch {
    return await freePort(host);
  } finally {
    server.close();
    socket.close();
  }
}
