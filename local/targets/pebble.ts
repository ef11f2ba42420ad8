import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createSocket } from "node:dgram";
import { request } from "node:https";
import type { IncomingMessage } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** A running `pebble`, the small ACME server of Let's Encrypt, with `pebble-challtestsrv` as the DNS server that it asks. */
export interface Pebble {
  /** https; its certificate is the one that was given. */
  readonly directory: string;
  /** Where its validation looks for http-01, on 127.0.0.1. */
  readonly httpPort: number;
  readonly pids: readonly number[];
  /** PEM of the root that everything it issues leads to; the second, third, ... with alternate chains. */
  root(index?: number): Promise<string>;
  /** PEM of the certificate that signs leaves. */
  intermediate(index?: number): Promise<string>;
  /** `Valid` or `Revoked`, by the serial number in hex. */
  statusOf(serial: string): Promise<{ readonly status: string; readonly reason?: number }>;
  readonly dns: PebbleDns;
  stop(): Promise<void>;
}

/** What `pebble-challtestsrv` answers: every name is at 127.0.0.1, and has the TXT values that were added. */
export interface PebbleDns {
  /** `127.0.0.1:port` */
  readonly address: string;
  /** Adds a TXT value; a second time it is there twice. */
  addTxt(name: string, value: string): Promise<void>;
  /** Takes all TXT values of a name away. */
  clearTxt(name: string): Promise<void>;
  /** Makes every question for a name fail with SERVFAIL, or no longer. */
  fail(name: string, failing: boolean): Promise<void>;
  /** Serves a file for http-01, at any name. */
  addHttp(token: string, content: string): Promise<void>;
  removeHttp(token: string): Promise<void>;
}

export interface PebbleOptions {
  /** Folder for settings and certificates. */
  readonly dir: string;
  /** The server's own certificate and key (PEM), good for 127.0.0.1, and the CA that signed it. */
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string };
  /** External accounts by kid; then nobody is registered without one. */
  readonly externalAccounts?: Readonly<Record<string, string>>;
  /** How long its certificates are good for; absent: five years. It goes by the machine's clock, whatever the cloud's says. */
  readonly validSeconds?: number;
  /** `host:port` of the name server that it asks in place of `pebble-challtestsrv`. */
  readonly nameServer?: string;
  /** `PEBBLE_*` variables of its documentation, as in `{ PEBBLE_WFE_NONCEREJECT: "50" }`. */
  readonly env?: Readonly<Record<string, string>>;
}

const host = "127.0.0.1";
const startTimeout = 15_000;

/** Whether both programs are on this machine (Debian: the package `pebble`). */
export function hasPebble(): boolean {
  return ["pebble", "pebble-challtestsrv"].every((name) => spawnSync(name, ["-h"]).error === undefined);
}

/** Starts both on free ports of 127.0.0.1. What pebble knows ends with it: accounts, orders and the CA itself. */
export async function startPebble(options: PebbleOptions): Promise<Pebble> {
  const { dir, tls, externalAccounts, validSeconds, nameServer, env = {} } = options;
  mkdirSync(dir, { recursive: true });
  const [acme, management, http, tlsAlpn, dns, control] = await freePorts(6);
  const certificate = join(dir, "pebble.pem");
  const privateKey = join(dir, "pebble.key");
  writeFileSync(certificate, tls.cert);
  writeFileSync(privateKey, tls.key, { mode: 0o600 });
  const config = {
    listenAddress: `${host}:${acme}`,
    managementListenAddress: `${host}:${management}`,
    certificate,
    privateKey,
    httpPort: http,
    tlsPort: tlsAlpn,
    ...(validSeconds === undefined ? {} : { certificateValidityPeriod: validSeconds }),
    externalAccountBindingRequired: externalAccounts !== undefined,
    ...(externalAccounts === undefined ? {} : { externalAccountMACKeys: externalAccounts }),
  };
  const configFile = join(dir, "pebble.json");
  writeFileSync(configFile, JSON.stringify({ pebble: config }), { mode: 0o600 });

  const dnsArguments = ["-dns01", `${host}:${dns}`, "-http01", `${host}:${http}`, "-management", `${host}:${control}`];
  const children = [
    // No AAAA answers: pebble would then ask ::1, where nobody listens.
    start("pebble-challtestsrv", [...dnsArguments, "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""], {}),
    start("pebble", ["-config", configFile, "-dnsserver", nameServer ?? `${host}:${dns}`, "-strict"], {
      PEBBLE_VA_NOSLEEP: "1",
      ...env,
    }),
  ];
  const stop = async () => {
    await Promise.all(children.map(end));
  };
  const ask = async (path: string) => await fetchText(`https://${host}:${management}${path}`, tls.ca);
  try {
    await until(
      async () => (await fetchText(`https://${host}:${acme}/dir`, tls.ca)) !== "" && (await ask("/roots/0")) !== "",
      children,
    );
    await until(async () => (await post(control!, "clear-txt", { host: "ready." })) === undefined, children);
  } catch (error) {
    await stop();
    throw error;
  }
  const command = async (name: string, body: unknown) => await post(control!, name, body);
  return {
    directory: `https://${host}:${acme}/dir`,
    httpPort: http!,
    pids: children.map(({ pid }) => pid!),
    root: async (index = 0) => await ask(`/roots/${index}`),
    intermediate: async (index = 0) => await ask(`/intermediates/${index}`),
    async statusOf(serial) {
      const told = JSON.parse(await ask(`/cert-status-by-serial/${serial}`)) as { Status: string; Reason?: number };
      return { status: told.Status, ...(told.Reason === undefined ? {} : { reason: told.Reason }) };
    },
    dns: {
      address: `${host}:${dns}`,
      addTxt: async (name, value) => await command("set-txt", { host: `${name}.`, value }),
      clearTxt: async (name) => await command("clear-txt", { host: `${name}.` }),
      fail: async (name, failing) => await command(failing ? "set-servfail" : "clear-servfail", { host: `${name}.` }),
      addHttp: async (token, content) => await command("add-http01", { token, content }),
      removeHttp: async (token) => await command("del-http01", { token }),
    },
    stop,
  };
}

// It ends with its parent, however that dies: the shell waits for the end of its standard input, which only the parent holds open.
const lifeline = `"$@" 0</dev/null 3<&- & pid=$!; { read -r line <&3; kill $pid; } & guard=$!; wait $pid; code=$?; kill $guard 2>/dev/null; exit $code`;

function start(name: string, args: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
  return spawn("/bin/sh", ["-c", `exec 3<&0; ${lifeline}`, "sh", name, ...args], {
    stdio: ["pipe", "ignore", "ignore"],
    env: { ...process.env, ...env },
    detached: true,
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.stdin!.end();
  await ended;
}

async function until(works: () => Promise<boolean>, children: readonly ChildProcess[]): Promise<void> {
  const deadline = performance.now() + startTimeout;
  while (performance.now() < deadline && children.every(({ exitCode }) => exitCode === null)) {
    if (await works().catch(() => false)) return;
    await delay(50);
  }
  throw new Error("pebble did not start: look whether both its programs are installed.");
}

async function post(port: number, path: string, body: unknown): Promise<void> {
  const reply = await fetch(`http://${host}:${port}/${path}`, { method: "POST", body: JSON.stringify(body) });
  if (!reply.ok) throw new Error(`pebble-challtestsrv refused ${path} (${reply.status}).`);
}

async function fetchText(url: string, ca: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request(url, { ca, agent: false }, resolve).on("error", reject).end();
  const parts: Buffer[] = [];
  for await (const part of await promise) parts.push(part as Buffer);
  return Buffer.concat(parts).toString("utf8");
}

/** Ports that are free for TCP and UDP now; all are held until the last is found, so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, host);
      const socket = createSocket("udp4");
      await once(server, "listening");
      const { port } = server.address() as { port: number };
      socket.bind(port, host);
      await once(socket, "listening");
      return { server, socket, port };
    }),
  );
  for (const { server, socket } of servers) {
    server.close();
    socket.close();
  }
  return servers.map(({ port }) => port);
}
