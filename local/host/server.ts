import { createServer } from "node:http";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request as far as it is known before its body is read. */
export interface RequestHead {
  readonly method: string;
  readonly url: URL;
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders;
}

/** An answer; no body means an empty one. */
export interface Response {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Uint8Array;
}

/** Answers from the head alone, so that a refused body is never read, or says what to do with the body. */
export type Handler = (head: RequestHead) => Response | ((body: Buffer) => Promise<Response>);

/** The host's server on 127.0.0.1. */
export interface Server {
  readonly port: number;
  /** Until this is called every request is answered 503. */
  serve(handler: Handler): void;
  /** Refuses new requests and resolves when those under way are answered, or after `milliseconds`. */
  close(milliseconds: number): Promise<void>;
}

/** The answer of a host that is starting or stopping. */
export const notRunning: Response = {
  status: 503,
  headers: { connection: "close" },
  body: "Function host is not running.",
};

/** The real host's default, FUNCTIONS_REQUEST_BODY_SIZE_LIMIT. */
const bodyLimit = 104_857_600;

/** Listens on 127.0.0.1; port 0 takes a free one. `failed` hears of errors in the host's own code. */
export async function listen(port: number, failed: (error: unknown) => void): Promise<Server> {
  let handler: Handler = () => notRunning;
  const server = createServer((request, response) => {
    void answer(request, handler)
      .catch((error: unknown): Response => {
        failed(error);
        return { status: 500 };
      })
      .then((result) => {
        if (!server.listening) response.setHeader("connection", "close");
        write(request, response, result);
      });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    serve(next) {
      handler = next;
    },
    async close(milliseconds) {
      handler = () => notRunning;
      const closed = new Promise((resolve) => server.close(resolve));
      const timer = setTimeout(() => server.closeAllConnections(), milliseconds);
      await closed;
      clearTimeout(timer);
    },
  };
}

async function answer(request: IncomingMessage, handler: Handler): Promise<Response> {
  const base = `http://${request.headers.host ?? ""}`;
  // A path only: in `GET http://elsewhere/` the line would say where the request was sent to.
  if (!request.url?.startsWith("/") || !URL.canParse(base + request.url)) return { status: 400 };
  const url = new URL(base + request.url);
  const plan = handler({ method: request.method ?? "GET", url, headers: request.headers });
  if (typeof plan !== "function") return plan;
  const body = await readBody(request);
  return body ? plan(body) : { status: 413 };
}

/** Undefined when the body is over the limit. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  if (Number(request.headers["content-length"] ?? 0) > bodyLimit) return undefined;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    size += (chunk as Buffer).length;
    if (size > bodyLimit) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function write(
  request: IncomingMessage,
  response: ServerResponse,
  { status, headers = {}, body = "" }: Response,
): void {
  if (response.destroyed) return;
  try {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    response.statusCode = status;
  } catch {
    // The app gave a status or a header that HTTP does not have.
    response.statusCode = 500;
    body = "";
  }
  // What is left of a body that was not read would be taken for the next request.
  if (!request.complete) response.setHeader("connection", "close");
  response.end(body);
}
