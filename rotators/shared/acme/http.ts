import http from "node:http";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import https from "node:https";
import { urlToHttpOptions } from "node:url";
import { PinionError } from "../../../src/errors.ts";

/** What a server answered. Redirects are answers like any other: ACME has none. */
export interface Reply {
  readonly url: string;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Ask {
  readonly method: "GET" | "HEAD" | "POST";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Kept-alive connections to one certificate authority. */
export interface Connection {
  send(ask: Ask): Promise<Reply>;
  close(): void;
}

const patience = 15_000;
const largestBody = 1_000_000;

/**
 * Opens connections that trust `roots` (PEM; absent: what Node.js trusts). Node's `fetch` takes no trust anchors, hence `node:https`.
 * Every URL must have the directory's own protocol: a CA on the network must not point us at this machine.
 * Every request ends with `signal` or after 15 s. What went wrong on the way is `TARGET_UNREACHABLE` (transient), or
 * `TARGET_MISCONFIGURED` where TLS cannot be trusted.
 */
export function openConnection(
  { directory, caRoots: roots }: { readonly directory: string; readonly caRoots?: string | undefined },
  signal: AbortSignal,
): Connection {
  const { protocol } = new URL(directory);
  const secure = new https.Agent({ keepAlive: true, ...(roots === undefined ? {} : { ca: roots }) });
  const plain = new http.Agent({ keepAlive: true });
  return {
    async send({ method, url, headers = {}, body }) {
      signal.throwIfAborted();
      if (new URL(url).protocol !== protocol) {
        throw new PinionError(
          "TARGET_REFUSED",
          `The CA of ${directory} gave out a URL that is not ${protocol.slice(0, -1)}.`,
        );
      }
      try {
        const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
        const options = {
          ...urlToHttpOptions(new URL(url)),
          method,
          headers: {
            "user-agent": "pinion",
            "accept-language": "en",
            ...headers,
            ...(body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) }),
          },
          signal: AbortSignal.any([signal, AbortSignal.timeout(patience)]),
        };
        const outgoing = url.startsWith("https:")
          ? https.request({ ...options, agent: secure }, resolve)
          : http.request({ ...options, agent: plain }, resolve);
        outgoing.on("error", reject).end(body);
        const incoming = await promise;
        return { url, status: incoming.statusCode ?? 0, headers: incoming.headers, body: await read(incoming) };
      } catch (error) {
        signal.throwIfAborted();
        throw error instanceof PinionError ? error : unreachable(url, error);
      }
    },
    close() {
      secure.destroy();
      plain.destroy();
    },
  };
}

async function read(incoming: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of incoming as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > largestBody) {
      incoming.destroy();
      throw new PinionError("TARGET_REFUSED", "The CA answered with more than 1 MB: check `directory` in the target.");
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** Seconds of a Retry-After header, which holds seconds or a date (RFC 9110 section 10.2.3). */
export function retryAfter({ headers }: Reply, now: number): number | undefined {
  const text = headers["retry-after"];
  if (text === undefined) return undefined;
  const isDate = /^[A-Z]/i.test(text);
  const seconds = isDate ? Math.ceil((Date.parse(text) - now) / 1000) : Number(/^\d+$/.exec(text)?.[0] ?? NaN);
  return Number.isFinite(seconds) ? Math.max(seconds, 0) : undefined;
}

/** The targets of Link headers with this relation (RFC 8288), absolute. */
export function links({ url, headers }: Reply, relation: string): string[] {
  const text = headers.link;
  const all = Array.isArray(text) ? text.join(", ") : (text ?? "");
  return [...all.matchAll(/<([^>]*)>((?:\s*;\s*[^;,="]+(?:="[^"]*"|=[^;,"]*)?)*)/g)]
    .filter(([, , parameters = ""]) => new RegExp(`;\\s*rel="?[^";]*\\b${relation}\\b`, "i").test(parameters))
    .map(([, target = ""]) => new URL(target, url).href);
}

/** The fault for a request that got no answer. */
function unreachable(url: string, error: unknown): PinionError {
  const { host } = new URL(url);
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
  if (code !== undefined && /CERT|SELF_SIGNED|UNABLE_TO|ERR_TLS/.test(code)) {
    return new PinionError(
      "TARGET_MISCONFIGURED",
      `The TLS certificate of ${host} cannot be trusted (${code}): check \`directory\` and \`caRoots\` in the target.`,
    );
  }
  return new PinionError(
    "TARGET_UNREACHABLE",
    `${host} did not answer (${code ?? "connection ended"}); it is asked again.`,
    {
      class: "transient",
    },
  );
}
