import { randomUUID } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Faults } from "./faults.ts";

/** A request as the stand-ins see it: whole, with its body read. */
export interface Request {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

/** What goes back. `body` is sent as JSON unless it is a string (plain text) or absent. */
export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** A request that a stand-in recognised: the operation's name (faults are injected by it) and the work itself. */
export interface Match {
  readonly operation: string;
  readonly run: () => Reply | Promise<Reply>;
}

/** Says whose request it is; undefined: not mine. */
export type Handler = (request: Request) => Match | undefined;

const maxBody = 2 * 1024 * 1024;

/** A listener that asks each handler in turn, applies injected faults and answers 404 when nobody knows the request. */
export function listener(handlers: readonly Handler[], faults: Faults): RequestListener {
  return (incoming, response) => {
    serve(handlers, faults, incoming, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else send(response, { status: 500, body: failure("InternalServerError", String(error)) });
    });
  };
}

async function serve(
  handlers: readonly Handler[],
  faults: Faults,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await readBody(incoming);
  if (!body) return send(response, { status: 413, body: failure("RequestEntityTooLarge", "The body is too large.") });
  const request: Request = {
    method: incoming.method ?? "GET",
    url: new URL(incoming.url ?? "/", "https://localhost"),
    headers: incoming.headers,
    body,
  };
  const match = first(handlers, request);
  if (!match)
    return send(response, { status: 404, body: failure("NotFound", `No route for ${request.url.pathname}.`) });
  const fault = faults.take(match.operation);
  const reply = fault?.when === "before" ? undefined : await match.run();
  if (fault?.kind === "drop") incoming.socket.destroy();
  else if (fault) send(response, faultReply(fault.status, fault.retryAfter));
  else if (reply) send(response, reply);
}

function first(handlers: readonly Handler[], request: Request): Match | undefined {
  for (const handler of handlers) {
    const match = handler(request);
    if (match) return match;
  }
  return undefined;
}

function faultReply(status: number, retryAfter: number | undefined): Reply {
  const code = status === 429 ? "TooManyRequests" : status === 403 ? "AuthorizationFailed" : "InternalServerError";
  return {
    status,
    headers: retryAfter === undefined ? {} : { "retry-after": String(retryAfter) },
    body: failure(code, "The operation failed because a fault was injected."),
  };
}

/** Azure's error body. */
export function failure(code: string, message: string): { error: { code: string; message: string } } {
  return { error: { code, message } };
}

/** The body as JSON; undefined when it is not. */
export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}

/** True for objects that are not arrays or null. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

async function readBody(incoming: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    // Read on to the end all the same: a reply before the end would reach the client as a broken connection.
    if (size <= maxBody) chunks.push(chunk);
  }
  return size > maxBody ? undefined : Buffer.concat(chunks);
}

function send(response: ServerResponse, reply: Reply): void {
  const text = typeof reply.body === "string";
  const body = reply.body === undefined ? "" : text ? reply.body : JSON.stringify(reply.body);
  response.writeHead(reply.status, {
    ...(reply.body === undefined
      ? {}
      : { "content-type": text ? "text/plain; charset=utf-8" : "application/json; charset=utf-8" }),
    "cache-control": "no-cache",
    "x-ms-request-id": randomUUID(),
    "content-length": Buffer.byteLength(body),
    ...reply.headers,
  });
  response.end(body);
}
