import { createHmac, timingSafeEqual, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import type { IncomingHttpHeaders } from "node:http";
import { connect, createServer as createTlsServer } from "node:tls";
import type { SecretClient } from "@azure/keyvault-secrets";

// A TLS server as a team would run it on a machine of its own, with the receiver of docs/consumers/webhook.md beside it.

export interface ShopWebOptions {
  readonly tlsPort: number;
  readonly webhookPort: number;
  /** The certificate's name in the vault, which the server reads with its own identity. */
  readonly certificate: string;
  readonly secrets: SecretClient;
  readonly vaultUrl: string;
  /** Signs Pinion's calls. */
  readonly key: string;
  /** Milliseconds, by the cloud's clock. */
  readonly now: () => number;
  /** Where the version that is installed is remembered over restarts; not the key. */
  readonly file: string;
}

export interface ShopWeb {
  stop(): Promise<void>;
}

interface Call {
  readonly action: "read" | "move" | "prove";
  readonly object: string;
  readonly version?: string;
}

const host = "127.0.0.1";
const tolerance = 300;

/** Starts both with the version that was installed last, or else the newest. */
export async function startShopWeb(options: ShopWebOptions): Promise<ShopWeb> {
  const { certificate, secrets, vaultUrl, key, now, file } = options;
  const tls = createTlsServer({}, (socket) => void socket.on("error", () => undefined).end());
  tls.on("tlsClientError", () => undefined);
  const versions = new Map<string, string>();
  let installed = "";

  /** Fetches a version and serves it from the next handshake on. */
  const install = async (wanted?: string): Promise<void> => {
    const { value = "", properties } = await secrets.getSecret(
      certificate,
      wanted === undefined ? {} : { version: wanted },
    );
    tls.setSecureContext({ key: value, cert: value });
    installed = properties.version ?? "";
    versions.set(new X509Certificate(value).fingerprint256, installed);
    writeFileSync(file, JSON.stringify({ version: installed }));
  };

  const actions = {
    read: async () => installed,
    async move(wanted: string | undefined) {
      if (wanted === undefined || wanted !== installed) await install(wanted);
      return installed;
    },
    prove: async () => versions.get(await served(options.tlsPort)) ?? null,
  };
  const isPinion = (headers: IncomingHttpHeaders, body: string): boolean => {
    const timestamp = String(headers["x-pinion-timestamp"]);
    const given = Buffer.from(String(headers["x-pinion-signature"]));
    const right = Buffer.from(`sha256=${createHmac("sha256", key).update(`${timestamp}.${body}`).digest("hex")}`);
    const recent = Math.abs(now() / 1000 - Number(timestamp)) < tolerance;
    return recent && given.length === right.length && timingSafeEqual(given, right);
  };
  const take = async (headers: IncomingHttpHeaders, body: string) => {
    if (!isPinion(headers, body)) return { status: 401 };
    const { action, object, version } = JSON.parse(body) as Call;
    if (object !== `${vaultUrl}/secrets/${certificate}` || !Object.hasOwn(actions, action)) return { status: 404 };
    return { status: 200, version: await actions[action](version) };
  };
  const receiver = createHttpServer((request, reply) => {
    const answer = async () => {
      let body = "";
      for await (const part of request as AsyncIterable<Buffer>) body += part.toString();
      return await take(request.headers, body);
    };
    void answer()
      .catch(() => ({ status: 500 }))
      .then((answered) => {
        const { status, ...rest } = answered;
        reply.writeHead(status).end("version" in rest ? JSON.stringify(rest) : "");
      });
  });

  await install(existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version : undefined);
  await once(tls.listen(options.tlsPort, host), "listening");
  await once(receiver.listen(options.webhookPort, host), "listening");
  return {
    async stop() {
      receiver.closeAllConnections();
      await Promise.all([tls, receiver].map((server) => new Promise((resolve) => void server.close(resolve))));
    },
  };
}

/** What a handshake with the server shows. */
function served(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, rejectUnauthorized: false });
    socket.once("error", reject).once("secureConnect", () => {
      resolve(socket.getPeerX509Certificate()?.fingerprint256 ?? "");
      socket.destroy();
    });
  });
}
