import { PinionError } from "../../../src/errors.ts";
import { textOf } from "../http.ts";

/** One request. `who` names the service in sentences. */
export interface Call {
  readonly who: string;
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The body of the reply is not read, whatever it is. */
  readonly unread?: boolean;
  readonly signal: AbortSignal;
}

/** A reply, whatever it says. `text` is empty where it was not to be read. */
export interface Reply {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Milliseconds until a service counts as silent. */
const timeout = 15_000;

/**
 * One HTTP request, redirects not followed: they would carry the credential elsewhere. Throws `TARGET_UNREACHABLE` (transient) when no
 * whole reply comes.
 */
export async function call({ who, method, url, headers = {}, body, unread = false, signal }: Call): Promise<Reply> {
  signal.throwIfAborted();
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeout)]);
  const init = { method, redirect: "manual", signal: limit, headers } as const;
  try {
    const reply = await fetch(url, body === undefined ? init : { ...init, body });
    const text = unread ? "" : await textOf(reply);
    if (unread) await reply.body?.cancel();
    return { ok: reply.ok, status: reply.status, headers: reply.headers, text };
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof PinionError) throw cause;
    throw new PinionError("TARGET_UNREACHABLE", `${who} at ${new URL(url).host} did not answer; it is tried again.`, {
      class: "transient",
      cause,
    });
  }
}

/**
 * What a reply that is no success means. 401 and 403 are `TARGET_FORBIDDEN` with `advice` on the credential; 429 is throttled and has its
 * Retry-After; 408 and 5xx are transient; the rest is `TARGET_REFUSED`. `why` is the service's own code, never its text.
 */
export function refused(
  { status, headers }: Pick<Reply, "status" | "headers">,
  {
    who,
    advice,
    now,
    why,
  }: { readonly who: string; readonly advice: string; readonly now: number; readonly why?: string },
): PinionError {
  const code = why === undefined ? `${status}` : `${status}, ${why}`;
  if (status === 401 || status === 403) {
    return new PinionError("TARGET_FORBIDDEN", `${who} refused the credential (${code}): ${advice}.`);
  }
  if (status === 429) {
    return new PinionError("TARGET_UNREACHABLE", `${who} asked to wait (${code}).`, {
      class: "throttled",
      retryAfterSeconds: retryAfter(headers.get("retry-after"), now),
    });
  }
  if (status === 408 || status >= 500) {
    return new PinionError("TARGET_UNREACHABLE", `${who} failed (${code}); it is tried again.`, { class: "transient" });
  }
  return new PinionError(
    "TARGET_REFUSED",
    `${who} refused the request (${code}): check the address and the names in the policy.`,
  );
}

/** Seconds (RFC 9110 section 10.2.3 allows a date as well). */
function retryAfter(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  const seconds = /^\d+$/.test(header) ? Number(header) : Math.ceil((Date.parse(header) - now) / 1000);
  return seconds > 0 ? seconds : undefined;
}
