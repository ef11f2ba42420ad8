import type { TokenCredential } from "@azure/core-auth";
import { PinionError } from "../errors.ts";
import { awaitOperation } from "./operation.ts";

/**
 * Azure Resource Manager: one authorised JSON request at a time; the caller pins the api-version. Where Azure answers with a long-running
 * operation, its end is waited for, and undefined is returned: read the resource back.
 */
export type Arm = (request: ArmRequest) => Promise<unknown>;

export interface ArmRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** From `/subscriptions/...`. */
  readonly path: string;
  readonly apiVersion: string;
  readonly body?: unknown;
  /** More headers, in lower case: `if-match` and `if-none-match`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A resource that is not there (404) is an answer, `undefined`, and no fault. */
  readonly mayBeAbsent?: boolean;
  readonly signal: AbortSignal;
}

/**
 * Opens ARM at its public or sovereign address. Errors: 403 is `CONSUMER_FORBIDDEN` (propagation: a role assignment may still be
 * spreading), 404 `CONSUMER_MISCONFIGURED`, 412 `CONFLICT` (transient: somebody else wrote in between), 429 throttled with its
 * Retry-After, others transient. Bodies are never quoted, a list
 * of settings is full of secrets; only Azure's own code of an error is.
 */
export function openArm(endpoint: string, audience: string, credential: TokenCredential): Arm {
  return async ({ method, path, apiVersion, body, headers, mayBeAbsent, signal }) => {
    const token = await credential.getToken(`${audience}/.default`, { abortSignal: signal });
    if (token === null)
      throw new PinionError(
        "CONSUMER_FORBIDDEN",
        "The app has no identity for Azure Resource Manager: assign it one.",
        { class: "propagation" },
      );
    const url = new URL(path, endpoint);
    url.searchParams.set("api-version", apiVersion);
    let reply: Response;
    try {
      reply = await fetch(url, {
        method,
        signal,
        headers: {
          ...headers,
          authorization: `Bearer ${token.token}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      throw new PinionError("CONSUMER_UNREACHABLE", `${url.host} did not answer; the step is tried again.`, {
        class: "transient",
        cause,
      });
    }
    const text = await reply.text();
    if (reply.status === 404 && mayBeAbsent === true) return undefined;
    if (!reply.ok) throw refusal(reply, path, codeOf(text));
    if (await awaitOperation(reply, endpoint, token.token, signal)) return undefined;
    return text === "" ? undefined : (JSON.parse(text) as unknown);
  };
}

function refusal(reply: Response, path: string, code: string): PinionError {
  const what = path.split("/").slice(-3).join("/");
  switch (reply.status) {
    case 401:
    case 403:
      return new PinionError(
        "CONSUMER_FORBIDDEN",
        `Azure Resource Manager refused ${what} (${reply.status}): give the app's identity the role that docs/permissions.md names.`,
        {
          class: "propagation",
        },
      );
    case 404:
      return new PinionError(
        "CONSUMER_MISCONFIGURED",
        `Azure Resource Manager does not know ${what}: check the resource id in the policy.`,
      );
    case 412:
      return new PinionError(
        "CONFLICT",
        `Somebody else changed ${what} at the same moment (412); the step is tried again.`,
        { class: "transient" },
      );
    case 429: {
      const seconds = Number(reply.headers.get("retry-after") ?? "");
      return new PinionError("CONSUMER_UNREACHABLE", `Azure Resource Manager asked to wait (429) at ${what}.`, {
        class: "throttled",
        retryAfterSeconds: Number.isFinite(seconds) && seconds > 0 ? seconds : undefined,
      });
    }
    default:
      return reply.status >= 500 || reply.status === 409
        ? new PinionError(
            "CONSUMER_UNREACHABLE",
            `Azure Resource Manager failed at ${what} (${reply.status}); the step is tried again.`,
            { class: "transient" },
          )
        : new PinionError(
            "CONSUMER_MISCONFIGURED",
            `Azure Resource Manager refused ${what} (${reply.status}${code}): check the resource and its api-version.`,
          );
  }
}

/** Azure's own code for what is wrong, such as ` KeyVaultEncryptionKeyNotFound`; never its text, which may quote what was sent. */
function codeOf(text: string): string {
  const code = /^\s*\{\s*"error"\s*:\s*\{\s*"code"\s*:\s*"([A-Za-z0-9]{1,80})"/.exec(text)?.[1];
  return code === undefined ? "" : ` ${code}`;
}
