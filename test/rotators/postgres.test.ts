import { chownSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { asSuperuser } from "../../local/targets/postgres-seed.ts";
import { ensureTls } from "../../local/tls.ts";
import { postgresAlternating as pair, postgresInPlace as single } from "../../rotators/postgres.ts";
import type { AlternatingTarget } from "../../rotators/shared/postgres/target.ts";
import { startEdge } from "../contract/edge.ts";
import { adminSecret, alternatingLab, freshServer } from "./postgres-harness.ts";
import { stepFor, usePairs } from "./postgres-pairs.ts";

const { server, lab, sql } = usePairs();

async function comment(role: string): Promise<string | null> {
  return await asSuperuser(server(), "shop", async (client) => {
    const text = "SELECT shobj_description(oid, 'pg_authid') AS comment FROM pg_roles WHERE rolname = $1";
    return (await client.query<{ comment: string | null }>(text, [role])).rows[0]?.comment ?? null;
  });
}

describe("changes", () => {
  test("never touches the current role", async () => {
    const { step, current } = await lab();
    await expect(pair.set(step, { ...current, material: "another-password" }, current)).rejects.toMatchObject({
      code: "SLOT_UNCLEAR",
    });
    expect(await pair.works(step, current)).toBe(true);
  });

  test("sends a verifier, never the password, and keeps what people wrote in the comment", async () => {
    const { step, current, roles, written } = await lab();
    await sql("COMMENT ON ROLE %I IS 'Belongs to team \"Orders\"'", roles[1]);
    const next = await pair.create(step, { current: { id: roles[0] }, idle: { id: roles[1] } });
    expect(next.material).toMatch(/^[A-Za-z0-9]{40}$/);
    await pair.set(step, next, current);
    expect(await comment(roles[1])).toBe(`Belongs to team "Orders"\n[pinion ${step.rotationId} set 1]`);
    await pair.revoke(step, next);
    expect(await comment(roles[1])).toBe(`Belongs to team "Orders"\n[pinion ${step.rotationId} revoked 1]`);
    const log = await written();
    expect(log).toContain("LOGIN PASSWORD 'SCRAM-SHA-256$4096:");
    expect(log.includes(next.material as string)).toBe(false);
  });

  test("suspending leaves open sessions, revoking ends them", async () => {
    const { step, current, roles, use } = await lab();
    await pair.set(step, { id: roles[1], material: "a-candidate-password-3" }, current);
    const end = await use(current);
    await pair.suspension?.suspend(step, current);
    expect(await pair.works(step, current)).toBe(false);
    expect(await pair.usage!(step, current)).toMatchObject({ active: 1, users: ["orders-api at 127.0.0.1"] });
    await pair.revoke(step, current);
    expect(await pair.usage!(step, current)).toMatchObject({ active: 0 });
    await end();
  });

  test("a hold lifts a suspension and begins the next one; a late copy of the first changes nothing", async () => {
    const { step, current } = await lab();
    const second = { ...step, round: 2 };
    await pair.suspension?.suspend(step, current);
    await pair.suspension?.resume(step, current);
    expect(await pair.works(step, current)).toBe(true);
    await expect(pair.suspension?.suspend(step, current)).rejects.toMatchObject({ code: "LEASE_LOST" });
    expect(await pair.works(step, current)).toBe(true);
    await pair.suspension?.suspend(second, current);
    expect(await pair.works(step, current)).toBe(false);
    await expect(pair.suspension?.resume(step, current)).rejects.toMatchObject({ code: "LEASE_LOST" });
    expect(await pair.works(step, current)).toBe(false);
  });

  test("after a revoke there is nothing to resume", async () => {
    const { step, current, roles } = await lab();
    await pair.set(step, { id: roles[1], material: "a-candidate-password-4" }, current);
    await pair.revoke(step, current);
    await expect(pair.suspension!.resume(step, current)).rejects.toMatchObject({ code: "ROLLBACK_IMPOSSIBLE" });
  });

  test("waits for the lock of another change, and says so when it does not come", { timeout: 20_000 }, async () => {
    const { step, current, roles } = await lab();
    await asSuperuser(server(), "shop", async (client) => {
      await client.query("SELECT pg_advisory_lock(hashtext('pinion:' || $1))", [roles[1]]);
      await expect(pair.set(step, { id: roles[1], material: "a-candidate-password-5" }, current)).rejects.toMatchObject(
        {
          code: "LEASE_HELD",
          class: "transient",
        },
      );
    });
  });

  test("in-place stops when somebody else has changed the password", async () => {
    const at = await lab();
    const [role] = at.roles;
    const { roles: _, terminateSessions: __, ...rest } = at.target;
    const next = { id: role, material: "a-candidate-password-6" };
    for (const target of [
      { ...rest, role },
      { ...rest, role, admin: undefined },
    ]) {
      await sql("ALTER ROLE %I PASSWORD 'changed by hand'", role);
      const step = stepFor(at, single.target.parse(target));
      await expect(single.set(step, next, at.current)).rejects.toMatchObject({
        code: "OUT_OF_BAND_CHANGE",
        class: "permanent",
      });
      expect(await single.works(step, { id: role, material: "changed by hand" })).toBe(true);
    }
  });
});

describe("logins", () => {
  test("only a refused login counts as one", async () => {
    const { step, current, roles, target } = await lab();
    const works = async (changed: Partial<AlternatingTarget> = {}) =>
      await pair.works({ ...step, target: { ...target, ...changed } }, current);
    await sql("ALTER ROLE %I CONNECTION LIMIT 0", roles[0]);
    await expect(works()).rejects.toMatchObject({ code: "TARGET_UNREACHABLE", class: "transient" });
    await sql("ALTER ROLE %I CONNECTION LIMIT -1", roles[0]);
    await expect(works({ database: "nowhere" })).rejects.toMatchObject({
      code: "TARGET_MISCONFIGURED",
      class: "permanent",
    });
    await expect(works({ host: "nowhere.invalid" })).rejects.toMatchObject({
      code: "TARGET_UNREACHABLE",
      class: "transient",
    });
    await expect(works({ tls: { mode: "require" } })).rejects.toMatchObject({
      code: "TARGET_MISCONFIGURED",
      class: "permanent",
    });
    await sql("ALTER ROLE %I NOLOGIN", roles[0]);
    expect(await works()).toBe(false);
  });

  test("a late revocation does not kill what was given back meanwhile; that of a later round does", async () => {
    const { step, current, roles } = await lab();
    const next = { id: roles[1], material: "a-candidate-password-1" };
    await pair.set(step, next, current);
    await pair.suspension?.suspend(step, current);
    await pair.suspension?.resume(step, current);
    await expect(pair.revoke(step, current)).rejects.toMatchObject({ code: "LEASE_LOST", class: "permanent" });
    expect(await pair.works(step, current)).toBe(true);
    const second = { ...step, round: 2 };
    await pair.suspension?.suspend(second, current);
    expect((await pair.revoke(second, current)).every(({ ok }) => ok)).toBe(true);
    expect(await pair.works(step, current)).toBe(false);
  });

  test("a suspension that comes late is refused, also where its round had suspended nothing when it was lifted", async () => {
    const { step, current, roles } = await lab();
    await pair.set(step, { id: roles[1], material: "a-candidate-password-1" }, current);
    for (const round of [1, 2]) {
      await pair.suspension?.resume({ ...step, round }, current);
      await expect(pair.suspension?.suspend({ ...step, round }, current)).rejects.toMatchObject({ code: "LEASE_LOST" });
    }
    expect(await pair.works(step, current)).toBe(true);
  });

  test("a probe that fails, writes, or is two statements is a failed proof without its text", async () => {
    const { step, current, target } = await lab();
    const probes = ["SELECT 'secret-value'::int", "DELETE FROM app.orders", "SELECT 1; COMMIT"];
    for (const probe of probes) {
      const given = { ...step, target: { ...target, probe } };
      const proofs = await pair.validate(given, current, current, { negativeControl: true });
      const failed = proofs.filter(({ ok }) => !ok);
      expect(failed).toHaveLength(1);
      expect(failed[0]?.detail).toMatch(/^SQLSTATE \w{5}$/);
    }
  });

  test("verifies the server's certificate unless told not to", { timeout: 60_000 }, async () => {
    const secure = await freshServer();
    const dir = dirname(secure.logFile);
    const tls = await ensureTls(join(dir, "tls"), { now: () => Date.now() });
    const other = await ensureTls(join(dir, "other"), { now: () => Date.now() });
    const { uid, gid } = statSync(join(dir, "data"));
    for (const [name, pem] of [
      ["server.crt", tls.cert],
      ["server.key", tls.key],
    ] as const) {
      const file = join(dir, "data", name);
      writeFileSync(file, pem, { mode: 0o600 });
      chownSync(file, uid, gid);
    }
    await asSuperuser(secure, "postgres", async (client) => {
      await client.query("ALTER SYSTEM SET ssl = on");
      await client.query("SELECT pg_reload_conf()");
    });
    const at = await alternatingLab(secure, startEdge);
    const works = async (mode: AlternatingTarget["tls"]) =>
      await pair.works(stepFor(at, { ...at.target, tls: mode }), at.current).catch((error: unknown) => error);
    await expect.poll(async () => await works({ mode: "require" })).toBe(true);
    expect(await works({ mode: "verify-full", ca: tls.ca })).toBe(true);
    expect(await works({ mode: "verify-full", ca: other.ca })).toMatchObject({
      code: "TARGET_MISCONFIGURED",
      class: "permanent",
    });
    expect(await works({ mode: "verify-full" })).toMatchObject({ code: "TARGET_MISCONFIGURED" });
    const named = { ...at.target, host: "localhost", tls: { mode: "verify-full" as const, ca: tls.ca } };
    expect(await pair.works(stepFor(at, named), at.current)).toBe(true);

    // An Entra token is the administrator's password, asked for the scope of Azure's open source databases.
    const scopes: string[] = [];
    const token = async (scope: string) => {
      scopes.push(scope);
      return await at.ports.secret(adminSecret);
    };
    const entra = pair.target.parse({ ...named, admin: { user: at.target.admin.user, entra: true } });
    const step = { ...stepFor(at, entra), ports: { ...at.ports, token, secret: async () => "unused" } };
    await expect(pair.observe(step, at.current, { negativeControl: false })).resolves.toBeDefined();
    expect(scopes).toEqual(["https://ossrdbms-aad.database.windows.net/.default"]);
    await at.edge.close();
    await secure.stop();
  });
});

describe("targets", () => {
  const good = {
    host: "DB.example",
    database: "shop",
    roles: ["b", "a"],
    admin: { user: "admin", secret: adminSecret },
  };

  test("have safe defaults and one account for what one change touches", () => {
    const target = pair.target.parse(good);
    expect(target).toMatchObject({
      port: 5432,
      tls: { mode: "verify-full" },
      terminateSessions: false,
      passwordLength: 40,
    });
    expect(pair.account(target)).toBe("postgres:db.example:5432:a+b");
    expect(pair.account({ ...target, roles: ["a", "b"] })).toBe(pair.account(target));
    expect(pair.account({ ...target, host: "pooler", port: 6432, adminHost: "db.EXAMPLE" })).toBe(pair.account(target));
  });

  test.each([
    ["an unknown field", { surprise: 1 }],
    ["one role twice", { roles: ["a", "a"] }],
    ["three roles", { roles: ["a", "b", "c"] }],
    ["a name longer than PostgreSQL keeps", { roles: ["a", "ü".repeat(32)] }],
    ["a secret over plain HTTP", { admin: { user: "admin", secret: "http://vault.example/secrets/admin" } }],
    ["two ways to log in", { admin: { user: "admin", secret: adminSecret, entra: true } }],
    ["no administrator", { admin: undefined }],
    ["a token without TLS", { admin: { user: "admin", entra: true }, tls: { mode: "disable" } }],
    ["a short password", { passwordLength: 8 }],
  ])("refuse %s", (_, change) => {
    expect(pair.target.safeParse(good).success).toBe(true);
    expect(pair.target.safeParse({ ...good, ...change }).success).toBe(false);
  });
});
