import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import type { Gate, Passage } from "./gate.ts";
import { statementName } from "./names.ts";

/** A proxy in front of PostgreSQL. */
export interface PostgresEdge {
  readonly port: number;
  close(): Promise<void>;
}

const cancelRequest = 80_877_102;
const sslRequest = 80_877_103;
const gssRequest = 80_877_104;

/**
 * Understands the frames of PostgreSQL's protocol 3.0 (postgresql.org/docs/current/protocol-message-formats.html): a call is a login, from
 * the startup message until the server is ready or refuses; or a query, simple (`Q`) or extended (up to `Sync`), until the server
 * is ready again. Replies are passed on whole. A goodbye (`X`) asks for nothing, so it is no call. Without TLS only.
 */
export async function startPostgresEdge(gate: Gate, targetPort: number): Promise<PostgresEdge> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const target = connect(targetPort, "127.0.0.1");
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("close", () => sockets.delete(socket));
    }
    serve(gate, client, target);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

function serve(gate: Gate, client: Socket, target: Socket): void {
  let call: Passage | undefined;
  let loggedIn = false;
  let replies: Buffer[] = [];
  /** Frames of one extended query, held until its `Sync`. */
  let batch: Buffer[] = [];
  let title = "";
  const destroy = () => {
    client.destroy();
    target.destroy();
  };
  const flush = () => {
    const whole = Buffer.concat(replies);
    replies = [];
    if (whole.length > 0 && !client.destroyed) client.write(whole);
  };

  const begin = async (name: string, bytes: Buffer): Promise<void> => {
    call = gate.open("postgres", name);
    const passage = call;
    if (passage.answer !== undefined || !(await passage.send(() => client.destroyed))) return destroy();
    target.write(bytes);
    return undefined;
  };
  const finish = async (): Promise<void> => {
    const passage = call;
    call = undefined;
    if (passage === undefined) return flush();
    if (!(await passage.reply())) return destroy();
    if (client.destroyed) return undefined;
    flush();
    return passage.replied();
  };

  const fromClient = frames((type, frame) => {
    if (type === "") {
      const code = frame.readInt32BE(4);
      if (code === sslRequest || code === gssRequest) return void client.write("N");
      const name = code === cancelRequest ? "cancel" : `login ${startupUser(frame)}`;
      return void begin(name, frame);
    }
    // SASL goes on inside the login.
    if (type === "p" || type === "X") return void target.write(frame);
    if (type === "Q") return void begin(`query ${statementName(text(frame, 5))}`, frame);
    batch.push(frame);
    if (type === "P") title = statementName(text(frame, frame.indexOf(0, 5) + 1));
    if (type !== "S") return undefined;
    const whole = Buffer.concat(batch);
    batch = [];
    return void begin(`query ${title}`, whole);
  }, true);

  const fromServer = frames((type, frame) => {
    // Requests for authentication; 0 is Ok and 12 the end of SASL, which belong to the reply.
    const asks = type === "R" && ![0, 12].includes(frame.readInt32BE(5));
    if (asks || (call === undefined && type !== "Z")) return void client.write(frame);
    replies.push(frame);
    const refused = type === "E" && !loggedIn;
    if (type === "Z") loggedIn = true;
    if (type === "Z" || refused) void finish();
    return undefined;
  });

  client.on("data", fromClient);
  target.on("data", fromServer);
  client.on("error", () => {}).on("close", () => target.end());
  target
    .on("error", () => {})
    .on("close", () => {
      // What was said last goes through.
      if (replies.length > 0) void finish();
      client.end();
    });
}

/** Cuts a stream into frames; the first one of a client has no type. */
function frames(take: (type: string, frame: Buffer) => void, startup = false): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  let untyped = startup;
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (;;) {
      const head = untyped ? 4 : 5;
      if (rest.length < head) return;
      const length = rest.readInt32BE(head - 4) + head - 4;
      if (rest.length < length) return;
      const frame = rest.subarray(0, length);
      rest = rest.subarray(length);
      const type = untyped ? "" : String.fromCharCode(frame[0]!);
      const again = untyped && [sslRequest, gssRequest].includes(frame.readInt32BE(4));
      untyped &&= again;
      take(type, frame);
    }
  };
}

function text(frame: Buffer, start: number): string {
  return frame.toString("utf8", start, frame.indexOf(0, start));
}

function startupUser(frame: Buffer): string {
  const parts = frame.toString("utf8", 8).split("\0");
  const at = parts.indexOf("user");
  return at < 0 ? "?" : (parts[at + 1] ?? "?");
}
