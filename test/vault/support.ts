import { mkdtempSync, rmSync } from "node:fs";
import { Agent, request as send } from "node:https";
import type { IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CryptographyClient, KeyClient } from "@azure/keyvault-keys";
import { CertificateClient } from "@azure/keyvault-certificates";
import { SecretClient } from "@azure/keyvault-secrets";
import { onTestFinished } from "vitest";
import { ensureTls } from "../../local/tls.ts";
import type { Tls } from "../../local/tls.ts";
import { startVaults } from "../../local/vault/vaults.ts";
import type { Vaults, VaultsOptions } from "../../local/vault/vaults.ts";

export const start = Date.UTC(2026, 0, 15, 12);
export const day = 86_400_000;
export const resourceId =
  "/subscriptions/0/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv-contoso-orders-dev";
export const vaultName = "kv-contoso-orders-dev";

/** A clock that stands still until it is moved. */
export function fakeClock(at = start) {
  return {
    now: () => at,
    advance(milliseconds: number) {
      at += milliseconds;
    },
  };
}

export function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "pinion-vault-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

let tls: Promise<Tls> | undefined;
/** One certificate for all tests of a file. */
async function testTls(): Promise<Tls> {
  const dir = mkdtempSync(join(tmpdir(), "pinion-tls-"));
  process.on("exit", () => rmSync(dir, { recursive: true, force: true }));
  return ensureTls(dir, { now: () => Date.now() });
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into bodies of many shapes
  readonly json: any;
}

export interface Asked {
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  /** Absent: `anything`; null: no token. */
  readonly token?: string | null;
  /** The request target as it is, without an api-version being added. */
  readonly raw?: boolean;
}

/** Starts one vault (unless told otherwise) that ends with the test, with clients for it. */
export async function testVault(options: Partial<VaultsOptions> = {}) {
  tls ??= testTls();
  const { ca, cert, key } = await tls;
  const clock = fakeClock();
  const stateDir = options.stateDir ?? tempDir();
  const vaults: Vaults = await startVaults({
    clock,
    stateDir,
    tls: { cert, key },
    vaults: [{ name: vaultName, resourceId }],
    tickMs: 10,
    ...options,
  });
  const agent = new Agent({ ca, keepAlive: true });
  let closed = false;
  const close = async () => {
    if (closed) return;
    closed = true;
    agent.destroy();
    await vaults.close();
  };
  onTestFinished(close);
  const url = vaults.vaults[0]!.url;
  const ask = (method: string, path: string, asked: Asked = {}) => {
    const target = asked.raw ? path : `${path}${path.includes("?") ? "&" : "?"}api-version=7.5`;
    return call(agent, url, method, target, asked);
  };
  return {
    vaults,
    control: vaults.control,
    clock,
    stateDir,
    url,
    ca,
    agent,
    close,
    ask,
    client: client(url, ca),
    keys: keyClient(url, ca),
    certificates: certificateClient(url, ca),
  };
}

const credential = {
  getToken: () => Promise.resolve({ token: "a-token", expiresOnTimestamp: Date.now() + 3_600_000 }),
};

const clientOptions = (ca: string, maxRetries: number) => ({
  disableChallengeResourceVerification: true,
  tlsOptions: { ca },
  retryOptions: { maxRetries },
});

/** The official client, without its retries. */
export function client(url: string, ca: string, retries = 0): SecretClient {
  return new SecretClient(url, credential, clientOptions(ca, retries));
}

/** The official client for keys, without retries. */
export function keyClient(url: string, ca: string): KeyClient {
  return new KeyClient(url, credential, clientOptions(ca, 0));
}

/** The official client for certificates, without retries. */
export function certificateClient(url: string, ca: string): CertificateClient {
  return new CertificateClient(url, credential, clientOptions(ca, 0));
}

/** The official client for cryptography with the key of this id, all of which the vault does. */
export function cryptographyClient(id: string, ca: string): CryptographyClient {
  return new CryptographyClient(id, credential, clientOptions(ca, 0));
}

/** Status, code and inner code of a failure of an official client; a test that expects one fails when there is none. */
export async function failure(work: Promise<unknown>) {
  try {
    await work;
  } catch (error) {
    const { statusCode, code, details } = error as {
      statusCode?: number;
      code?: string;
      details?: { error?: { innerError?: { code?: string } } };
    };
    return { status: statusCode, code, inner: details?.error?.innerError?.code };
  }
  throw new Error("It should have failed.");
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** One plain HTTPS request. */
export function call(agent: Agent, url: string, method: string, path: string, asked: Asked): Promise<Answer> {
  const { body, token = "anything" } = asked;
  const payload =
    body === undefined ? undefined : typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const request = send(
      {
        agent,
        hostname,
        port,
        method,
        path,
        headers: {
          ...(token === null ? {} : { Authorization: `Bearer ${token}` }),
          ...(payload === undefined
            ? {}
            : { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(payload) }),
          ...asked.headers,
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          const json: unknown =
            /json/.test(response.headers["content-type"] ?? "") && text ? JSON.parse(text) : undefined;
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json });
        });
      },
    );
    request.on("error", reject);
    request.end(payload);
  });
}
