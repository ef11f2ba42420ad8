import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "pg";
import type { Step, Usage } from "../../../src/rotator.ts";
import { applicationName } from "./connect.ts";

const samples = 5;
const pause = 250;

/**
 * Sessions of a role, from five looks at pg_stat_activity within a second. It misses a session that lives only between two
 * looks, sessions on read replicas, and those that a pooler keeps under another role; it cannot see logins that fail.
 * Without membership in pg_read_all_stats the client's address is hidden.
 */
export async function sampleUsage(client: Client, step: Step<unknown>, role: string): Promise<Usage> {
  const users = new Set<string>();
  let active = 0;
  for (let look = 0; look < samples; look += 1) {
    if (look > 0) await delay(pause, undefined, { signal: step.signal });
    // Statistics are cached for a transaction, so each look is one of its own.
    const { rows } = await client.query<{ name: string | null; address: string | null }>(
      `SELECT application_name AS name, host(client_addr) AS address FROM pg_stat_activity
       WHERE usename = $1 AND application_name IS DISTINCT FROM $2`,
      [role, applicationName(step)],
    );
    active = Math.max(active, rows.length);
    for (const { name, address } of rows)
      users.add(`${name || "an unnamed application"} at ${address ?? "a hidden address"}`);
  }
  return { active, users: [...users].sort() };
}
