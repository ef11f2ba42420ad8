import type { HttpResponseInit } from "@azure/functions";
import { type ErrorCode, PinionError } from "../../errors.ts";

const statusOf: Partial<Record<ErrorCode, number>> = {
  BAD_REQUEST: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  OBJECT_UNKNOWN: 404,
  CONFLICT: 409,
  NO_FREE_SLOT: 409,
  POINT_OF_NO_RETURN: 409,
  VERSION_NOT_CURRENT: 409,
  QUARANTINED: 409,
  KILL_SWITCH: 409,
  ACCOUNT_SHARED: 409,
  BODY_TOO_LARGE: 413,
  CONFIG_INVALID: 503,
  POLICY_INVALID: 503,
  POLICY_UNREADABLE: 503,
  STORAGE_UNAVAILABLE: 503,
  VAULT_UNAVAILABLE: 503,
};

const titles: Readonly<Record<number, string>> = {
  400: "Bad request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not found",
  409: "Conflict",
  413: "Content too large",
  503: "Service unavailable",
};

/** An error as RFC 9457's problem+json. `detail` tells the reader what to do; an unexpected error shows nothing of itself. */
export function problem(error: unknown): HttpResponseInit {
  const code: ErrorCode = error instanceof PinionError ? error.code : "INTERNAL";
  const status = statusOf[code] ?? 500;
  const detail =
    error instanceof PinionError && status !== 500
      ? error.message
      : "Something unexpected happened; the app's log has it.";
  const type = `urn:pinion:error:${code.toLowerCase()}`;
  return {
    status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store" },
    body: JSON.stringify({ type, title: titles[status] ?? "Internal error", status, code, detail }),
  };
}

/** A JSON reply that no cache keeps. */
export function json(status: number, body: unknown): HttpResponseInit {
  return {
    status,
    headers: { "content-type": "application/json", "cache-control": "no-store" },
    body: JSON.stringify(body),
  };
}
