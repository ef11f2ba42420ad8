import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Reply } from "./model.ts";
import { isUnread } from "./request.ts";

/** The first part of all request ids of this process, and a number for the rest: made up one by one they cost more than a reply. */
const idPrefix = randomUUID().slice(0, 24);
let requests = 0;

const requestId = (): string => `${idPrefix}${(++requests).toString(16).padStart(12, "0")}`;

let lastSecond = -1;
let lastDate = "";

/** The Date header; made once a second. */
function httpDate(now: number): string {
  const second = Math.floor(now / 1000);
  if (second !== lastSecond) [lastSecond, lastDate] = [second, new Date(now).toUTCString()];
  return lastDate;
}

/** The headers that every reply has in the same words. */
const constant: Readonly<Record<string, string>> = {
  "Cache-Control": "no-cache",
  Pragma: "no-cache",
  Expires: "-1",
  "x-ms-keyvault-region": "local",
  "x-ms-keyvault-service-version": "1.9.2000.1",
  "x-ms-keyvault-network-info": "conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=InterNetwork;",
  "X-Content-Type-Options": "nosniff",
  "Strict-Transport-Security": "max-age=31536000;includeSubDomains",
};
const constantHeaders = Object.entries(constant).flat();

/** Sends the reply with the headers that the service puts on everything. `now` in milliseconds. */
export function send(request: IncomingMessage, response: ServerResponse, reply: Reply, now: number): void {
  const body = reply.body === undefined ? "" : JSON.stringify(reply.body);
  const headers = [...constantHeaders, "Date", httpDate(now), "x-ms-request-id", requestId()];
  if (reply.body !== undefined) headers.push("Content-Type", "application/json; charset=utf-8");
  if (reply.status !== 204) headers.push("Content-Length", String(Buffer.byteLength(body)));
  const echo = request.headers["x-ms-client-request-id"];
  if (typeof echo === "string" && /^true$/i.test(String(request.headers["x-ms-return-client-request-id"]))) {
    headers.push("x-ms-client-request-id", echo);
  }
  // A body that was not read to its end would be taken for the next request.
  const unread = isUnread(request);
  if (unread) headers.push("Connection", "close");
  if (reply.headers) for (const [name, value] of Object.entries(reply.headers)) headers.push(name, value);
  response.sendDate = false;
  response.writeHead(reply.status, headers);
  response.end(request.method === "HEAD" ? undefined : body);
  if (unread) request.resume();
}
