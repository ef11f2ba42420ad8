import type { Client, QueryResult } from "pg";
import { PinionError } from "../../../src/errors.ts";
import type { Step } from "../../../src/rotator.ts";

/** What a rotation last did to a role. It stands in the role's comment, after what people wrote there. */
export interface Mark {
  readonly rotationId: string;
  readonly state: "set" | "suspended" | "resumed" | "revoked" | "restored";
  readonly round: number;
}

/** A role as it is while its lock is held. */
export interface RoleNow {
  readonly canLogin: boolean;
  /** What this very rotation did to the role last, if anything. */
  readonly own?: Mark["state"];
  /** The round of that. */
  readonly ownRound?: number;
}

/** A change to make: the rest of an `ALTER ROLE <name>` statement (absent: only the mark), and what to do in the same transaction. */
export interface Change {
  readonly state: Mark["state"];
  readonly alter?: string;
  readonly also?: string;
}

// A holder of the lock that freezes is ended by the server before the next one gives up waiting.
const idleLimit = "4s";
const lockLimit = "8s";

const markPattern = /\n?\[pinion (\S+) (set|suspended|resumed|revoked|restored)(?: (\d+))?\]$/;

/** The mark in a role's comment. */
export function readMark(comment: string | null): Mark | undefined {
  const match = markPattern.exec(comment ?? "");
  if (!match) return undefined;
  return { rotationId: match[1]!, state: match[2] as Mark["state"], round: Number(match[3] ?? 1) };
}

/**
 * The one way to change a role, in one transaction under an advisory lock on the role's name: reads the role and its mark,
 * asks `decide` what to do (nothing: undefined), and sends change, mark and COMMIT as one message, so that no crash parts them.
 *
 * A late copy of a step changes nothing: before it gets the lock it reads the mark of what came after it (LEASE_LOST when
 * that is a later rotation's; rotation ids sort by time), and while it holds the lock nothing can come after it; if it
 * freezes there, the server ends its session. The comment needs the same right as the change itself, so `marked` is false
 * where a role changes its own password: then `decide` must make sure, by logins, that the change is still due.
 * Advisory locks hold per database: objects on one pair of roles must name the same database.
 * Returns whether it changed anything. Throws what the server's answer maps to; LEASE_HELD when the lock is not free in time.
 */
export async function changeRole(
  client: Client,
  step: Step<unknown>,
  role: string,
  { marked }: { readonly marked: boolean },
  decide: (now: RoleNow) => Promise<Change | undefined>,
): Promise<boolean> {
  const literal = client.escapeLiteral(role);
  const answers = (await client.query(
    [
      "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
      `SET LOCAL idle_in_transaction_session_timeout = '${idleLimit}'`,
      `SET LOCAL lock_timeout = '${lockLimit}'`,
      // A role with `SET role` is its owner now, who may not change it.
      ...(marked ? [] : ["SET LOCAL ROLE NONE"]),
      `SELECT pg_advisory_xact_lock(hashtext('pinion:' || ${literal}))`,
      `SELECT rolcanlogin, shobj_description(oid, 'pg_authid') AS comment FROM pg_roles WHERE rolname = ${literal}`,
    ].join("; "),
  )) as unknown as QueryResult<{ rolcanlogin: boolean; comment: string | null }>[];
  const row = answers.at(-1)?.rows[0];
  if (!row) throw new PinionError("TARGET_MISCONFIGURED", `The role ${role} does not exist.`);
  const mark = readMark(row.comment);
  if (mark && mark.rotationId > step.rotationId) {
    throw new PinionError(
      "LEASE_LOST",
      `Rotation ${mark.rotationId} has changed ${role} since; ${step.rotationId} leaves it alone.`,
    );
  }
  const own = mark?.rotationId === step.rotationId ? { own: mark.state, ownRound: mark.round } : {};
  const change = await decide({ canLogin: row.rolcanlogin, ...own });
  step.signal.throwIfAborted();
  if (!change) {
    await client.query("ROLLBACK");
    return false;
  }
  const name = client.escapeIdentifier(role);
  const comment =
    `${(row.comment ?? "").replace(markPattern, "")}\n[pinion ${step.rotationId} ${change.state} ${step.round}]`.trim();
  await client.query(
    [
      ...(change.alter === undefined ? [] : [`ALTER ROLE ${name} ${change.alter}`]),
      ...(marked ? [`COMMENT ON ROLE ${name} IS ${client.escapeLiteral(comment)}`] : []),
      ...(change.also === undefined ? [] : [change.also]),
      "COMMIT",
    ].join("; "),
  );
  return true;
}
