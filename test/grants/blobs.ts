import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Tls } from "../../local/tls.ts";

interface Blob {
  readonly body: Buffer;
  readonly etag: string;
  readonly headers: Readonly<Record<string, string>>;
}

type Answer = readonly [status: number, headers?: Readonly<Record<string, string>>, body?: Buffer];

/** A storage account's blobs over HTTPS, with the conditions of a write. `may` says whether the bearer of a token may; anybody may read. */
export async function startBlobs(tls: Tls, may: (token: string, method: string, container: string) => boolean) {
  const blobs = new Map<string, Blob>();
  let writes = 0;
  const answer = ({ method = "", url = "", headers }: IncomingMessage, body: Buffer): Answer => {
    const [, container = ""] = url.split("/");
    const token = headers.authorization?.replace("Bearer ", "");
    if (token === undefined ? method !== "GET" : !may(token, method, container))
      return [403, { "x-ms-error-code": "AuthorizationPermissionMismatch" }];
    const found = blobs.get(url);
    const { "if-match": match, "if-none-match": none } = headers;
    if (method === "GET")
      return found === undefined ? [404, { "x-ms-error-code": "BlobNotFound" }] : [200, found.headers, found.body];
    if (none === "*" && found !== undefined) return [409, { "x-ms-error-code": "BlobAlreadyExists" }];
    if (match !== undefined && match !== "*" && match !== found?.etag)
      return [412, { "x-ms-error-code": "ConditionNotMet" }];
    if (method === "DELETE") return [blobs.delete(url) ? 202 : 404];
    const etag = `"0x${(writes += 1).toString(16)}"`;
    const kept = Object.entries(headers).flatMap(([name, value]) => {
      if (name.startsWith("x-ms-meta-")) return [[name, String(value)] as const];
      const shown = /^x-ms-blob-(content-type|cache-control)$/.exec(name)?.[1];
      return shown === undefined ? [] : [[shown, String(value)] as const];
    });
    blobs.set(url, { body, etag, headers: { ...Object.fromEntries(kept), etag } });
    return [201];
  };
  const server = createServer({ cert: tls.cert, key: tls.key }, (request, response) => {
    void (async () => {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part as Buffer);
      const [status, headers = {}, body] = answer(request, Buffer.concat(parts));
      response.writeHead(status, headers).end(body);
    })();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    /** What a blob holds now. */
    text: (path: string) => blobs.get(path)?.body.toString(),
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
