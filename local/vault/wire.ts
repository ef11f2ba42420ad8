import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { Server, ServerOptions } from "node:https";
import type { Duplex } from "node:stream";
import { errorReply } from "./refusal.ts";

// What reaches a vault beside well-formed requests is answered in the service's form, too.

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** A server of HTTPS in which a request must have come whole after so many milliseconds. */
export function createWire(tls: { readonly cert: string; readonly key: string }, requestTimeout: number): Server {
  const server = createServer({
    cert: tls.cert,
    key: tls.key,
    requestTimeout,
    handshakeTimeout: requestTimeout,
    headersTimeout: requestTimeout / 2,
    connectionsCheckingInterval: Math.min(5000, requestTimeout / 2),
    // Node's own refusal has no body.
    requireHostHeader: false,
    allowHalfOpen: true,
  } as ServerOptions);
  // Node would end the connection of a client that has said all it wants to say, before it has its answer.
  return Object.assign(server, { httpAllowHalfOpen: true });
}

/** Has `serve` answer the requests, and answers what is none. */
export function serveOn(server: Server, serve: Listener): void {
  const unanswered = new WeakMap<Duplex, Set<ServerResponse>>();
  const listen: Listener = (request, response) => {
    const { socket } = request;
    const all = unanswered.get(socket) ?? new Set();
    unanswered.set(socket, all.add(response));
    response.once("close", () => all.delete(response));
    serve(request, response);
  };
  server.on("request", listen);
  // An expectation that cannot be met may be ignored: RFC 9110, 10.1.1.
  server.on("checkExpectation", listen);
  server.on("connect", (_request, socket) => answerGarbage(undefined, socket));
  const last = async (reason: NodeJS.ErrnoException | undefined, socket: Duplex) => {
    // What came whole before the garbage has its answers first, or a caller would take this one for another's.
    const whole = [...(unanswered.get(socket) ?? [])].filter(({ req }) => req.complete);
    await Promise.all(whole.map((response) => once(response, "close")));
    answerGarbage(reason, socket);
  };
  server.on("clientError", (reason, socket) => void last(reason, socket));
  server.on("secureConnection", (socket) => {
    // Where an upgrade was asked for, Node does not miss the end of a body.
    socket.once("end", () => {
      if ([...(unanswered.get(socket) ?? [])].some(({ req }) => !req.complete)) void last(undefined, socket);
    });
  });
}

/** Answers what is not even HTTP, has too large a head, or does not come to its end. */
function answerGarbage(error: NodeJS.ErrnoException | undefined, socket: Duplex): void {
  // Each further piece of the same garbage comes here again.
  if (socket.writableEnded) return;
  if (error?.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const late = error?.code === "ERR_HTTP_REQUEST_TIMEOUT";
  const reply = late
    ? errorReply(408, "RequestTimeout", "The request did not come to its end in time.")
    : errorReply(400, "BadParameter", "The request is malformed.");
  const body = JSON.stringify(reply.body);
  const first = late ? "HTTP/1.1 408 Request Timeout" : "HTTP/1.1 400 Bad Request";
  const head = [first, "Content-Type: application/json; charset=utf-8", "Connection: close"];
  // What still comes is thrown away, or the reply would be lost in a reset; a peer that stays is cut.
  socket.resume();
  setTimeout(() => socket.destroy(), 1000).unref();
  socket.end([...head, `Content-Length: ${body.length}`, "", body].join("\r\n"));
}
