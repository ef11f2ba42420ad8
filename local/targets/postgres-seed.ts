import { Client } from "pg";
import { generatePassword } from "../../rotators/shared/password.ts";
import { scramVerifier } from "../../rotators/shared/postgres/scram.ts";
import type { PostgresServer } from "./postgres.ts";

type Server = Pick<PostgresServer, "host" | "port" | "superuser">;

/** A role that can log in. */
export interface Login {
  readonly user: string;
  readonly password: string;
}

export interface AlternatingSeed {
  readonly database: string;
  readonly roles: readonly [Login, Login];
  /** May change both roles and nothing else. */
  readonly admin: Login;
}

export interface InPlaceSeed {
  readonly database: string;
  readonly role: Login;
  readonly admin: Login;
}

/**
 * Makes what an `alternating` rotation wants to find: a NOLOGIN owner role; two roles in it that become the owner at login,
 * so that new tables belong to neither; an administrator with CREATEROLE and ADMIN OPTION on the two (PostgreSQL 16's rule)
 * that may see and end their sessions; a database and a table `orders` with one row.
 * Safe to run again, but every run gives new passwords: run it only while no vault holds one.
 */
export async function seedAlternating(
  server: Server,
  options: {
    readonly database: string;
    readonly owner: string;
    readonly roles: readonly [string, string];
    readonly admin: string;
  },
): Promise<AlternatingSeed> {
  const { database, owner } = options;
  const roles = [login(options.roles[0]), login(options.roles[1])] as const;
  const admin = login(options.admin);
  await makeRoles(server, [...roles, admin], owner);
  await asSuperuser(server, "postgres", async (client) => {
    const name = (text: string) => client.escapeIdentifier(text);
    for (const { user } of roles) {
      await client.query(`GRANT ${name(owner)} TO ${name(user)}; ALTER ROLE ${name(user)} SET role TO ${name(owner)}`);
    }
    await allowAdmin(client, admin.user, options.roles);
    await makeDatabase(client, database, owner);
  });
  await makeTable(server, database, owner);
  return { database, roles, admin };
}

/** Makes what an `in-place` rotation wants to find: one role that owns a database with a table `orders`, and an administrator for it. */
export async function seedInPlace(
  server: Server,
  options: { readonly database: string; readonly role: string; readonly admin: string },
): Promise<InPlaceSeed> {
  const [role, admin] = [login(options.role), login(options.admin)];
  await makeRoles(server, [role, admin]);
  await asSuperuser(server, "postgres", async (client) => {
    await allowAdmin(client, admin.user, [role.user]);
    await makeDatabase(client, options.database, role.user);
  });
  await makeTable(server, options.database, role.user);
  return { database: options.database, role, admin };
}

/** Runs `work` on a connection of the superuser, and closes it. */
export async function asSuperuser<R>(
  server: Server,
  database: string,
  work: (client: Client) => Promise<R>,
): Promise<R> {
  const client = new Client({ host: server.host, port: server.port, ...server.superuser, database });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

function login(user: string): Login {
  return { user, password: generatePassword() };
}

async function makeRoles(server: Server, logins: readonly Login[], owner?: string): Promise<void> {
  await asSuperuser(server, "postgres", async (client) => {
    const names = [...logins.map(({ user }) => user), ...(owner === undefined ? [] : [owner])];
    const known = await client.query<{ rolname: string }>("SELECT rolname FROM pg_roles WHERE rolname = ANY($1)", [
      names,
    ]);
    const missing = names.filter((name) => !known.rows.some(({ rolname }) => rolname === name));
    for (const name of missing) await client.query(`CREATE ROLE ${client.escapeIdentifier(name)} NOLOGIN`);
    for (const { user, password } of logins) {
      const verifier = client.escapeLiteral(scramVerifier(password));
      await client.query(`ALTER ROLE ${client.escapeIdentifier(user)} LOGIN PASSWORD ${verifier}`);
    }
  });
}

async function allowAdmin(client: Client, admin: string, roles: readonly string[]): Promise<void> {
  const name = client.escapeIdentifier(admin);
  await client.query(`ALTER ROLE ${name} CREATEROLE`);
  await client.query(`GRANT pg_read_all_stats, pg_signal_backend TO ${name}`);
  for (const role of roles) {
    // Only the right to change them: not to inherit what they may do, nor to become them.
    await client.query(`GRANT ${client.escapeIdentifier(role)} TO ${name} WITH ADMIN OPTION, INHERIT FALSE, SET FALSE`);
  }
}

async function makeDatabase(client: Client, database: string, owner: string): Promise<void> {
  const known = await client.query("SELECT FROM pg_database WHERE datname = $1", [database]);
  if (known.rowCount === 0) {
    // CREATE DATABASE copies files; STRATEGY wal_log is the fast way for a small template.
    await client.query(
      `CREATE DATABASE ${client.escapeIdentifier(database)} OWNER ${client.escapeIdentifier(owner)} STRATEGY wal_log`,
    );
  }
}

async function makeTable(server: Server, database: string, owner: string): Promise<void> {
  await asSuperuser(server, database, async (client) => {
    const known = await client.query<{ found: boolean }>("SELECT to_regclass('app.orders') IS NOT NULL AS found");
    if (known.rows[0]?.found) return;
    await client.query(`SET ROLE ${client.escapeIdentifier(owner)}`);
    await client.query("CREATE SCHEMA IF NOT EXISTS app");
    await client.query("CREATE TABLE IF NOT EXISTS app.orders (id int PRIMARY KEY, item text NOT NULL)");
    await client.query("INSERT INTO app.orders VALUES (1, 'pinion') ON CONFLICT DO NOTHING");
  });
}
