import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { PostgresCall } from "./recorder.ts";

/** A pass-through in front of PostgreSQL that tells each call as it goes by. */
export interface PostgresTap {
  readonly port: number;
  close(): Promise<void>;
}

const sslRequest = 80_877_103;

/**
 * Reads the frames of protocol 3.0 (postgresql.org/docs/current/protocol-message-formats.html) and changes nothing: a login with how it
 * ended, a statement (`Q`, or `Parse` to `Sync` with its text values), the goodbye. Without TLS only.
 */
export async function startPostgresTap(target: number, tell: (call: PostgresCall) => void): Promise<PostgresTap> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((client) => {
    const service = connect(target, "127.0.0.1");
    for (const socket of [client, service]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    }
    watch(client, service, (connections += 1), tell);
    client.pipe(service);
    service.pipe(client);
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

function watch(client: Socket, service: Socket, connection: number, tell: (call: PostgresCall) => void): void {
  const at = { place: "postgres", connection } as const;
  let login: Extract<PostgresCall, { kind: "login" }> | undefined;
  let parsed: { name: string; text: string } | undefined;
  let values: (string | null)[] = [];
  client.on(
    "data",
    frames(true, (type, frame) => {
      if (type === "") {
        if (frame.readInt32BE(4) === sslRequest) return;
        const words = frame.toString("utf8", 8).split("\0");
        const word = (name: string) => words[words.indexOf(name) + 1] ?? "";
        login = { ...at, kind: "login", user: word("user"), database: word("database"), ok: false };
        tell(login);
      } else if (type === "Q") tell({ ...at, kind: "query", text: text(frame, 5) });
      else if (type === "P") parsed = { name: text(frame, 5), text: text(frame, frame.indexOf(0, 5) + 1) };
      else if (type === "B") values = boundValues(frame);
      else if (type === "S" && parsed !== undefined) tell({ ...at, kind: "query", ...parsed, values });
      else if (type === "X") tell({ ...at, kind: "end" });
    }),
  );
  service.on(
    "data",
    frames(false, (type) => {
      // ReadyForQuery: the server has let it in.
      if (type === "Z" && login !== undefined) login.ok = true;
    }),
  );
}

/** Values of a Bind message: portal, statement, format codes, then each value with its length, -1 for NULL. */
function boundValues(frame: Buffer): (string | null)[] {
  let at = frame.indexOf(0, frame.indexOf(0, 5) + 1) + 1;
  at += 2 + 2 * frame.readInt16BE(at);
  const count = frame.readInt16BE(at);
  at += 2;
  return Array.from({ length: count }, () => {
    const length = frame.readInt32BE(at);
    at += 4;
    if (length < 0) return null;
    at += length;
    return frame.toString("utf8", at - length, at);
  });
}

/** Cuts a stream into frames; the first ones of a client have no type. */
function frames(startup: boolean, take: (type: string, frame: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  let untyped = startup;
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const head = untyped ? 4 : 5;
      if (rest.length < head) return;
      const length = rest.readInt32BE(head - 4) + head - 4;
      if (rest.length < length) return;
      const frame = rest.subarray(0, length);
      rest = rest.subarray(length);
      const type = untyped ? "" : String.fromCharCode(frame[0] ?? 0);
      untyped &&= frame.readInt32BE(4) === sslRequest;
      take(type, frame);
    }
  };
}

function text(frame: Buffer, start: number): string {
  return frame.toString("utf8", start, frame.indexOf(0, start));
}
