import { readFileSync } from "node:fs";
import type { HttpCall, OutsideCall } from "./recorder.ts";

/** What one rotation costs, in calls. */
export interface Counts {
  readonly activities: number;
  readonly vault: number;
  readonly arm: number;
  /** Logins tried at PostgreSQL, those that must be refused among them. */
  readonly connections: number;
  readonly statements: number;
  readonly blob: number;
  readonly table: number;
  readonly events: number;
}

/** The most that a rotation may cost, and what each vault call is for. */
export interface Ceilings {
  readonly postgresAlternating: Counts;
  /** In the order of a rotation; without `guards` one could think that it can be saved. */
  readonly vaultCalls: readonly { readonly call: string; readonly step: string; readonly guards: string }[];
}

export function readCeilings(): Ceilings {
  return JSON.parse(readFileSync(new URL("../ceilings.json", import.meta.url), "utf8")) as Ceilings;
}

/**
 * The calls that a rotation makes in a process that has just started, less those that a process makes once: the vault's challenge, its
 * tokens, the looks for its table and containers, the policy, and the blob of a lease, which is made when an account is first changed. A look at a consumer that is repeated at once, because the site had not
 * restarted yet, counts once: how often that happens is the site's doing.
 */
export function callsOfRotation(calls: readonly OutsideCall[]): readonly OutsideCall[] {
  let before = "";
  return calls.filter((call) => {
    const name = call.place === "postgres" ? "" : `${call.place} ${call.name}`;
    const again = call.place === "arm" && call.method === "GET" && name === before;
    before = name;
    return !again && !oncePerProcess(call);
  });
}

function oncePerProcess(call: OutsideCall): boolean {
  switch (call.place) {
    case "vault":
      return call.name.endsWith("(challenge)");
    case "identity":
      return true;
    case "table":
      return call.name === "POST Tables" || call.name === "GET PinionRecords none";
    case "blob":
      return /restype=container|\/pinion-policy\/|^\S*\/none$/.test(call.path) || makesLease(call);
    default:
      return false;
  }
}

/** The first taking of a lease fails, and makes its blob. */
function makesLease({ name, status }: HttpCall): boolean {
  return name === "PUT pinion-leases/{name}" || (name === "PUT pinion-leases/{name} lease acquire" && status === 404);
}

export function count(calls: readonly OutsideCall[], activities: readonly string[]): Counts {
  const at = (place: OutsideCall["place"]) => calls.filter((call) => call.place === place).length;
  const postgres = (kind: "login" | "query") =>
    calls.filter((call) => call.place === "postgres" && call.kind === kind).length;
  return {
    activities: activities.length,
    vault: at("vault"),
    arm: at("arm"),
    connections: postgres("login"),
    statements: postgres("query"),
    blob: at("blob"),
    table: at("table"),
    events: at("topic"),
  };
}

/** What is over its ceiling: `vault: 12, at most 11`. */
export function over(counts: Counts, ceilings: Counts): readonly string[] {
  const names = Object.keys(ceilings) as (keyof Counts)[];
  return names
    .filter((name) => counts[name] > ceilings[name])
    .map((name) => `${name}: ${counts[name]}, at most ${ceilings[name]}`);
}

/** Milliseconds of deliberate pauses between looks at who uses a role: 250 between each two of one connection (rotators/shared/postgres/usage.ts). */
export function samplingPauses(calls: readonly OutsideCall[]): number {
  const looks = calls.flatMap((call) =>
    call.place === "postgres" &&
    call.kind === "query" &&
    call.text.includes("pg_stat_activity") &&
    call.values?.length === 2
      ? [call.connection]
      : [],
  );
  return (looks.length - new Set(looks).size) * 250;
}
