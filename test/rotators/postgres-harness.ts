import { noPorts } from "../ports.ts";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, escapeIdentifier } from "pg";
import { asSuperuser, seedAlternating, seedInPlace } from "../../local/targets/postgres-seed.ts";
import type { Login } from "../../local/targets/postgres-seed.ts";
import { startPostgres } from "../../local/targets/postgres.ts";
import type { PostgresOptions, PostgresServer } from "../../local/targets/postgres.ts";
import type { AlternatingTarget, InPlaceTarget } from "../../rotators/shared/postgres/target.ts";
import { alternatingTarget, inPlaceTarget } from "../../rotators/shared/postgres/target.ts";
import type { Ports } from "../../src/rotator.ts";
import type { Edge } from "../contract/edge.ts";
import type { Lab } from "../contract/rotator-cases.ts";
import type { Harness } from "../contract/rotator.ts";

/** A server in a folder of its own, gone with `stop`. */
export async function freshServer(settings?: PostgresOptions["settings"]): Promise<PostgresServer> {
  const dir = mkdtempSync(join(tmpdir(), "pinion-postgres-"));
  const server = await startPostgres({ dir, ...(settings ? { settings } : {}) });
  return {
    ...server,
    async stop() {
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export const adminSecret = "https://vault.example/secrets/admin";

/** Ports whose vault holds one administrator's password. */
export function portsWith(admin: Login): Ports {
  return {
    ...noPorts,
    secret: async (url) => {
      if (url !== adminSecret) throw new Error("no such secret");
      return admin.password;
    },
    token: async () => {
      throw new Error("no identity here");
    },
  };
}

/** What a lab needs besides its target. */
function watch(server: PostgresServer, database: string, roles: readonly string[], edge: Edge) {
  const written = async () => readFileSync(server.logFile, "utf8");
  const begin = readFileSync(server.logFile, "utf8").length;
  return {
    edge,
    written,
    async state() {
      return await asSuperuser(server, "postgres", async (client) => {
        const text = "SELECT rolname, rolcanlogin, rolpassword FROM pg_authid WHERE rolname = ANY($1) ORDER BY 1";
        return JSON.stringify((await client.query(text, [roles])).rows);
      });
    },
    async changes() {
      const log = (await written()).slice(begin);
      return roles.reduce((sum, role) => sum + log.split(`ALTER ROLE ${escapeIdentifier(role)}`).length - 1, 0);
    },
    async use(credential: { id: string; material: unknown }) {
      const client = new Client({
        host: server.host,
        port: server.port,
        database,
        user: credential.id,
        password: String(credential.material),
        application_name: "orders-api",
      });
      // The rotator may end this session.
      client.on("error", () => {});
      await client.connect();
      return async () => {
        await client.end();
        // The server forgets a session a moment after its socket has closed.
        await new Promise((resolve) => setTimeout(resolve, 100));
      };
    },
  };
}

let count = 0;

/** Alternating roles `"App 1_a"`, `"App 1_b"`: names that need quoting. */
export async function alternatingLab(
  server: PostgresServer,
  edgeTo: (port: number) => Promise<Edge>,
): Promise<Lab<AlternatingTarget>> {
  const name = `App "${(count += 1)}`;
  const roles: [string, string] = [`${name}_a`, `${name}_b`];
  const seed = await seedAlternating(server, { database: "shop", owner: "shop_owner", roles, admin: `${name}_admin` });
  const edge = await edgeTo(server.port);
  const target = alternatingTarget.parse({
    host: server.host,
    port: edge.port,
    database: "shop",
    tls: { mode: "disable" },
    roles,
    admin: { user: seed.admin.user, secret: adminSecret },
    probe: "SELECT item FROM app.orders WHERE id = 1",
    terminateSessions: true,
  });
  const [{ user: id, password: material }] = seed.roles;
  return { target, ports: portsWith(seed.admin), current: { id, material }, ...watch(server, "shop", roles, edge) };
}

export async function alternatingHarness(): Promise<Harness<AlternatingTarget>> {
  const server = await freshServer();
  return {
    stop: server.stop,
    lab: async (edgeTo) => await alternatingLab(server, edgeTo),
  };
}

/** `self`: the role changes its own password. */
export async function inPlaceHarness({ self }: { readonly self: boolean }): Promise<Harness<InPlaceTarget>> {
  const server = await freshServer();
  return {
    stop: server.stop,
    // A role that changes itself may leave no mark in the server, and a restore brings back what a late set waits for.
    ...(self ? { leaseOnly: ["set after its restore"] } : {}),
    async lab(edgeTo) {
      const role = `svc-${(count += 1)}`;
      const seed = await seedInPlace(server, { database: "shop", role, admin: `${role}-admin` });
      // What a role becomes at login must not keep it from changing itself.
      if (self) {
        await asSuperuser(server, "postgres", async (client) => {
          await client.query(`CREATE ROLE "${role}-owner"; GRANT "${role}-owner" TO "${role}"`);
          await client.query(`ALTER ROLE "${role}" SET role TO "${role}-owner"`);
        });
      }
      const edge = await edgeTo(server.port);
      const target = inPlaceTarget.parse({
        host: server.host,
        port: edge.port,
        database: "shop",
        tls: { mode: "disable" },
        role,
        ...(self ? {} : { admin: { user: seed.admin.user, secret: adminSecret } }),
      });
      const current = { id: role, material: seed.role.password };
      return { target, ports: portsWith(seed.admin), current, ...watch(server, "shop", [role], edge) };
    },
  };
}
