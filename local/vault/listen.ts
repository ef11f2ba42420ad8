import { readFileSync, writeFileSync } from "node:fs";
import type { Server as HttpServer } from "node:http";
import type { Server as HttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

type Server = HttpServer | HttpsServer;

/** A server that ends an idle connection before its clients do (.NET: after a minute) cuts off requests on their way. */
const keepAliveMs = 180_000;

/** Listens on 127.0.0.1 on the given port, or on the one of the last run when it is free, so that ids stay the same. */
export async function listen(server: Server, port: number, last: number | undefined): Promise<number> {
  server.keepAliveTimeout = keepAliveMs;
  const attempt = (at: number) =>
    new Promise<number>((resolve, reject) => {
      server.once("error", reject);
      server.listen(at, "127.0.0.1", () => {
        server.off("error", reject);
        resolve((server.address() as AddressInfo).port);
      });
    });
  if (port || !last) return attempt(port);
  return attempt(last).catch(() => attempt(0));
}

/** Cuts all connections and resolves when the port is free. */
export function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** The ports of the last run, by vault. */
export function loadPorts(stateDir: string): Map<string, number> {
  try {
    return new Map(Object.entries(JSON.parse(readFileSync(join(stateDir, "ports.json"), "utf8")) as object));
  } catch {
    return new Map();
  }
}

export function savePorts(stateDir: string, ports: ReadonlyMap<string, number>): void {
  writeFileSync(join(stateDir, "ports.json"), JSON.stringify(Object.fromEntries(ports)));
}
