import { request as requestHttp } from "node:http";
import type { IncomingMessage } from "node:http";
import { request as requestHttps } from "node:https";
import { isIP, isIPv6 } from "node:net";
import type { Server } from "../dns/query.ts";
import { hasNoWay } from "../dns/visible.ts";
import type { Told } from "../dns/visible.ts";

/** Redirects that are followed, as CAs do (RFC 8555 section 8.3 lets them; Let's Encrypt stops after ten). */
const redirects = 10;
const timeout = 5000;

/** Asks one address of a domain for an answer, as a CA would: HTTP, then wherever it redirects to. */
export async function tellOf(
  server: Server,
  domain: string,
  path: string,
  value: string,
  signal: AbortSignal,
): Promise<Told> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeout)]);
  const host = isIPv6(server.host) ? `[${server.host}]` : server.host;
  try {
    const found = await follow(new URL(`http://${host}:${server.port}${path}`), domain, value.length, limit);
    // White space at the end is allowed (RFC 8555 section 8.3).
    return found?.trimEnd() === value ? "shows" : "lacks";
  } catch (error) {
    signal.throwIfAborted();
    return isIPv6(server.host) && hasNoWay(error) ? "unreachable" : "silent";
  }
}

async function follow(url: URL, host: string, length: number, signal: AbortSignal): Promise<string | undefined> {
  let [at, header] = [url, host];
  for (let hops = 0; hops <= redirects; hops += 1) {
    const reply = await get(at, header, signal);
    const { statusCode = 0, headers } = reply;
    if (statusCode < 300 || statusCode >= 400 || headers.location === undefined) {
      return statusCode === 200 ? await read(reply, length) : void reply.destroy();
    }
    reply.destroy();
    const next = new URL(headers.location, at);
    if (!/^https?:$/.test(next.protocol)) return undefined;
    // A relative redirect stays at this address; any other goes where its name leads.
    if (next.host !== at.host) header = next.host;
    at = next;
  }
  return undefined;
}

function get(url: URL, host: string, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options = { headers: { host }, agent: false, signal } as const;
    const outgoing =
      url.protocol === "http:"
        ? requestHttp(url, options, resolve)
        : // CAs do not check the certificate they are redirected to: it may be the very one that has expired.
          requestHttps(url, { ...options, rejectUnauthorized: false, ...serverName(host) }, resolve);
    outgoing.once("error", reject).end();
  });
}

/** What the TLS handshake names: never an address (RFC 6066 section 3). */
function serverName(host: string): { readonly servername?: string } {
  const servername = host.replace(/:\d+$/, "");
  return isIP(servername) === 0 && !servername.startsWith("[") ? { servername } : {};
}

/** The body, of which no more is read than could be the answer. */
async function read(reply: IncomingMessage, length: number): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of reply as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    if (chunks.reduce((sum, one) => sum + one.length, 0) > length + 1024) break;
  }
  return Buffer.concat(chunks).toString("utf8");
}
