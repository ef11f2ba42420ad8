import type { HttpResponseInit } from "@azure/functions";
import { type ErrorCode, PinionError } from "../../errors.ts";

const statusOf: Partial<Record<ErrorCode, number>> = {
  BAD_REQUEST: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  OBJECT_UNKNOWN: 404,
  SECRET_NOT_FOUND: 404,
  ACCOUNT_SHARED: 409,
  CONFLICT: 409,
  EVIDENCE_CONFLICT: 409,
  ISSUANCE_PENDING: 409,
  KEY_NOT_VALID: 409,
  KILL_SWITCH: 409,
  LEASE_HELD: 409,
  LEASE_LOST: 409,
  NO_FREE_SLOT: 409,
  OBSERVE_ONLY: 409,
  OUT_OF_BAND_CHANGE: 409,
  POINT_OF_NO_RETURN: 409,
  QUARANTINED: 409,
  ROLLBACK_IMPOSSIBLE: 409,
  ROTATION_IN_PROGRESS: 409,
  SECRET_DISABLED: 409,
  SLOT_UNCLEAR: 409,
  STAGED_LOST: 409,
  STAGING_FOREIGN: 409,
  TARGET_REFUSED: 409,
  VAULT_VERSION_LIMIT: 409,
  VERSION_NOT_CURRENT: 409,
  WINDOW_CLOSED: 409,
  BODY_TOO_LARGE: 413,
  CERTIFICATE_MALFORMED: 422,
  CONSUMER_MISCONFIGURED: 422,
  CSR_INVALID: 422,
  NAME_NOT_PERMITTED: 422,
  ROTATOR_UNKNOWN: 422,
  SECRET_MALFORMED: 422,
  TARGET_MISCONFIGURED: 422,
  CLOCK_SKEW: 503,
  CONFIG_INVALID: 503,
  CONSUMER_FORBIDDEN: 503,
  CONSUMER_UNREACHABLE: 503,
  DEADLINE_EXCEEDED: 503,
  FLEET_FULL: 503,
  IDENTITY_UNAVAILABLE: 503,
  NOT_SETTLED: 503,
  POLICY_INVALID: 503,
  POLICY_UNREADABLE: 503,
  STORAGE_UNAVAILABLE: 503,
  TARGET_FORBIDDEN: 503,
  TARGET_UNREACHABLE: 503,
  VAULT_FORBIDDEN: 503,
  VAULT_THROTTLED: 503,
  VAULT_UNAVAILABLE: 503,
};

const titles: Readonly<Record<number, string>> = {
  400: "Bad request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not found",
  409: "Conflict",
  413: "Content too large",
  422: "Unprocessable content",
  503: "Service unavailable",
};

/** An error as RFC 9457's problem+json. `detail` tells the reader what to do; an unexpected error shows nothing of itself. */
export function problem(thrown: unknown): HttpResponseInit {
  const error = isTimeout(thrown) ? tookTooLong : thrown;
  const code: ErrorCode = error instanceof PinionError ? error.code : "INTERNAL";
  const status = statusOf[code] ?? 500;
  const detail =
    error instanceof PinionError && status !== 500
      ? error.message
      : "Something unexpected happened; the app's log has it.";
  const type = `urn:pinion:error:${code.toLowerCase()}`;
  const wait = error instanceof PinionError ? error.retryAfterSeconds : undefined;
  return {
    status,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      ...(wait !== undefined && { "retry-after": String(Math.ceil(wait)) }),
    },
    body: JSON.stringify({ type, title: titles[status] ?? "Internal error", status, code, detail }),
  };
}

const tookTooLong = new PinionError("DEADLINE_EXCEEDED", "The vault or the target took too long: try again.");

const isTimeout = (thrown: unknown): boolean =>
  thrown instanceof Error && (thrown.name === "AbortError" || thrown.name === "TimeoutError");

/** A JSON reply that no cache keeps. */
export function json(status: number, body: unknown): HttpResponseInit {
  return {
    status,
    headers: { "content-type": "application/json", "cache-control": "no-store" },
    body: JSON.stringify(body),
  };
}
