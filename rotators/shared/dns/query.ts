import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { connect, isIPv6 } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { RECURSION_DESIRED, decode, encode } from "dns-packet";
import type { Answer, DecodedPacket, Question } from "dns-packet";
import { PinionError } from "../../../src/errors.ts";

/** Where a DNS server listens. */
export interface Server {
  readonly host: string;
  readonly port: number;
}

/** An answer, with its code by name: `NOERROR`, `NXDOMAIN`, `SERVFAIL`, `REFUSED`, ... */
export interface Reply {
  readonly rcode: string;
  readonly answers: readonly Answer[];
  readonly authorities: readonly Answer[];
}

/** Milliseconds for each try over UDP: a packet is lost now and then. */
const udpTimeouts = [1000, 2000, 3000];
const tcpTimeout = 5000;

/** Reads `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` and `[2001:db8::1]:5353`. */
export function parseServer(text: string): Server {
  if (isIPv6(text)) return { host: text, port: 53 };
  const [, bracketed, plain, port] = /^(?:\[(.+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? [];
  return { host: bracketed ?? plain ?? text, port: port === undefined ? 53 : Number(port) };
}

/** `192.0.2.1`, with the port where it is not 53. */
export function serverText({ host, port }: Server): string {
  if (port === 53) return host;
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Asks one server one question, over UDP and, where the answer does not fit, over TCP (RFC 1035 section 4.2). Throws `TARGET_UNREACHABLE`
 * (transient) when no answer comes; its cause has the code of the system, `ENETUNREACH` say.
 */
export async function ask(
  server: Server,
  question: { readonly name: string; readonly type: Question["type"] },
  { recurse, signal }: { readonly recurse: boolean; readonly signal: AbortSignal },
): Promise<Reply> {
  signal.throwIfAborted();
  const query = encode({
    type: "query",
    // RFC 5452: an id that nobody can guess; the port is random as well.
    id: randomInt(65_536),
    flags: recurse ? RECURSION_DESIRED : 0,
    questions: [{ ...question, class: "IN" }],
  });
  const fits = (reply: Buffer) => answersTo(query, reply);
  const first = await overUdp(server, query, fits, signal);
  const reply = first.flag_tc ? fits(await overTcp(server, query, signal)) : first;
  if (reply === undefined) throw silence(server, new Error("no answer to the question"), signal);
  return {
    // The type declaration lacks what the decoder sets.
    rcode: (reply as DecodedPacket & { readonly rcode: string }).rcode,
    answers: reply.answers ?? [],
    authorities: reply.authorities ?? [],
  };
}

/** The answer if it belongs to the query: same id, same question. */
function answersTo(query: Buffer, reply: Buffer): DecodedPacket | undefined {
  try {
    const packet = decode(reply);
    const [asked] = decode(query).questions ?? [];
    const [told] = packet.questions ?? [];
    const same = told?.type === asked?.type && told?.name.toLowerCase() === asked?.name.toLowerCase();
    return packet.flag_qr && reply.readUInt16BE(0) === query.readUInt16BE(0) && same ? packet : undefined;
  } catch {
    return undefined;
  }
}

async function overUdp<R>(
  server: Server,
  query: Buffer,
  read: (reply: Buffer) => R | undefined,
  signal: AbortSignal,
): Promise<R> {
  const socket = createSocket(isIPv6(server.host) ? "udp6" : "udp4");
  const over = new AbortController();
  const limit = AbortSignal.any([signal, over.signal]);
  try {
    return await new Promise<R>((resolve, reject) => {
      limit.addEventListener("abort", () => reject(limit.reason as Error), { once: true });
      socket.on("error", reject);
      // Something that is no answer to this query is somebody else's packet: the right one may still come.
      socket.on("message", (message) => {
        const found = read(message);
        if (found !== undefined) resolve(found);
      });
      // The declaration lacks the error that the callback gets, for want of a way to the server.
      socket.connect(server.port, server.host, (...[error]: readonly Error[]) => {
        if (error === undefined) void send().catch(reject);
        else reject(error);
      });
      const send = async () => {
        for (const timeout of udpTimeouts) {
          socket.send(query);
          await delay(timeout, undefined, { signal: limit });
        }
        reject(new Error("no answer"));
      };
    });
  } catch (error) {
    throw silence(server, error, signal);
  } finally {
    over.abort();
    socket.close();
  }
}

/**
 * Sends one message over a TCP connection of its own and gives back the first that comes (RFC 7766: two bytes of length before each).
 * Throws as {@link ask} does.
 */
export async function overTcp(server: Server, message: Buffer, signal: AbortSignal): Promise<Buffer> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(tcpTimeout)]);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  const socket = connect({ host: server.host, port: server.port, signal: limit });
  try {
    socket.write(Buffer.concat([length, message]));
    let got = Buffer.alloc(0);
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      got = Buffer.concat([got, chunk]);
      if (got.length >= 2 && got.length >= 2 + got.readUInt16BE(0)) return got.subarray(2, 2 + got.readUInt16BE(0));
    }
    throw new Error("connection ended");
  } catch (error) {
    throw silence(server, error, signal);
  } finally {
    socket.destroy();
  }
}

function silence(server: Server, cause: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  return new PinionError(
    "TARGET_UNREACHABLE",
    `The DNS server ${serverText(server)} does not answer: check its address, and that port ${server.port} is open from here.`,
    { class: "transient", cause },
  );
}
