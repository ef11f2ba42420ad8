import { X509Certificate } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Nginx } from "../../local/targets/nginx.ts";
import { probeEndpoint } from "../../src/certificates/handshake.ts";
import { isPinion } from "./webhook-page.ts";

export interface ReceiverOptions {
  readonly key: string;
  /** The one object that this machine serves: `https://<vault>/certificates/<name>`. */
  readonly object: string;
  readonly nginx: Pick<Nginx, "port" | "install" | "reload">;
  /** The secret of that name, in a version or in the newest one, read by the machine's own identity. */
  fetch(version: string | undefined): Promise<{ readonly version: string; readonly pem: string }>;
  readonly installed: string;
  readonly pem: string;
  /** Milliseconds since 1970 by the clock that calls are signed with; the machine's own by default. */
  readonly now?: () => number;
  /** Told of every call as it came. */
  readonly onCall?: (headers: IncomingHttpHeaders, body: string) => void;
}

/** A receiver for nginx as docs/consumers/webhook.md describes it. */
export async function startReceiver(options: ReceiverOptions) {
  const { key, object, nginx, fetch, now = Date.now, onCall } = options;
  let installed = options.installed;
  const thumbprints = new Map([[thumbprintOf(options.pem), installed]]);
  let reloads = 0;

  const actions = {
    read: async () => installed,
    move: async (wanted: string | undefined) => {
      if (wanted !== undefined && wanted === installed) return installed;
      const { version, pem } = await fetch(wanted);
      if (version === installed) return installed;
      thumbprints.set(thumbprintOf(pem), version);
      nginx.install(pem);
      nginx.reload();
      reloads++;
      return (installed = version);
    },
    prove: async () => {
      const endpoint = { host: "127.0.0.1", port: nginx.port };
      const served = await probeEndpoint(endpoint, { signal: AbortSignal.timeout(5000) });
      return thumbprints.get(served.sha256) ?? null;
    },
  };

  const server = createServer((request, reply) => {
    void handle(request)
      .catch(() => ({ status: 500, version: undefined }))
      .then(({ status, version }) =>
        reply.writeHead(status).end(version === undefined ? "" : JSON.stringify({ version })),
      );
  });
  const handle = async (request: IncomingMessage): Promise<{ status: number; version?: string | null }> => {
    let body = "";
    for await (const part of request as AsyncIterable<Buffer>) body += part.toString();
    onCall?.(request.headers, body);
    if (!isPinion(key, request.headers, body, now())) return { status: 401 };
    const call = JSON.parse(body) as { action: keyof typeof actions; object: string; version?: string };
    if (call.object !== object || actions[call.action] === undefined) return { status: 404 };
    return { status: 200, version: await actions[call.action](call.version) };
  };
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/pinion`,
    reloads: () => reloads,
    installed: () => installed,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Of the first certificate in a PEM text, as a handshake shows it. */
const thumbprintOf = (pem: string): string =>
  new X509Certificate(/-----BEGIN CERTIFICATE-----[^]+?-----END CERTIFICATE-----/.exec(pem)?.[0] ?? "").fingerprint256
    .replaceAll(":", "")
    .toLowerCase();
