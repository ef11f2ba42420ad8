import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { AUTHORITATIVE_ANSWER, decode, encode } from "dns-packet";
import type { Answer } from "dns-packet";

/** What a test says that a name has; undefined: no such name; what it throws: the server's failure. */
export type Names = (name: string, type: string) => readonly Answer[] | undefined;

/** A name server on 127.0.0.1 that answers from a function, over UDP and TCP. */
export interface NameServer {
  /** `127.0.0.1:port` */
  readonly address: string;
  readonly stop: () => Promise<void>;
}

const [servfail, nxdomain] = [2, 3];

export async function startNameServer(names: Names): Promise<NameServer> {
  const answer = (query: Buffer): Buffer => {
    const packet = decode(query);
    const [question] = packet.questions ?? [];
    let found: readonly Answer[] | undefined;
    let failed = 0;
    try {
      found = names(question!.name.toLowerCase(), question!.type);
    } catch {
      failed = servfail;
    }
    return encode({
      type: "response",
      id: packet.id,
      flags: AUTHORITATIVE_ANSWER | (failed || (found === undefined ? nxdomain : 0)),
      questions: packet.questions,
      answers: [...(found ?? [])],
    });
  };
  const tcp = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (data: Buffer) => {
      const reply = answer(data.subarray(2));
      const length = Buffer.alloc(2);
      length.writeUInt16BE(reply.length);
      socket.end(Buffer.concat([length, reply]));
    });
  }).listen(0, "127.0.0.1");
  await once(tcp, "listening");
  const { port } = tcp.address() as AddressInfo;
  const udp = createSocket("udp4", (query, from) => udp.send(answer(query), from.port, from.address));
  udp.bind(port, "127.0.0.1");
  await once(udp, "listening");
  return {
    address: `127.0.0.1:${port}`,
    async stop() {
      udp.close();
      tcp.close();
    },
  };
}

/** TXT records of texts. */
export const txt = (name: string, texts: readonly string[]): readonly Answer[] =>
  texts.map((data) => ({ type: "TXT", name, ttl: 0, data }));

/** A server that takes connections and never says a word. */
export async function startSilent(): Promise<{ readonly port: number; readonly stop: () => void }> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    socket.on("error", () => {});
    open.add(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    stop() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

/** Hands on what comes to `host:port`, over UDP and TCP, to a port of 127.0.0.1. Ends when the function is called. */
export async function startRelay(host: string, port: number, to: number): Promise<() => void> {
  const tcp = createServer((socket) => {
    const onward = connect(to, "127.0.0.1");
    for (const one of [socket, onward]) one.on("error", () => {});
    socket.pipe(onward).pipe(socket);
  }).listen(port, host);
  const udp = createSocket("udp4", (query, from) => {
    const onward = createSocket("udp4", (reply) => {
      udp.send(reply, from.port, from.address);
      onward.close();
    });
    onward.send(query, to, "127.0.0.1");
  });
  udp.bind(port, host);
  await Promise.all([once(tcp, "listening"), once(udp, "listening")]);
  return () => {
    tcp.close();
    udp.close();
  };
}
