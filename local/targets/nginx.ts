import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** A running nginx that serves one certificate on 127.0.0.1. */
export interface Nginx {
  readonly port: number;
  /** Writes a private key and its chain (PEM) where nginx reads them: one file, mode 600, put in place by a rename. */
  install(pem: string): void;
  /** Reads the certificate anew, as `nginx -s reload` does: connections go on. */
  reload(): void;
  /** What it has written to its error log. */
  log(): string;
  stop(): Promise<void>;
}

export interface NginxOptions {
  /** Folder for configuration, certificate and logs. */
  readonly dir: string;
  readonly pem: string;
}

const program = "/usr/sbin/nginx";
const startTimeout = 10_000;

/** Whether Debian's nginx is on this machine. */
export const hasNginx = (): boolean => spawnSync(program, ["-v"]).status === 0;

/** Starts nginx on a free port. Rejects with its last words when it does not come up within 10 s; it ends with this process. */
export async function startNginx({ dir, pem }: NginxOptions): Promise<Nginx> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const certificate = join(dir, "certificate.pem");
  const errorLog = join(dir, "error.log");
  const install = (text: string): void => {
    writeFileSync(`${certificate}.new`, text, { mode: 0o600 });
    renameSync(`${certificate}.new`, certificate);
  };
  install(pem);
  const port = await freePort();
  writeFileSync(join(dir, "nginx.conf"), configuration(dir, port, certificate));
  const child = spawn(program, ["-p", dir, "-e", errorLog, "-c", join(dir, "nginx.conf")], { stdio: "ignore" });
  const end = () => child.kill("SIGTERM");
  process.once("exit", end);
  child.once("exit", () => process.off("exit", end));
  const log = () => readFileSync(errorLog, "utf8");
  if (!(await answers(port, () => child.exitCode !== null))) {
    end();
    throw new Error(`nginx did not start: ${log()}`);
  }
  return {
    port,
    install,
    reload: () => void child.kill("SIGHUP"),
    log,
    stop: async () => {
      if (child.exitCode !== null) return;
      const gone = once(child, "exit");
      end();
      await gone;
    },
  };
}

const configuration = (dir: string, port: number, certificate: string): string => `
daemon off;
pid ${dir}/nginx.pid;
worker_processes 1;
events { worker_connections 512; }
http {
  access_log off;
  ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${dir}/${name};`).join(" ")}
  # Each handshake is a whole one, so that each shows the certificate.
  ssl_session_cache off;
  ssl_session_tickets off;
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${certificate};
    ssl_certificate_key ${certificate};
    return 200 "ok";
  }
}
`;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function answers(port: number, ended: () => boolean): Promise<boolean> {
  for (const from = performance.now(); performance.now() - from < startTimeout && !ended(); await delay(50)) {
    const socket = connect(port, "127.0.0.1");
    const connected = await once(socket, "connect").then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (connected) return true;
  }
  return false;
}
