/** How a fault is retried: never; after a short back-off; after the time the service named; or until a role or replica has spread. */
export type ErrorClass = "permanent" | "transient" | "throttled" | "propagation";

/** Stable codes: they are in evidence, events and HTTP replies, so a code is never renamed. */
export type ErrorCode =
  // settings and policy
  | "CONFIG_INVALID"
  | "POLICY_INVALID"
  | "POLICY_UNREADABLE"
  | "OBJECT_UNKNOWN"
  | "ROTATOR_UNKNOWN"
  // vault
  | "SECRET_NOT_FOUND"
  | "SECRET_DISABLED"
  | "SECRET_MALFORMED"
  | "KEY_NOT_VALID"
  | "VAULT_FORBIDDEN"
  | "VAULT_THROTTLED"
  | "VAULT_UNAVAILABLE"
  | "VAULT_VERSION_LIMIT"
  | "STAGING_FOREIGN"
  | "STAGED_LOST"
  | "ISSUANCE_PENDING"
  // target
  | "TARGET_UNREACHABLE"
  | "TARGET_FORBIDDEN"
  | "TARGET_REFUSED"
  | "TARGET_MISCONFIGURED"
  | "ADMIN_LOGIN_FAILED"
  | "CURRENT_LOGIN_FAILED"
  | "CANDIDATE_LOGIN_FAILED"
  | "WRONG_PASSWORD_ACCEPTED"
  | "IDENTITY_MISMATCH"
  | "PRIVILEGES_DIFFER"
  | "SLOT_UNCLEAR"
  | "OLD_STILL_WORKS"
  | "OLD_IN_USE"
  | "NOT_SETTLED"
  // certificates
  | "CERTIFICATE_MALFORMED"
  | "REVOCATION_UNKNOWN"
  | "ENDPOINT_UNREACHABLE"
  | "STARTTLS_REFUSED"
  | "HANDSHAKE_FAILED"
  | "CSR_INVALID"
  | "NAME_NOT_PERMITTED"
  | "ISSUANCE_LIMITED"
  | "CHALLENGE_FAILED"
  // consumers
  | "CONSUMER_UNREACHABLE"
  | "CONSUMER_FORBIDDEN"
  | "CONSUMER_MISCONFIGURED"
  | "CONSUMER_UNHEALTHY"
  | "CONSUMER_NOT_MOVED"
  | "CONSUMER_REPINNED"
  // one at a time, time, fleet
  | "LEASE_HELD"
  | "LEASE_LOST"
  | "DEADLINE_EXCEEDED"
  | "CLOCK_SKEW"
  | "WINDOW_CLOSED"
  | "FLEET_FULL"
  | "VERSION_NOT_CURRENT"
  | "OUT_OF_BAND_CHANGE"
  | "ROTATION_IN_PROGRESS"
  | "NO_FREE_SLOT"
  | "POINT_OF_NO_RETURN"
  | "COMMAND_MISSING"
  | "ORCHESTRATION_LOST"
  | "ACCOUNT_SHARED"
  | "ROLLBACK_IMPOSSIBLE"
  | "QUARANTINED"
  | "KILL_SWITCH"
  | "OBSERVE_ONLY"
  | "IDENTITY_UNAVAILABLE"
  | "STORAGE_UNAVAILABLE"
  | "EVIDENCE_CONFLICT"
  // HTTP edge
  | "BAD_REQUEST"
  | "BODY_TOO_LARGE"
  | "NOT_FOUND"
  | "UNAUTHORIZED"
  | "FORBIDDEN"
  | "CONFLICT"
  | "INTERNAL";

/** What leaves an activity when it fails: no class instance, no stack, no secret. Safe in durable history. */
export interface Fault {
  readonly code: ErrorCode;
  readonly class: ErrorClass;
  /** One sentence for the reader: what happened and what to do. */
  readonly message: string;
  /** Seconds the service asked to wait; only with class `throttled`. */
  readonly retryAfterSeconds?: number;
}

export interface PinionErrorOptions {
  readonly class?: ErrorClass;
  readonly retryAfterSeconds?: number | undefined;
  readonly cause?: unknown;
}

/** The one error of Pinion. `message` says what happened and what to do; it never holds a secret. */
export class PinionError extends Error {
  override readonly name = "PinionError";
  readonly code: ErrorCode;
  readonly class: ErrorClass;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, options: PinionErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.class = options.class ?? "permanent";
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/**
 * Turns whatever was thrown into a {@link Fault}. The text of a foreign error may quote a value that was in play,
 * so only its name and code are kept; a PinionError's own sentence is ours and stays.
 */
export function toFault(error: unknown): Fault {
  if (error instanceof PinionError) {
    const { code, class: kind, message, retryAfterSeconds } = error;
    return { code, class: kind, message, ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }) };
  }
  if (error instanceof Error && (error.name === "AbortError" || error.name === "TimeoutError")) {
    return {
      code: "DEADLINE_EXCEEDED",
      class: "transient",
      message: "A step ran past its deadline and was stopped; it is tried again.",
    };
  }
  const name = error instanceof Error ? error.name : typeof error;
  const detail = error instanceof Error && "code" in error && typeof error.code === "string" ? ` ${error.code}` : "";
  return {
    code: "INTERNAL",
    class: "transient",
    message: `Unexpected ${name}${detail}; the log of this step has its place in the code.`,
  };
}
