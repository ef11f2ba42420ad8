import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { postgresAlternating as pair } from "../../rotators/postgres.ts";
import { adminSecret } from "./postgres-harness.ts";
import { stepFor, usePairs } from "./postgres-pairs.ts";
import type { Pair } from "./postgres-pairs.ts";

const { server, lab, sql } = usePairs();

const look = async ({ step, current }: Pair) => await pair.observe(step, current, { negativeControl: true });

describe("preflight of a pair", () => {
  test("finds the slot of a value that carries no user name", async () => {
    const { step, current, roles } = await lab();
    const seen = await pair.observe(step, { ...current, id: "" }, { negativeControl: false });
    expect(seen).toMatchObject({ current: { id: roles[0] }, idle: { id: roles[1] } });
  });

  test("refuses an unclear slot: both roles, neither, the wrong one, a stranger", async () => {
    const { step, current, roles } = await lab();
    const unclear = { code: "SLOT_UNCLEAR", class: "permanent" };
    const observe = async (id: string, material = current.material) =>
      await pair.observe(step, { id, material }, { negativeControl: false });
    await expect(observe("", "neither-opens")).rejects.toMatchObject(unclear);
    await expect(observe("stranger")).rejects.toMatchObject(unclear);
    await expect(observe(roles[1])).rejects.toMatchObject(unclear);
    await pair.set(step, { id: roles[1], material: current.material }, current);
    await expect(observe("")).rejects.toMatchObject(unclear);
  });

  test.each([
    ["a direct grant", "GRANT SELECT ON app.orders TO %I", "SELECT on relation app.orders"],
    ["a column grant", "GRANT UPDATE (item) ON app.orders TO %I", "UPDATE on column app.orders.item"],
    ["a membership", "GRANT pg_read_all_data TO %I", "membership in pg_read_all_data"],
    ["a membership's option", "GRANT shop_owner TO %I WITH INHERIT FALSE", "membership in shop_owner"],
    ["an attribute", "ALTER ROLE %I CREATEDB", "attribute rolcreatedb"],
    ["a setting", "ALTER ROLE %I SET app.token = 'do-not-show'", "setting app.token"],
    ["ownership", "CREATE SCHEMA AUTHORIZATION %I", "ownership of schema"],
    [
      "a default privilege",
      "ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT SELECT ON TABLES TO PUBLIC",
      "default privilege SELECT",
    ],
  ])("refuses roles that differ in %s", async (_, statement, label) => {
    const at = await lab();
    await sql(statement, at.roles[0]);
    const error = await look(at).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "PRIVILEGES_DIFFER", message: expect.stringContaining(label) });
    expect((error as Error).message).not.toContain("do-not-show");
    // Once the other has it too (or, for what only one can own, neither), they are alike.
    if (label.startsWith("ownership")) await sql("DROP SCHEMA %I", at.roles[0]);
    else await sql(statement, at.roles[1]);
    await expect(look(at)).resolves.toMatchObject({ current: { id: at.roles[0] } });
  });

  test("sees differences that arise later when it validates", async () => {
    const { step, current, roles } = await lab();
    const next = { id: roles[1], material: "a-candidate-password-1" };
    await pair.set(step, next, current);
    await sql("GRANT SELECT ON app.orders TO %I", roles[0]);
    const proofs = await pair.validate(step, next, current, { negativeControl: true });
    expect(proofs.filter(({ ok }) => !ok)).toEqual([
      expect.objectContaining({ detail: expect.stringContaining("SELECT on relation app.orders") }),
    ]);
  });

  test.each([
    ["a wrong password", "ALTER ROLE %I PASSWORD 'other'", "ADMIN_LOGIN_FAILED"],
    ["no CREATEROLE", "ALTER ROLE %I NOCREATEROLE", "TARGET_FORBIDDEN"],
    ["no right to end sessions", "REVOKE pg_signal_backend FROM %I", "TARGET_FORBIDDEN"],
  ])("refuses an administrator with %s", async (_, statement, code) => {
    const at = await lab();
    await sql(statement, at.target.admin.user);
    await expect(look(at)).rejects.toMatchObject({ code, class: "permanent" });
  });

  test("an administrator's password that was changed a moment ago is read anew, once", async () => {
    const at = await lab();
    const asked: boolean[] = [];
    const secret = (fresh: () => Promise<string>) => async (_: string, options?: { readonly fresh?: boolean }) => {
      asked.push(options?.fresh === true);
      return options?.fresh === true ? await fresh() : "of-a-minute-ago";
    };
    const observe = async (fresh: () => Promise<string>) =>
      await pair.observe({ ...at.step, ports: { ...at.step.ports, secret: secret(fresh) } }, at.current, {
        negativeControl: false,
      });
    await expect(observe(async () => await at.step.ports.secret(adminSecret))).resolves.toBeDefined();
    expect(asked).toEqual([false, true]);
    await expect(observe(async () => "of-a-minute-ago")).rejects.toMatchObject({ code: "ADMIN_LOGIN_FAILED" });
    expect(asked).toEqual([false, true, false, true]);
  });

  test("refuses an administrator without ADMIN OPTION on one role, and so does the server", async () => {
    const at = await lab();
    const admin = `"${at.target.admin.user.replaceAll('"', '""')}"`;
    await sql(`REVOKE ADMIN OPTION FOR %I FROM ${admin}`, at.roles[1]);
    await expect(look(at)).rejects.toMatchObject({ code: "TARGET_FORBIDDEN" });
    const next = { id: at.roles[1], material: "a-candidate-password-2" };
    await expect(pair.set(at.step, next, at.current)).rejects.toMatchObject({ code: "TARGET_FORBIDDEN" });
  });

  test("a superuser may change both", async () => {
    const { target, step, current } = await lab();
    const admin = { user: server().superuser.user, secret: adminSecret };
    const ports = { ...step.ports, secret: async () => server().superuser.password };
    await expect(
      pair.observe({ ...step, ports, target: { ...target, admin } }, current, { negativeControl: false }),
    ).resolves.toBeDefined();
  });

  test.each([
    ["is gone", "DROP ROLE %I", "TARGET_MISCONFIGURED"],
    ["is past its VALID UNTIL", "ALTER ROLE %I VALID UNTIL '2001-01-01'", "TARGET_MISCONFIGURED"],
  ])("refuses an idle role that %s", async (_, statement, code) => {
    const at = await lab();
    await sql(statement, at.roles[1]);
    await expect(look(at)).rejects.toMatchObject({ code });
  });

  test("refuses an idle role that somebody uses, and takes one that may not log in", async () => {
    const at = await lab();
    const other = { id: at.roles[1], material: "somebody-has-this-one" };
    await pair.set(stepFor(at, at.target, "r-0mi000000-aaaaaa"), other, at.current);
    const end = await at.use(other);
    await expect(look(at)).rejects.toMatchObject({ code: "NO_FREE_SLOT" });
    await sql("ALTER ROLE %I NOLOGIN", at.roles[1]);
    await expect(look(at)).resolves.toMatchObject({ facts: { idleCanLogin: "false", idleSessions: "1" } });
    await end();
  });

  test.each([
    ["azure.accepted_password_auth_method", "md5", "md5,scram-sha-256"],
    ["credcheck.encrypted_password_allowed", "off", "on"],
  ])("refuses a server whose %s rules verifiers out", async (setting, bad, good) => {
    const at = await lab();
    try {
      await sql(`ALTER DATABASE shop SET ${setting} = '${bad}'`);
      await expect(look(at)).rejects.toMatchObject({
        code: "TARGET_MISCONFIGURED",
        message: expect.stringContaining(setting),
      });
      await sql(`ALTER DATABASE shop SET ${setting} = '${good}'`);
      await expect(look(at)).resolves.toBeDefined();
    } finally {
      await sql(`ALTER DATABASE shop RESET ${setting}`);
    }
  });

  test("refuses a server that lets wrong passwords in", async () => {
    const at = await lab();
    const file = join(dirname(server().logFile), "data", "pg_hba.conf");
    const rules = readFileSync(file, "utf8");
    const name = `"${at.roles[0].replaceAll('"', '""')}"`;
    try {
      writeFileSync(file, `host all ${name} 127.0.0.1/32 trust\n${rules}`);
      await sql("SELECT pg_reload_conf()");
      await expect
        .poll(async () => await look(at).catch((error: unknown) => error))
        .toMatchObject({ code: "WRONG_PASSWORD_ACCEPTED" });
      writeFileSync(file, `host all ${name} 127.0.0.1/32 reject\n${rules}`);
      await sql("SELECT pg_reload_conf()");
      // A line that keeps everybody out says nothing about the password.
      await expect
        .poll(async () => await pair.works(at.step, at.current).catch((error: unknown) => error))
        .toMatchObject({ code: "TARGET_MISCONFIGURED" });
    } finally {
      writeFileSync(file, rules);
      await sql("SELECT pg_reload_conf()");
    }
  });
});
