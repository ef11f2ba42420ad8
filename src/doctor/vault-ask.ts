import type { TokenCredential } from "@azure/core-auth";
import { PinionError } from "../errors.ts";

/** What a vault said to a request for metadata. */
export interface Answer {
  readonly status: number;
  /** The service's inner code, such as `ForbiddenByFirewall`, which the SDK does not give. */
  readonly inner: string;
  /** By the vault's own clock, in milliseconds since 1970. */
  readonly at: number;
  readonly body: unknown;
  /** Milliseconds since 1970 by this machine when the answer came. */
  readonly came: number;
}

/** `GET https://<vault><path>`: paths of metadata only, so that no value ever comes here. Throws `VAULT_UNAVAILABLE` where nobody answers. */
export async function askVault(
  identity: TokenCredential,
  uri: string,
  path: string,
  now: () => number,
): Promise<Answer> {
  const url = new URL(path, uri);
  url.searchParams.set("api-version", "7.4");
  const first = await request(url, {});
  // The vault names whose tokens it takes; another name than its own domain would give the token away.
  const resource = /resource="([^"]+)"/.exec(first.headers.get("www-authenticate") ?? "")?.[1];
  if (first.status !== 401 || resource === undefined) return answerOf(first, now());
  if (!isLoopback(url) && !url.hostname.endsWith(`.${new URL(resource).hostname}`))
    throw new PinionError(
      "VAULT_FORBIDDEN",
      `${url.host} asks for a token of ${new URL(resource).host}: check the vault's address.`,
    );
  const token = await identity.getToken(`${resource.replace(/\/$/, "")}/.default`);
  return answerOf(await request(url, { authorization: `Bearer ${token?.token ?? ""}` }), now());
}

async function request(url: URL, headers: Readonly<Record<string, string>>): Promise<Response> {
  try {
    return await fetch(url, { headers, redirect: "error", signal: AbortSignal.timeout(10_000) });
  } catch (error) {
    throw new PinionError("VAULT_UNAVAILABLE", `${url.host} did not answer (${reasonOf(error)}).`, {
      class: "transient",
    });
  }
}

async function answerOf(reply: Response, came: number): Promise<Answer> {
  const body: unknown = await reply.json().catch(() => undefined);
  const inner = (body as { error?: { innererror?: { code?: unknown } } } | undefined)?.error?.innererror?.code;
  return {
    status: reply.status,
    inner: typeof inner === "string" ? inner : "",
    at: Date.parse(reply.headers.get("date") ?? ""),
    came,
    body,
  };
}

const isLoopback = ({ hostname }: URL): boolean => /^(localhost|\[::1\]|127(\.\d+){3})$/.test(hostname);

/** Node's code for why a connection failed, such as ENOTFOUND or CERT_HAS_EXPIRED. */
export function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  if (typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string")
    return cause.code;
  return cause instanceof Error ? cause.name : "no reason given";
}
