import { once } from "node:events";
import { Agent, createServer, request } from "node:https";
import type { IncomingMessage } from "node:http";
import type { Life } from "./life.ts";

/** A way to a CA on which a process can die: its request arrives, the answer does not. */
export interface Proxy {
  /** The CA's directory, seen through it. */
  readonly directory: string;
  /** What came back, as `POST /path-without-ids 201`. */
  readonly seen: string[];
  close(): void;
}

/** An https reverse proxy on 127.0.0.1. The CA sees the proxy's own address as Host, so all URLs it gives out lead through it. */
export async function openProxy(
  life: Life,
  directory: string,
  tls: { ca: string; cert: string; key: string },
): Promise<Proxy> {
  const seen: string[] = [];
  const behind = new URL(directory);
  const agent = new Agent({ keepAlive: true, ca: tls.ca });
  const server = createServer({ cert: tls.cert, key: tls.key }, (incoming, outgoing) => {
    void (async () => {
      try {
        const body = await whole(incoming);
        // Pebble's path for a change of key is as long as an id.
        const path = incoming.url!.replace("rollover-account-key", "rollover").replaceAll(/[\w-]{20,}/g, "*");
        const reply = await life.outside(`${incoming.method} ${path}`, async () => {
          const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
          const { method, url, headers } = incoming;
          request({ host: behind.hostname, port: behind.port, path: url, method, headers, agent }, resolve)
            .on("error", reject)
            .end(body);
          const reply = await promise;
          return { reply, body: await whole(reply) };
        });
        seen.push(`${incoming.method} ${path} ${reply.reply.statusCode}`);
        outgoing.writeHead(reply.reply.statusCode!, reply.reply.headers).end(reply.body);
      } catch {
        incoming.socket.destroy();
      }
    })();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return {
    directory: `https://127.0.0.1:${port}${behind.pathname}`,
    seen,
    close() {
      server.close();
      server.closeAllConnections();
      agent.destroy();
    },
  };
}

async function whole(message: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of message) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
