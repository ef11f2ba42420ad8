import { lookup as resolve } from "node:dns";
import { request as requestHttp } from "node:http";
import type { IncomingMessage } from "node:http";
import { request as requestHttps } from "node:https";
import { BlockList, isIP } from "node:net";
import type { LookupFunction } from "node:net";
import { PinionError } from "../errors.ts";

/** A request whose address somebody else wrote. */
export interface LimitedRequest {
  readonly url: string;
  /** Posted; without one it is a GET. */
  readonly body?: Uint8Array;
  readonly contentType?: string;
  /** A longer reply is dropped. */
  readonly mostBytes: number;
  /** Milliseconds for the whole. */
  readonly timeout: number;
  readonly signal: AbortSignal;
  /** `public` (the default): hosts on the Internet at ports 80 and 443; `any` is for authorities of a private network. */
  readonly reach?: "public" | "any";
}

const mostRedirects = 2;

/** What is not the Internet (IANA's special-purpose registries), and Azure's own platform address in every virtual network. */
const internal = new BlockList();
for (const net of [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "168.63.129.16/32",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
]) {
  const [address = "", prefix] = net.split("/");
  internal.addSubnet(address, Number(prefix), "ipv4");
}
/** Of IPv6 only what is handed out as global unicast, less what carries or tunnels another address and the documentation's. */
const globalUnicast = new BlockList();
globalUnicast.addSubnet("2000::", 3, "ipv6");
for (const net of ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"]) {
  const [address = "", prefix] = net.split("/");
  internal.addSubnet(address, Number(prefix), "ipv6");
}

/** Whether an IP address is one of the Internet's. */
export function isPublic(address: string): boolean {
  if (isIP(address) === 4) return !internal.check(address, "ipv4");
  return isIP(address) === 6 && globalUnicast.check(address, "ipv6") && !internal.check(address, "ipv6");
}

/**
 * Fetches over HTTP from an address that a certificate names. The address is checked where the connection is made, so that a name which
 * resolves differently the second time gains nothing; each redirect (2 at most) is checked the same way. Any fault is
 * `REVOCATION_UNKNOWN`, transient, and tells the host only.
 */
export async function fetchLimited(request: LimitedRequest): Promise<Buffer> {
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(request.timeout)]);
  let url = request.url;
  for (let redirects = 0; redirects <= mostRedirects; redirects++) {
    const target = targetOf(url, request.reach ?? "public");
    const reply = await send(target, request, signal).catch((cause: unknown) => {
      if (request.signal.aborted) throw request.signal.reason;
      const what = signal.aborted ? "did not answer in time" : "cannot be reached";
      throw cause instanceof PinionError ? cause : unknown(target.host, what, cause);
    });
    if (reply.body !== undefined) return reply.body;
    url = URL.canParse(reply.location, target.href) ? new URL(reply.location, target).href : "";
  }
  throw unknown(targetOf(url, request.reach ?? "public").host, "redirects without end");
}

function targetOf(text: string, reach: "public" | "any"): URL {
  if (!URL.canParse(text)) throw unknown("an address", "is no URL");
  const url = new URL(text);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (!["http:", "https:"].includes(url.protocol)) throw unknown(host, "is not to be asked by HTTP");
  if (url.username !== "" || url.password !== "") throw unknown(host, "is named with a password");
  if (reach === "any") return url;
  if (!["", "80", "443"].includes(url.port)) throw unknown(host, "is to be asked at an unusual port");
  if (isIP(host) !== 0 && !isPublic(host)) throw unknown(host, "is not on the Internet");
  return url;
}

/** Resolves a name to its public addresses only. */
const publicLookup: LookupFunction = (host, options, done) => {
  resolve(host, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return done(error, []);
    const found = addresses.filter(({ address }) => isPublic(address));
    const [first] = found;
    if (first === undefined) return done(unknown(host, "is not on the Internet"), []);
    return options.all === true ? done(null, found) : done(null, first.address, first.family);
  });
};

type Reply = { readonly body: Buffer } | { readonly body?: never; readonly location: string };

async function send(url: URL, request: LimitedRequest, signal: AbortSignal): Promise<Reply> {
  const reply = await headersOf(url, request, signal);
  try {
    const { statusCode = 0, headers } = reply;
    if ([301, 302, 307, 308].includes(statusCode) && headers.location !== undefined)
      return { location: headers.location };
    if (statusCode !== 200) throw unknown(url.hostname, `answered ${statusCode}`);
    return { body: await read(reply, request.mostBytes, url.hostname) };
  } finally {
    reply.destroy();
  }
}

function headersOf(url: URL, request: LimitedRequest, signal: AbortSignal): Promise<IncomingMessage> {
  const { body, contentType = "application/octet-stream", reach } = request;
  return new Promise((resolve, reject) => {
    (url.protocol === "https:" ? requestHttps : requestHttp)(url, {
      method: body === undefined ? "GET" : "POST",
      agent: false,
      signal,
      ...(reach === "any" ? {} : { lookup: publicLookup }),
      ...(body === undefined ? {} : { headers: { "content-type": contentType, "content-length": body.length } }),
    })
      .on("response", resolve)
      .on("error", reject)
      .end(body);
  });
}

async function read(reply: IncomingMessage, most: number, host: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of reply as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > most) throw unknown(host, `answered with more than ${most} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

export function unknown(who: string, what: string, cause?: unknown): PinionError {
  return new PinionError("REVOCATION_UNKNOWN", `${who.slice(0, 260)} ${what}.`, { class: "transient", cause });
}
