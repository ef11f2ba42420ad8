import { expect, test } from "vitest";
import { isLoginRefused, loginFault, workFault } from "../../rotators/shared/postgres/faults.ts";
import { PinionError } from "../../src/errors.ts";

const place = { who: "admin", user: "rotator", address: "db.example:5432" } as const;
const statement = "ALTER ROLE app PASSWORD 'quoted-in-the-servers-text'";

/** As `pg` throws it: the server's own text and fields, all of which may quote a statement. */
function fromServer(code: string, routine = "standard_ProcessUtility"): Error {
  return Object.assign(new Error(statement), {
    severity: "ERROR",
    code,
    routine,
    where: statement,
    internalQuery: statement,
  });
}

test.each([
  ["28P01", "auth_failed", "ADMIN_LOGIN_FAILED", "permanent"],
  ["28000", "InitializeSessionUserId", "ADMIN_LOGIN_FAILED", "permanent"],
  ["28000", "ClientAuthentication", "TARGET_MISCONFIGURED", "permanent"],
  ["3D000", "InitPostgres", "TARGET_MISCONFIGURED", "permanent"],
  ["53300", "InitPostgres", "TARGET_UNREACHABLE", "transient"],
  ["57P03", "ProcessStartupPacket", "TARGET_UNREACHABLE", "transient"],
  ["42501", "CheckMyDatabase", "TARGET_FORBIDDEN", "permanent"],
])("at login, %s from %s is %s", (state, routine, code, kind) => {
  const fault = loginFault(fromServer(state, routine), place);
  expect(fault).toMatchObject({ code, class: kind });
  expect(isLoginRefused(fault)).toBe(code === "ADMIN_LOGIN_FAILED");
});

test.each([
  ["42501", "TARGET_FORBIDDEN", "permanent"],
  ["22023", "TARGET_REFUSED", "permanent"],
  ["0A000", "TARGET_REFUSED", "permanent"],
  ["25006", "TARGET_MISCONFIGURED", "permanent"],
  ["25P03", "TARGET_UNREACHABLE", "transient"],
  ["55P03", "LEASE_HELD", "transient"],
  ["57P01", "TARGET_UNREACHABLE", "transient"],
  ["XX000", "TARGET_UNREACHABLE", "transient"],
])("after it, %s is %s", (state, code, kind) => {
  expect(workFault(fromServer(state), place)).toMatchObject({ code, class: kind });
});

test.each(["ECONNREFUSED", "ENOTFOUND", "ETIMEDOUT", "ECONNRESET", "EAI_AGAIN"])("%s is transient", (code) => {
  const cause = Object.assign(new Error(code), { code });
  expect(loginFault(cause, place)).toMatchObject({ code: "TARGET_UNREACHABLE", class: "transient", cause });
});

test.each([
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "CERT_HAS_EXPIRED",
])("%s is for a person to mend", (code) => {
  const fault = loginFault(Object.assign(new Error(code), { code }), place);
  expect(fault).toMatchObject({ code: "TARGET_MISCONFIGURED", class: "permanent" });
});

test("keeps nothing of the server's text", () => {
  for (const state of ["28P01", "42501", "22023", "XX000"]) {
    const fault = loginFault(fromServer(state), place);
    expect(fault.cause).toBeUndefined();
    expect(`${fault.message}${fault.stack}`).not.toContain("quoted-in");
  }
});

test("hands on what is Pinion's own", () => {
  const own = new PinionError("LEASE_LOST", "gone");
  expect(workFault(own, place)).toBe(own);
});
