import { once } from "node:events";
import { createServer as createHttpServer, request as httpRequest, Agent as HttpAgent } from "node:http";
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { createServer as createHttpsServer, request as httpsRequest, Agent as HttpsAgent } from "node:https";
import type { AddressInfo } from "node:net";
import type { Gate, Place } from "./gate.ts";

/** A reverse proxy on 127.0.0.1. */
export interface HttpEdge {
  readonly port: number;
  close(): Promise<void>;
}

export interface HttpEdgeOptions {
  readonly gate: Gate;
  /** `http://127.0.0.1:<port>` or https. */
  readonly target: string;
  /** For https on both sides. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
  /** Which place a request is for, and its name. */
  readonly name: (request: IncomingMessage, url: URL) => readonly [Place, string];
  /** Rewrites what the app sends and gets. The length must stay. */
  readonly outward?: (text: string, url: URL) => string;
  readonly inward?: (text: string, url: URL) => string;
}

/** Passes requests on whole, one call each. What the app's side gives up is given up on the other side only if it is not yet sent. */
export async function startHttpEdge(options: HttpEdgeOptions): Promise<HttpEdge> {
  const { gate, target, tls } = options;
  const to = new URL(target);
  const agent =
    tls === undefined ? new HttpAgent({ keepAlive: true }) : new HttpsAgent({ keepAlive: true, ca: tls.ca });

  const forward = async (method: string, path: string, headers: OutgoingHttpHeaders, body: Buffer) => {
    const options = { host: to.hostname, port: to.port, method, path, headers, agent };
    const call = tls === undefined ? httpRequest(options) : httpsRequest(options);
    call.end(body);
    const [reply] = (await once(call, "response")) as [IncomingMessage];
    return { reply, body: await readWhole(reply) };
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? "/", target);
    const method = request.method ?? "GET";
    const sent = await readWhole(request);
    const passage = gate.open(...options.name(request, url));
    const cut = () => void request.socket.destroy();
    if (!(await passage.send(() => request.socket.destroyed))) return cut();
    if (passage.answer !== undefined) {
      const { status, retryAfter } = passage.answer;
      const headers = { "content-length": 0, ...(retryAfter !== undefined && { "retry-after": String(retryAfter) }) };
      await passage.reply(status);
      response.writeHead(status, headers).end();
      return passage.replied();
    }
    try {
      const headers = { ...request.headers, host: to.host };
      delete headers["accept-encoding"];
      const { reply, body } = await forward(method, request.url ?? "/", headers, rewrite(sent, url, options.outward));
      if (!(await passage.reply(reply.statusCode))) return cut();
      if (request.socket.destroyed) return undefined;
      const back = { ...reply.headers };
      delete back["transfer-encoding"];
      delete back["connection"];
      if (method !== "HEAD" && reply.statusCode !== 204 && reply.statusCode !== 304)
        back["content-length"] = String(body.length);
      response.writeHead(reply.statusCode ?? 502, back);
      response.end(rewrite(body, url, options.inward), () => passage.replied());
    } catch {
      cut();
    }
    return undefined;
  };

  const listener = (request: IncomingMessage, response: ServerResponse) => {
    serve(request, response).catch(() => request.socket.destroy());
  };
  const server =
    tls === undefined ? createHttpServer(listener) : createHttpsServer({ cert: tls.cert, key: tls.key }, listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
      agent.destroy();
    },
  };
}

function rewrite(body: Buffer, url: URL, how: HttpEdgeOptions["inward"]): Buffer {
  if (how === undefined || body.length === 0) return body;
  const next = Buffer.from(how(body.toString("latin1"), url), "latin1");
  if (next.length !== body.length) throw new Error("A rewritten body has another length: use ports of as many digits.");
  return next;
}

async function readWhole(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
