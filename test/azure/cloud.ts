import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AccessToken, TokenCredential } from "@azure/core-auth";
import { startAzure } from "../../local/azure/server.ts";
import type { Azure, AzureOptions } from "../../local/azure/server.ts";
import { openClock } from "../../local/clock.ts";
import { ensureTls } from "../../local/tls.ts";

export const tenantId = "11111111-1111-4111-8111-111111111111";
export const app = {
  clientId: "aaaaaaaa-0000-4000-8000-000000000001",
  objectId: "aaaaaaaa-0000-4000-8000-000000000002",
};

/** For `expect.poll`: the patience that a busy machine needs. */
export const soon = { timeout: 15_000 };

/** A folder with a clock, from which Azure can be started any number of times. */
export async function openCloud() {
  const dir = mkdtempSync(join(tmpdir(), "pinion-azure-"));
  const clock = openClock(join(dir, "clock"));
  const tls = await ensureTls(join(dir, "tls"), clock);
  const running: Azure[] = [];
  return {
    dir,
    clock,
    tls,
    async start(options: Partial<AzureOptions> = {}): Promise<Azure> {
      const azure = await startAzure({
        stateDir: join(dir, "azure"),
        clock,
        tls,
        tenantId,
        identities: [{ ...app, systemAssigned: true }],
        vaults: () => ({}),
        sites: [],
        ...options,
      });
      running.push(azure);
      return azure;
    },
    async close() {
      for (const azure of running) await azure.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A reply; the caller says what shape it expects, and its test fails when that is wrong. */
export interface Answer<T> {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly json: T;
}

/** One HTTPS call, as any client would make it. Rejects when the connection is dropped. */
export function call<T = Record<string, unknown>>(
  azure: Azure,
  ca: string,
  method: string,
  path: string,
  options: CallOptions = {},
): Promise<Answer<T>> {
  return new Promise((resolve, reject) => {
    const headers = {
      ...(options.token ? { authorization: `Bearer ${options.token}` } : {}),
      ...(options.body === undefined ? {} : { "content-type": "application/json" }),
      ...options.headers,
    };
    const outgoing = request(`${azure.url}${path}`, { method, ca, headers, agent: false }, (reply) => {
      const chunks: Buffer[] = [];
      reply.on("data", (chunk: Buffer) => chunks.push(chunk));
      reply.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        const isJson = String(reply.headers["content-type"]).startsWith("application/json");
        resolve({
          status: reply.statusCode ?? 0,
          headers: reply.headers,
          json: (isJson ? JSON.parse(text) : text) as T,
        });
      });
    });
    outgoing.on("error", reject);
    outgoing.end(options.body === undefined ? undefined : JSON.stringify(options.body));
  });
}

export interface CallOptions {
  readonly token?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

/** A credential that asks the issuer directly, for clients whose own credential is not what a test is about. */
export function credentialOf({ tokens }: Azure): TokenCredential {
  return {
    async getToken(scopes): Promise<AccessToken> {
      const audience = String([scopes].flat()[0]).replace("/.default", "");
      const { token, expiresOn } = await tokens.issue({ audience, objectId: app.objectId, appId: app.clientId });
      return { token, expiresOnTimestamp: expiresOn * 1000 };
    },
  };
}

export type Cloud = Awaited<ReturnType<typeof openCloud>>;
