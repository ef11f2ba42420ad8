import { once } from "node:events";
import { connect } from "node:tls";
import type { TLSSocket } from "node:tls";

/** Where a server is, and what to trust. */
export interface Place {
  readonly port: number;
  /** PEM. */
  readonly ca: string;
}

/** What a server answered. */
export interface Reply {
  readonly status: number;
  /** As it came: names and values in turn, less those that Node's servers add by themselves. */
  readonly headers: readonly string[];
  readonly body: string;
}

/** One connection, which carries one request at a time. */
interface Connection {
  readonly ask: (request: Buffer) => Promise<Reply>;
  readonly close: () => void;
}

/**
 * Bare TLS connections: a client that does little, so that the servers are what is measured. Rejects when the server closes
 * it while a reply is awaited.
 */
async function open({ port, ca }: Place): Promise<Connection> {
  const socket: TLSSocket = connect({ port, host: "127.0.0.1", servername: "localhost", ca });
  await once(socket, "secureConnect");
  socket.setNoDelay(true);
  let received: Buffer = Buffer.alloc(0);
  let waiting: { readonly done: (reply: Reply) => void; readonly failed: (error: Error) => void } | undefined;
  const fail = (error: Error) => waiting?.failed(error);
  socket.on("error", fail);
  socket.on("close", () => fail(new Error("The server closed the connection.")));
  socket.on("data", (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const end = received.indexOf("\r\n\r\n");
    if (end < 0) return;
    const head = received.toString("latin1", 0, end);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (received.length < end + 4 + length) return;
    const reply = { status: Number(head.slice(9, 12)), head, body: received.subarray(end + 4, end + 4 + length) };
    received = received.subarray(end + 4 + length);
    const { done } = waiting!;
    waiting = undefined;
    // Taken apart only when somebody looks.
    done({
      status: reply.status,
      get headers() {
        return headersOf(reply.head);
      },
      get body() {
        return reply.body.toString("utf8");
      },
    });
  });
  return {
    ask: (request) =>
      new Promise((done, failed) => {
        waiting = { done, failed };
        socket.write(request);
      }),
    close: () => socket.destroy(),
  };
}

function headersOf(head: string): string[] {
  return head
    .split("\r\n")
    .slice(1)
    .map((line) => line.split(/: ?(.*)/s).slice(0, 2))
    .filter(([name = ""]) => !/^(connection|keep-alive)$/i.test(name))
    .flat();
}

/** One request on a connection of its own. */
export async function exchange(place: Place, request: Buffer): Promise<Reply> {
  const connection = await open(place);
  try {
    return await connection.ask(request);
  } finally {
    connection.close();
  }
}

/** What a load came to; times in milliseconds. */
export interface Load {
  readonly requests: number;
  readonly perSecond: number;
  readonly times: readonly number[];
}

/** How much to ask. */
export interface LoadOptions {
  readonly connections: number;
  /** Over after so many milliseconds, or so many requests. */
  readonly milliseconds?: number;
  readonly total?: number;
  /** The request with that number, from 0. */
  readonly request: (number: number) => Buffer;
  /** Called when all connections stand, and when the last reply is there. */
  readonly around?: { readonly begin: () => Promise<void>; readonly end: () => Promise<void> };
}

/** Each connection asks again as soon as it has its reply. Rejects on any reply but 200. */
export async function load(place: Place, options: LoadOptions): Promise<Load> {
  const { milliseconds = Infinity, total = Infinity, request, around } = options;
  const connections = await Promise.all(Array.from({ length: options.connections }, () => open(place)));
  const times: number[] = [];
  let asked = 0;
  try {
    await around?.begin();
    const began = performance.now();
    const worker = async ({ ask }: Connection) => {
      for (let now = began; now - began < milliseconds && asked < total;) {
        const reply = await ask(request(asked++));
        if (reply.status !== 200) throw new Error(`A request was answered with ${reply.status}: ${reply.body}`);
        const then = performance.now();
        times.push(then - now);
        now = then;
      }
    };
    await Promise.all(connections.map(worker));
    const took = performance.now() - began;
    await around?.end();
    return { requests: times.length, perSecond: (times.length * 1000) / took, times };
  } finally {
    for (const { close } of connections) close();
  }
}
