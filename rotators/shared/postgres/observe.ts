import type { Client } from "pg";
import { PinionError } from "../../../src/errors.ts";
import type { Credential, Proof, Step } from "../../../src/rotator.ts";
import { generatePassword } from "../password.ts";
import { readMark } from "./change.ts";
import { adminSession, logsIn, session } from "./connect.ts";
import type { Login } from "./connect.ts";
import type { ServerTarget } from "./target.ts";

/** What preflight learns about one role without changing it. */
export interface RoleFacts {
  readonly name: string;
  readonly canLogin: boolean;
  /** Sessions seen now. */
  readonly sessions: number;
  /** Rotation that last changed it, if its mark is there. */
  readonly rotationId?: string;
}

/** Runs `work` as the administrator, or as the role itself where the target names none. */
export async function asChanger<R>(
  step: Step<ServerTarget>,
  self: Login | undefined,
  work: (client: Client) => Promise<R>,
): Promise<R> {
  if (step.target.admin || !self) return await adminSession(step, work);
  return await session(step, { ...self, at: "change" }, work);
}

/** Shows that the server checks passwords at all: one wrong one, once, must be refused. Throws WRONG_PASSWORD_ACCEPTED. */
export async function refusesWrongPassword(step: Step<ServerTarget>, user: string): Promise<Proof> {
  const wrong: Login = { who: "nobody", user, password: generatePassword(), at: "application" };
  if (await logsIn(step, wrong)) {
    throw new PinionError(
      "WRONG_PASSWORD_ACCEPTED",
      `${step.target.host} let ${user} in with a wrong password: a trust or cert line in pg_hba.conf makes every proof worthless. Ask for scram-sha-256.`,
    );
  }
  return { name: `a wrong password for ${user} is refused`, ok: true };
}

interface ServerRow {
  readonly version: number;
  readonly standby: boolean;
  readonly accepted: string | null;
  readonly encrypted: string | null;
}

interface RoleRow {
  readonly name: string;
  readonly can_login: boolean;
  readonly expired: boolean;
  readonly may_change: boolean;
  readonly may_end: boolean;
  readonly sessions: number;
  readonly comment: string | null;
}

/**
 * Reads, by the connection that would make the change: that this is the primary; that it takes SCRAM verifiers (PostgreSQL 10
 * or later, not switched off by Azure's or credcheck's setting); that every role exists, is not past its VALID UNTIL, and may
 * be changed from here (superuser; or CREATEROLE, from PostgreSQL 16 on with ADMIN OPTION on the role; or the role itself).
 * Throws TARGET_MISCONFIGURED or TARGET_FORBIDDEN with what to do.
 */
export async function inspect(
  client: Client,
  names: readonly string[],
  options: { readonly endSessions: boolean },
): Promise<{ roles: readonly RoleFacts[]; version: number; proofs: readonly Proof[] }> {
  const { rows: servers } = await client.query<ServerRow>(
    `SELECT current_setting('server_version_num')::int AS version, pg_is_in_recovery() AS standby,
       current_setting('azure.accepted_password_auth_method', true) AS accepted,
       current_setting('credcheck.encrypted_password_allowed', true) AS encrypted`,
  );
  const server = servers[0]!;
  assertServer(server);
  const { rows } = await client.query<RoleRow>(
    `SELECT r.rolname AS name, r.rolcanlogin AS can_login, coalesce(r.rolvaliduntil < now(), false) AS expired,
       r.rolname = session_user OR me.rolsuper OR (me.rolcreaterole AND NOT r.rolsuper
         AND ($2 < 160000 OR pg_has_role(me.oid, r.oid, 'MEMBER WITH ADMIN OPTION'))
         AND ($2 >= 160000 OR NOT r.rolreplication)) AS may_change,
       me.rolsuper OR pg_has_role(me.oid, r.oid, 'USAGE') OR pg_has_role(me.oid, 'pg_signal_backend', 'USAGE') AS may_end,
       (SELECT count(*)::int FROM pg_stat_activity a WHERE a.usesysid = r.oid AND a.application_name NOT LIKE 'pinion %') AS sessions,
       shobj_description(r.oid, 'pg_authid') AS comment
     FROM pg_roles r, pg_roles me WHERE me.rolname = current_user AND r.rolname = ANY($1)`,
    [names, server.version],
  );
  const roles = names.map((name) =>
    assertRole(
      name,
      rows.find((row) => row.name === name),
      options.endSessions,
    ),
  );
  return {
    roles,
    version: server.version,
    proofs: [
      { name: "the server takes SCRAM verifiers", ok: true, detail: `server version ${server.version}` },
      { name: `the right to change ${names.join(" and ")}`, ok: true },
    ],
  };
}

function assertServer({ version, standby, accepted, encrypted }: ServerRow): void {
  const refuse = (why: string) => {
    throw new PinionError("TARGET_MISCONFIGURED", why);
  };
  if (standby) refuse("Changes would go to a read replica; name the primary as adminHost.");
  if (version < 100_000) refuse("This PostgreSQL is older than 10 and knows no SCRAM verifiers.");
  if (accepted && !/scram/i.test(accepted)) {
    refuse("The server parameter azure.accepted_password_auth_method lacks scram-sha-256; add it.");
  }
  if (encrypted && /^(off|false|no|0)$/i.test(encrypted)) {
    refuse(
      "credcheck.encrypted_password_allowed is off, so the server would refuse a verifier; turn it on for the rotator's role.",
    );
  }
}

function assertRole(name: string, row: RoleRow | undefined, endSessions: boolean): RoleFacts {
  if (!row) throw new PinionError("TARGET_MISCONFIGURED", `The role ${name} does not exist.`);
  if (row.expired) {
    throw new PinionError(
      "TARGET_MISCONFIGURED",
      `The role ${name} is past its VALID UNTIL, so no password would let it in.`,
    );
  }
  if (!row.may_change) {
    throw new PinionError(
      "TARGET_FORBIDDEN",
      `The administrator may not change ${name}: it needs CREATEROLE and, from PostgreSQL 16 on, GRANT ${name} TO it WITH ADMIN OPTION.`,
    );
  }
  if (endSessions && !row.may_end) {
    throw new PinionError(
      "TARGET_FORBIDDEN",
      `The administrator may not end sessions of ${name}: grant it pg_signal_backend.`,
    );
  }
  const mark = readMark(row.comment);
  return { name, canLogin: row.can_login, sessions: row.sessions, ...(mark ? { rotationId: mark.rotationId } : {}) };
}

/** A new password for `id`: letters and digits only, so that SASLprep and every connection string leave it as it is. */
export function candidateFor(step: Step<ServerTarget>, id: string): Credential {
  const material = generatePassword({ length: step.target.passwordLength });
  return { id, material };
}
