import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { onTestFinished } from "vitest";
import { startNginx } from "../../local/targets/nginx.ts";
import { listen, startTlsServer } from "../certificates/servers.ts";
import { startReceiver } from "../consumers/receiver.ts";
import { isPinion } from "../consumers/webhook-page.ts";
import type { World } from "./world.ts";

// Machines that serve one certificate of the vault, each moved by a receiver of its own (docs/consumers/webhook.md).

/** A machine as a policy has it: who is told, and where it then serves. */
export interface Edge {
  readonly consumer: Readonly<Record<string, unknown>>;
  readonly ports: readonly number[];
  /** The version that it was told last. */
  installed(): string;
}

interface Installed {
  readonly world: World;
  readonly name: string;
  /** The version that is current, and installed at first. */
  readonly source: string;
  /** Told of what Pinion says to the machine. */
  readonly onCall: (text: string) => void;
}

/** A secret's value as servers want it: key and chain in PEM. */
export function toPem(value: string): string {
  if (value.includes("-----BEGIN")) return value;
  const args = ["pkcs12", "-in", "-", "-passin", "pass:", "-nodes"];
  const { status, stdout, stderr } = spawnSync("openssl", args, { input: Buffer.from(value, "base64") });
  if (status !== 0) throw new Error(`openssl pkcs12: ${stderr.toString()}`);
  return stdout.toString();
}

const fetchFrom =
  ({ secrets }: World, name: string) =>
  async (version?: string) => {
    const { value = "", properties } = await secrets.getSecret(name, version === undefined ? {} : { version });
    return { version: properties.version ?? "", pem: toPem(value) };
  };

/** Whoever has a server's material put before it. */
interface Server {
  readonly port: number;
  install(pem: string): void;
  reload(): void;
}

async function openEdge(
  id: string,
  { world, name, source, onCall }: Installed,
  start: (pem: string) => Promise<Server>,
) {
  const key = randomBytes(24).toString("base64url");
  const keyName = `${name}-${id}`;
  await world.secrets.setSecret(keyName, key);
  const fetch = fetchFrom(world, name);
  const { pem } = await fetch(source);
  const server = await start(pem);
  const receiver = await startReceiver({
    key,
    object: `${world.uri}/secrets/${name}`,
    nginx: server,
    fetch,
    installed: source,
    pem,
    now: world.clock.now,
    onCall: (headers, body) => onCall(`${JSON.stringify(headers)} ${body}`),
  });
  onTestFinished(receiver.close);
  const consumer = consumerOf(world, id, { url: receiver.url, keyName });
  return { consumer, installed: receiver.installed };
}

const consumerOf = (
  { uri }: World,
  id: string,
  { url, keyName }: { readonly url: string; readonly keyName: string },
) => ({
  kind: "webhook",
  id,
  url,
  key: `${uri}/secrets/${keyName}`,
  reads: "pinned",
  lag: "PT1M",
});

/** A real nginx. */
export async function openNginx(installed: Installed, dir: string) {
  const ports: number[] = [];
  const edge = await openEdge("nginx", installed, async (pem) => {
    const nginx = await startNginx({ dir, pem });
    onTestFinished(() => nginx.stop());
    ports.push(nginx.port);
    return nginx;
  });
  return { ...edge, ports };
}

/**
 * A mail server in Node: TLS from the start at its first port, SMTP with STARTTLS at its second, which its receiver never looks at. Both
 * take new material at once; `smtp.install` is the second one's part.
 */
export async function openMail(installed: Installed) {
  const ports: number[] = [];
  const material = { cert: "", key: "" };
  const smtp = { install: (pem: string) => void Object.assign(material, { cert: pem, key: pem }) };
  const edge = await openEdge("mail", installed, async (pem) => {
    const server = createTlsServer({ cert: pem, key: pem }, (socket) => void socket.on("error", () => {}).resume());
    server.on("tlsClientError", () => {});
    const port = await listen(server);
    smtp.install(pem);
    ports.push(port, await startTlsServer("smtp", material));
    return {
      port,
      install(next) {
        server.setSecureContext({ cert: next, key: next });
        smtp.install(next);
      },
      reload: () => {},
    };
  });
  return { ...edge, ports, smtp };
}

/** A machine that asks the vault to sign with the version that it was told, and never has a private key. */
export async function openSigner({ world, name, source, onCall }: Installed) {
  const key = randomBytes(24).toString("base64url");
  const keyName = `${name}-signer`;
  await world.secrets.setSecret(keyName, key);
  let installed = source;
  const server = createServer((request, reply) => {
    void (async () => {
      let body = "";
      for await (const part of request as AsyncIterable<Buffer>) body += part.toString();
      onCall(`${JSON.stringify(request.headers)} ${body}`);
      if (!isPinion(key, request.headers, body, world.clock.now())) return reply.writeHead(401).end();
      const { action, version } = JSON.parse(body) as { action: string; version?: string };
      if (action === "move") installed = version ?? installed;
      return reply.end(JSON.stringify({ version: installed }));
    })();
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/pinion`;
  return { consumer: consumerOf(world, "signer", { url, keyName }), ports: [], installed: () => installed };
}
