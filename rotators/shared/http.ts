import { z } from "zod";
import { PinionError } from "../../src/errors.ts";
import { isSafeUrl } from "../../src/policy-texts.ts";

/** https, or http to this very machine; neither a query nor a user name, which would be a secret in the policy. */
export const targetUrl = z.string().refine((text) => isSafeUrl(text) && !/[?#]/.test(text), {
  error: "an https URL without a user name, query or fragment",
});

/** No target of ours answers more than this. */
const mostBytes = 1 << 20;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export interface Asking {
  readonly method?: "GET" | "POST" | "PUT";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
}

/**
 * One request to a target. Answers that say nothing about the question throw: no connection and 5xx as `TARGET_UNREACHABLE`, transient; 429
 * and 503 with Retry-After as throttled. Neither bodies nor headers are ever quoted.
 */
export async function ask(url: string, { signal, ...init }: Asking): Promise<Answer> {
  const { host } = new URL(url);
  const unreachable = (why: string, more: object) =>
    new PinionError("TARGET_UNREACHABLE", `${host} ${why}; the step is tried again.`, { class: "transient", ...more });
  signal.throwIfAborted();
  try {
    const reply = await fetch(url, { ...init, signal, redirect: "manual" });
    const { status, headers } = reply;
    const text = await textOf(reply);
    if (status < 500 && status !== 429) return { status, headers, text };
    const wait = Number(headers.get("retry-after") ?? "");
    const throttled = wait > 0 ? { class: "throttled", retryAfterSeconds: wait } : {};
    throw unreachable(`answered ${status}`, status === 429 || status === 503 ? throttled : {});
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    if (cause instanceof PinionError) throw cause;
    throw unreachable("cannot be reached", { cause });
  }
}

/** The body, of no more than 1 MiB. */
export async function textOf({ body }: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body ?? []) {
    size += piece.length;
    if (size > mostBytes) throw new PinionError("TARGET_MISCONFIGURED", "The target answers with more than 1 MiB.");
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}
