import { isIP } from "node:net";
import type { Socket } from "node:net";
import { PinionError } from "../errors.ts";
import type { Endpoint } from "./endpoint.ts";

/** A server that talks without end is left. */
const most = 64 * 1024;

/**
 * Leads a connection in the clear to where the TLS handshake begins. What the server sends beyond its consent, before TLS, could be taken
 * for its own protected words, so it is refused. `STARTTLS_REFUSED` when the server does not offer it.
 */
export async function startTls(socket: Socket, protocol: NonNullable<Endpoint["starttls"]>): Promise<void> {
  const reader = openReader(socket);
  try {
    await dialogues[protocol](socket, reader);
    if (reader.rest().length > 0) throw refused("the server spoke on before the handshake");
  } finally {
    reader.close();
  }
}

const dialogues = { smtp, imap, postgres } as const;

/** RFC 3207. */
async function smtp(socket: Socket, reader: Reader): Promise<void> {
  await reply(reader, "220");
  const address = socket.localAddress ?? "127.0.0.1";
  // A client without a name of its own says its address (RFC 5321, 4.1.3).
  socket.write(`EHLO [${isIP(address) === 6 ? `IPv6:${address}` : address}]\r\n`);
  const offered = await reply(reader, "250");
  if (!offered.some((line) => /^STARTTLS\b/i.test(line.slice(4)))) throw refused("the server does not offer STARTTLS");
  socket.write("STARTTLS\r\n");
  await reply(reader, "220");
}

/** The lines of one reply; all but the last have a hyphen behind the code. */
async function reply(reader: Reader, code: string): Promise<readonly string[]> {
  const lines: string[] = [];
  for (;;) {
    const line = await reader.line();
    lines.push(line);
    if (!line.startsWith(code)) throw refused(`the server answered ${shown(line)}`);
    if (line[3] !== "-") return lines;
  }
}

/** RFC 9051, 6.2.1. */
async function imap(socket: Socket, reader: Reader): Promise<void> {
  const greeting = await reader.line();
  if (!/^\* OK\b/i.test(greeting)) throw refused(`the server greets with ${shown(greeting)}`);
  socket.write("a1 STARTTLS\r\n");
  for (;;) {
    const line = await reader.line();
    if (line.startsWith("* ")) continue;
    if (/^a1 OK\b/i.test(line)) return;
    throw refused(`the server answered ${shown(line)}`);
  }
}

/** SSLRequest (PostgreSQL protocol 3, "Message Formats"): a length of 8 and the number 80877103. */
async function postgres(socket: Socket, reader: Reader): Promise<void> {
  const request = Buffer.alloc(8);
  request.writeInt32BE(8, 0);
  request.writeInt32BE(80_877_103, 4);
  socket.write(request);
  const answer = (await reader.bytes(1)).toString("latin1");
  if (answer !== "S") throw refused(answer === "N" ? "the server has TLS switched off" : "the server is no PostgreSQL");
}

interface Reader {
  /** A line without its end. */
  line(): Promise<string>;
  bytes(count: number): Promise<Buffer>;
  /** What has come and was not read. */
  rest(): Buffer;
  close(): void;
}

function openReader(socket: Socket): Reader {
  let buffered = Buffer.alloc(0);
  let ended: Error | undefined;
  let wake = (): void => {};
  const onData = (data: Buffer): void => {
    buffered = Buffer.concat([buffered, data]);
    wake();
  };
  const onEnd = (): void => {
    ended = refused("the server closed the connection");
    wake();
  };
  const onError = (error: Error): void => {
    ended = error;
    wake();
  };
  socket.on("data", onData).on("end", onEnd).on("close", onEnd).on("error", onError);

  const take = async (find: () => number): Promise<Buffer> => {
    for (;;) {
      const end = find();
      if (end >= 0) {
        const taken = buffered.subarray(0, end);
        buffered = buffered.subarray(end);
        return taken;
      }
      if (ended !== undefined) throw ended;
      if (buffered.length > most) throw refused("the server's answer has no end");
      await new Promise<void>((resolve) => void (wake = resolve));
    }
  };
  return {
    line: async () => {
      const line = await take(() => buffered.indexOf(0x0a) + 1 || -1);
      return line.toString("latin1").replace(/\r?\n$/, "");
    },
    bytes: async (count) => await take(() => (buffered.length >= count ? count : -1)),
    rest: () => buffered,
    close: () => void socket.off("data", onData).off("end", onEnd).off("close", onEnd).off("error", onError).pause(),
  };
}

/** The start of a line for people: printable, and short. */
const shown = (line: string): string => JSON.stringify(line.replace(/[^\x20-\x7e]/g, "?").slice(0, 60));

const refused = (what: string): PinionError =>
  new PinionError("STARTTLS_REFUSED", `No TLS there: ${what}. Check the host, the port and the protocol.`, {
    class: "transient",
  });
