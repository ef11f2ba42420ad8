import { PinionError } from "../errors.ts";
import type { Log } from "../signals.ts";

interface RestFailure {
  readonly name?: string;
  readonly statusCode?: number;
  readonly code?: string;
  readonly message?: string;
  readonly details?: unknown;
  readonly response?: { readonly headers?: { get(name: string): string | undefined } };
}

/** A vault and the log that hears of its refusals. */
export interface VaultPlace {
  readonly uri: string;
  readonly log: Log | undefined;
}

/**
 * Runs one vault request and turns its failure into a PinionError (facts: key-vault-rest section 3). The service's own text is
 * dropped: it can quote names and callers, and the codes say enough.
 */
export async function toVaultError<T>({ uri, log }: VaultPlace, name: string, request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    if (error instanceof PinionError) throw error;
    const fault = translate(uri, name, error as RestFailure);
    if (log !== undefined && fault instanceof PinionError) tellRefusal(log, new URL(uri).host, fault);
    throw fault;
  }
}

function tellRefusal(log: Log, vault: string, { code, message }: PinionError): void {
  if (code === "VAULT_FORBIDDEN") log("warning", message, { counter: "vault.forbidden", vault });
  else if (code === "VAULT_THROTTLED") log("warning", message, { counter: "vault.throttled", vault });
}

function translate(uri: string, name: string, error: RestFailure): Error {
  const where = `${new URL(uri).host}${name === "" ? "" : ` object ${name}`}`;
  if (error.name === "AbortError") return error as Error;
  const text = `${error.message ?? ""} ${JSON.stringify(error.details ?? "")}`;
  switch (error.statusCode) {
    case 404:
      return new PinionError(
        "SECRET_NOT_FOUND",
        `${where} was not found: check the policy's vault and name, and whether it was deleted.`,
      );
    case 401:
      return new PinionError(
        "VAULT_FORBIDDEN",
        `${where} refused the app's token: check that the identity belongs to the vault's tenant.`,
        {
          class: "propagation",
        },
      );
    case 403:
      return refusal(where, text);
    case 409:
      return new PinionError("CONFLICT", `${where} is deleted but recoverable, or being deleted: recover it or wait.`, {
        class: "transient",
      });
    case 429:
      return new PinionError(
        "VAULT_THROTTLED",
        `${where} answered 429 (too many requests); the step waits and goes on.`,
        {
          class: "throttled",
          retryAfterSeconds: retryAfter(error),
        },
      );
    case 400:
      return new PinionError(
        "BAD_REQUEST",
        `${where} refused the request as malformed (400): check the object's name, tags and content type.`,
      );
    default:
      return new PinionError(
        "VAULT_UNAVAILABLE",
        `${where} did not answer (${error.statusCode ?? error.code ?? "no connection"}); the step is tried again.`,
        {
          class: "transient",
        },
      );
  }
}

/** A 403 is also how a vault refuses what no role would allow. */
function refusal(where: string, text: string): PinionError {
  // The quotes: the service's text names objects, and one may be called so.
  const inner = (code: string) => text.includes(`"code":"${code}"`);
  if (/(Secret|Key)Disabled|disabled (secret|key)/.test(text)) {
    return new PinionError(
      "SECRET_DISABLED",
      `The version of ${where} that was asked for is disabled: enable it or write a new version.`,
    );
  }
  // That Key Vault sends these three inner codes is unconfirmed (facts: section 3); with others it stays a lacking role.
  if (inner("KeyExpired")) {
    return new PinionError(
      "KEY_NOT_VALID",
      `The key version of ${where} has expired, and signs and encrypts no more: rotate the key, or give the version a later expiry.`,
    );
  }
  if (inner("KeyNotYetValid")) {
    return new PinionError(
      "KEY_NOT_VALID",
      `The key version of ${where} is not valid yet: wait for its activation date, or give it an earlier one.`,
    );
  }
  if (inner("KeyOperationForbidden")) {
    return new PinionError(
      "TARGET_MISCONFIGURED",
      `The key version of ${where} may not do what it was asked for: add that to its key operations, or name another key.`,
    );
  }
  // A role assignment can take minutes to reach the data plane, and its absence looks the same.
  return new PinionError(
    "VAULT_FORBIDDEN",
    `${where} refused access: give the app's identity the role that docs/permissions.md names.`,
    { class: "propagation" },
  );
}

function retryAfter(error: RestFailure): number | undefined {
  const text = error.response?.headers?.get("retry-after");
  if (text === undefined) return undefined;
  const seconds = Number(text);
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}
