import { PinionError } from "../../../src/errors.ts";
import type { ErrorCode } from "../../../src/errors.ts";

/** Whose login it is; decides which code a refused login gets. */
export type Who = "admin" | "current" | "candidate" | "old" | "nobody";

const advice: Record<Who, string> = {
  admin: "correct the administrator's secret, or give the role that password",
  current: "find out who changed it, and put the vault's value or the role right",
  candidate: "look at the server's log for the reason",
  old: "find out who changed it, and put the vault's value or the role right",
  nobody: "check the role",
};

const loginCodes: Record<Who, ErrorCode> = {
  admin: "ADMIN_LOGIN_FAILED",
  current: "CURRENT_LOGIN_FAILED",
  candidate: "CANDIDATE_LOGIN_FAILED",
  old: "CURRENT_LOGIN_FAILED",
  nobody: "CURRENT_LOGIN_FAILED",
};

/** What an error of `pg` came from, in public words. */
export interface Place {
  readonly who: Who;
  readonly user: string;
  /** `host:port` */
  readonly address: string;
}

/** Whether the server refused a login itself: wrong password, no such role, or a role that may not log in. */
export function isLoginRefused(error: unknown): boolean {
  return error instanceof PinionError && Object.values(loginCodes).includes(error.code);
}

/**
 * Turns what `pg` threw while connecting into a PinionError. Server texts are dropped: they may quote a statement.
 * SQLSTATEs: PostgreSQL documentation, appendix A.
 */
export function loginFault(error: unknown, { who, user, address }: Place): PinionError {
  const { sqlState, routine } = facts(error);
  if (sqlState === "28000" && routine === "ClientAuthentication") {
    return new PinionError(
      "TARGET_MISCONFIGURED",
      `${address} has no pg_hba.conf line or firewall rule that lets ${user} in from here.`,
    );
  }
  if (sqlState === "28P01" || sqlState === "28000") {
    return new PinionError(loginCodes[who], `${address} refused the login of ${user} (${sqlState}): ${advice[who]}.`);
  }
  return workFault(error, { who, user, address });
}

/** Likewise for what `pg` threw after a login. */
export function workFault(error: unknown, { user, address }: Place): PinionError {
  if (error instanceof PinionError) return error;
  const { sqlState, code, text } = facts(error);
  if (sqlState !== undefined) return stateFault(sqlState, user, address);
  if (/^(SASL|The server does not support SSL)|authenticationOk message type/.test(text) || isTlsCode(code)) {
    return new PinionError(
      "TARGET_MISCONFIGURED",
      `The login of ${user} at ${address} could not be spoken safely (${code ?? "TLS or SCRAM is not offered as required"}); check tls in the target.`,
    );
  }
  return new PinionError(
    "TARGET_UNREACHABLE",
    `${address} cannot be reached as ${user} (${code ?? "connection ended"}): check host, port and firewall, and that the server runs.`,
    {
      class: "transient",
      ...(code === undefined ? {} : { cause: error }),
    },
  );
}

function stateFault(state: string, user: string, address: string): PinionError {
  if (state === "42501") {
    return new PinionError("TARGET_FORBIDDEN", `${user} lacks a right at ${address} (42501).`);
  }
  if (state === "55P03") {
    const message = `Another change of the same role at ${address} is under way (55P03).`;
    return new PinionError("LEASE_HELD", message, { class: "transient" });
  }
  if (state === "25006") {
    return new PinionError("TARGET_MISCONFIGURED", `${address} is read only (25006); adminHost must be the primary.`);
  }
  if (["3D000", "42704", "42883"].includes(state)) {
    return new PinionError("TARGET_MISCONFIGURED", `A database, role or function is missing at ${address} (${state}).`);
  }
  // Connection exceptions, rolled back, out of resources, not in a usable state, operator intervention, system error, and
  // XX000, which is what two writers of one pg_authid row get.
  if (/^(08|25P|40|53|55|57|58|XX)/.test(state)) {
    return new PinionError("TARGET_UNREACHABLE", `${address} cannot serve ${user} now (${state}).`, {
      class: "transient",
    });
  }
  return new PinionError("TARGET_REFUSED", `${address} refused what ${user} asked (${state}).`);
}

function isTlsCode(code: string | undefined): boolean {
  return code !== undefined && /CERT|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH|ERR_TLS|ERR_SSL|EPROTO/.test(code);
}

function facts(error: unknown): { sqlState?: string; routine?: string; code?: string; text: string } {
  if (!(error instanceof Error)) return { text: "" };
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  if ("severity" in error && code !== undefined) {
    const routine = "routine" in error && typeof error.routine === "string" ? error.routine : undefined;
    return { sqlState: code, text: "", ...(routine === undefined ? {} : { routine }) };
  }
  return { text: error.message, ...(code === undefined ? {} : { code }) };
}
