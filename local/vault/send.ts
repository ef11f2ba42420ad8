import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Reply } from "./model.ts";
import { isUnread } from "./request.ts";

let lastSecond = -1;
let lastDate = "";

/** The Date header; made once a second. */
function httpDate(now: number): string {
  const second = Math.floor(now / 1000);
  if (second !== lastSecond) [lastSecond, lastDate] = [second, new Date(now).toUTCString()];
  return lastDate;
}

/** Sends the reply with the headers that the service puts on everything. `now` in milliseconds. */
export function send(request: IncomingMessage, response: ServerResponse, reply: Reply, now: number): void {
  const body = reply.body === undefined ? "" : JSON.stringify(reply.body);
  const echo = request.headers["x-ms-client-request-id"];
  const echoed = typeof echo === "string" && /^true$/i.test(String(request.headers["x-ms-return-client-request-id"]));
  const unread = isUnread(request);
  response.sendDate = false;
  response.writeHead(reply.status, {
    "Cache-Control": "no-cache",
    Pragma: "no-cache",
    Expires: "-1",
    Date: httpDate(now),
    ...(reply.body === undefined ? {} : { "Content-Type": "application/json; charset=utf-8" }),
    ...(reply.status === 204 ? {} : { "Content-Length": Buffer.byteLength(body) }),
    "x-ms-keyvault-region": "local",
    "x-ms-keyvault-service-version": "1.9.2000.1",
    "x-ms-keyvault-network-info": "conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=InterNetwork;",
    "x-ms-request-id": randomUUID(),
    ...(echoed ? { "x-ms-client-request-id": echo } : {}),
    "X-Content-Type-Options": "nosniff",
    "Strict-Transport-Security": "max-age=31536000;includeSubDomains",
    // A body that was not read to its end would be taken for the next request.
    ...(unread ? { Connection: "close" } : {}),
    ...reply.headers,
  });
  response.end(request.method === "HEAD" ? undefined : body);
  if (unread) request.resume();
}

/** Answers what is not even HTTP, or has too large a head, in the service's form. */
export function answerGarbage(error: NodeJS.ErrnoException, socket: Duplex): void {
  // Each further piece of the same garbage comes here again.
  if (socket.writableEnded) return;
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const body = JSON.stringify({ error: { code: "BadParameter", message: "The request is malformed." } });
  const head = ["HTTP/1.1 400 Bad Request", "Content-Type: application/json; charset=utf-8", "Connection: close"];
  // What still comes is thrown away, or the reply would be lost in a reset; a peer that stays is cut.
  socket.resume();
  setTimeout(() => socket.destroy(), 1000).unref();
  socket.end([...head, `Content-Length: ${body.length}`, "", body].join("\r\n"));
}
