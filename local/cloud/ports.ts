import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { PinionError } from "../../src/errors.ts";

/** A port of 127.0.0.1 that nobody listens at: the wanted one where it is free. */
export async function freePort(wanted = 0): Promise<number> {
  const server = createServer();
  try {
    await once(server.listen(wanted, "127.0.0.1"), "listening");
    return (server.address() as AddressInfo).port;
  } catch (error) {
    if (wanted === 0) throw error;
    return await freePort();
  } finally {
    server.close();
  }
}

/**
 * Throws when another program has a port that the kept state of a cloud names: every reference holds a vault's address, and every
 * credential the database's.
 */
export async function requirePorts(dir: string): Promise<void> {
  const vaults = Object.entries(read<Record<string, number>>(join(dir, "vaults", "ports.json")) ?? {});
  const postgres = read<{ port: number }>(join(dir, "postgres", "server.json"));
  // One that a killed start left is stopped by the next.
  const mayRun = existsSync(join(dir, "postgres", "data", "postmaster.pid"));
  const kept = [...vaults, ...(postgres === undefined || mayRun ? [] : [["PostgreSQL", postgres.port] as const])];
  for (const [name, port] of kept)
    if ((await freePort(port)) !== port)
      throw new PinionError(
        "CONFLICT",
        `Another program has taken port ${port}, where ${name} of ${dir} was and has to be again: end that program, or delete the folder to begin anew.`,
      );
}

function read<T>(file: string): T | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as T) : undefined;
}
