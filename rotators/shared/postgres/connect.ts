import { Socket } from "node:net";
import type { Client } from "pg";
import { PinionError } from "../../../src/errors.ts";
import type { Credential, Step } from "../../../src/rotator.ts";
import { isLoginRefused, loginFault, workFault } from "./faults.ts";
import type { Place, Who } from "./faults.ts";
import { changePort } from "./target.ts";
import type { ServerTarget } from "./target.ts";

/** A login to try: who, with what, and where (`change`: the server where changes are made). */
export interface Login {
  readonly who: Who;
  readonly user: string;
  readonly password: string;
  readonly at: "application" | "change";
}

const connectTimeout = 10_000;
/** Longer than the longest wait for a lock on the server. */
const queryTimeout = 20_000;

/** The login that a credential stands for, where applications connect unless said otherwise. */
export function loginOf(who: Who, credential: Credential, at: Login["at"] = "application"): Login {
  if (typeof credential.material !== "string") {
    throw new PinionError("TARGET_MISCONFIGURED", "A PostgreSQL password is a string, not a key kept in the vault.");
  }
  return { who, user: credential.id, password: credential.material, at };
}

/** What tokens for Azure Database for PostgreSQL are asked for, by the cloud that a server's name ends in. */
export function entraScope(host: string): string {
  const cloud = /\.database\.(usgovcloudapi\.net|chinacloudapi\.cn)\.?$/i.exec(host)?.[1] ?? "windows.net";
  return `https://ossrdbms-aad.database.${cloud.toLowerCase()}/.default`;
}

/** The administrator's login: password from the vault, or an Entra token (Azure Database for PostgreSQL takes it as the password). */
async function adminLogin(step: Step<ServerTarget>, fresh: boolean): Promise<Login> {
  const { admin } = step.target;
  if (!admin) throw new PinionError("TARGET_MISCONFIGURED", "The target names no administrator.");
  const password =
    "secret" in admin
      ? await step.ports.secret(admin.secret, { fresh })
      : await step.ports.token(entraScope(step.target.host));
  return { who: "admin", user: admin.user, password, at: "change" };
}

/**
 * Makes a new connection (never a pooled one: a pool would hide a password that no longer works), asserts that the server
 * sees the user we mean, runs `work` and closes it. The step's signal destroys the socket at once.
 * Throws a PinionError by cause; `isLoginRefused` tells a refused login from the rest.
 */
export async function session<R>(
  step: Step<ServerTarget>,
  login: Login,
  work: (client: Client) => Promise<R>,
): Promise<R> {
  const { target, signal } = step;
  signal.throwIfAborted();
  const [host, port] =
    login.at === "change" ? [target.adminHost ?? target.host, changePort(target)] : [target.host, target.port];
  const place: Place = { who: login.who, user: login.user, address: `${host}:${port}` };
  const { Client } = await import("pg");
  const socket = new Socket();
  const client = new Client({
    host,
    port,
    user: login.user,
    password: login.password,
    database: target.database,
    ssl: tlsOptions(target.tls),
    stream: () => socket,
    connectionTimeoutMillis: connectTimeout,
    query_timeout: queryTimeout,
    application_name: applicationName(step),
  });
  // Errors of an idle connection have no other listener; the next query reports them.
  client.on("error", () => {});
  const abort = () => socket.destroy();
  signal.addEventListener("abort", abort, { once: true });
  try {
    await client.connect().catch((error: unknown) => {
      throw loginFault(error, place);
    });
    await assertIdentity(client, place);
    return await work(client);
  } catch (error) {
    signal.throwIfAborted();
    throw workFault(error, place);
  } finally {
    await close(client, socket);
    signal.removeEventListener("abort", abort);
  }
}

/**
 * A session as the administrator. A refused password may be one that was changed in the last minute: it is read anew, and tried once
 * more only if it is another one.
 */
export async function adminSession<R>(step: Step<ServerTarget>, work: (client: Client) => Promise<R>): Promise<R> {
  const login = await adminLogin(step, false);
  try {
    return await session(step, login, work);
  } catch (error) {
    if (!(error instanceof PinionError && error.code === "ADMIN_LOGIN_FAILED")) throw error;
    const again = await adminLogin(step, true);
    if (again.password === login.password) throw error;
    return await session(step, again, work);
  }
}

/** Whether this login is let in now. False only when the server refuses the login itself; any other fault throws. */
export async function logsIn(step: Step<ServerTarget>, login: Login): Promise<boolean> {
  try {
    return await session(step, login, async () => true);
  } catch (error) {
    if (isLoginRefused(error)) return false;
    throw error;
  }
}

/** How our own connections name themselves in pg_stat_activity. */
export function applicationName(step: Step<unknown>): string {
  return `pinion ${step.rotationId}`.slice(0, 63);
}

async function assertIdentity(client: Client, place: Place): Promise<void> {
  // session_user, not current_user: a role with `SET role` becomes its owner at login.
  const { rows } = await client.query<{ name: string }>("SELECT session_user AS name");
  const seen = rows[0]?.name;
  if (seen === place.user) return;
  throw new PinionError("IDENTITY_MISMATCH", `${place.address} logged ${place.user} in as ${seen ?? "nobody"}.`);
}

function tlsOptions(tls: ServerTarget["tls"]) {
  if (tls.mode === "disable") return false;
  return { rejectUnauthorized: tls.mode === "verify-full", ...(tls.ca === undefined ? {} : { ca: tls.ca }) };
}

async function close(client: Client, socket: Socket): Promise<void> {
  if (socket.destroyed) return;
  // A polite end, so that no session lingers in pg_stat_activity; but never a wait for a server that has gone silent.
  const timer = setTimeout(() => socket.destroy(), 1000);
  await client.end().catch(() => {});
  clearTimeout(timer);
}
