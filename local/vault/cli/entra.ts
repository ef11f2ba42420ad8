import { createHash, createHmac } from "node:crypto";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { Client } from "../../azure/client-credentials.ts";
import { createClientCredentials } from "../../azure/client-credentials.ts";
import { createFaults } from "../../azure/faults.ts";
import { listener } from "../../azure/http.ts";
import type { Handler } from "../../azure/http.ts";
import { createIdentity } from "../../azure/identity.ts";
import type { Identity } from "../../azure/identity.ts";
import { createImds } from "../../azure/imds.ts";
import type { Tokens } from "../../azure/tokens.ts";
import type { Clock } from "../../clock.ts";
import type { Tls } from "../../tls.ts";
import { listen, stop } from "../listen.ts";

/** An identity of the command line, with its secret. */
export type NamedClient = Client & Identity & { readonly name: string };

/** The identities by name: their ids are the same in every run, their secrets with every key. */
export function namedClients(names: readonly string[], tenant: string, key: Buffer): readonly NamedClient[] {
  return names.map((name, index) => ({
    name,
    clientId: uuidOf(`${tenant} ${name} client`),
    objectId: uuidOf(`${tenant} ${name} object`),
    secret: createHmac("sha256", key).update(`client secret of ${name}`).digest("base64url"),
    systemAssigned: index === 0,
  }));
}

function uuidOf(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  const parts = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ];
  return parts.join("-");
}

/** Options of `startEntra`. */
export interface EntraOptions {
  readonly tokens: Tokens;
  readonly clock: Clock;
  readonly tls: Pick<Tls, "cert" | "key">;
  readonly clients: readonly NamedClient[];
  /** What callers of the managed-identity endpoint send as `X-IDENTITY-HEADER`. */
  readonly header: string;
  /** Of the HTTPS endpoint; the managed-identity endpoint is one further. 0: free ones. */
  readonly port: number;
  /** Served beside it over HTTPS. */
  readonly more?: readonly Handler[];
}

/** The endpoints that tokens come from. */
export interface Entra {
  /** `https://127.0.0.1:<port>`: `AZURE_AUTHORITY_HOST`. */
  readonly url: string;
  /** `http://127.0.0.1:<port>`: `AZURE_POD_IDENTITY_AUTHORITY_HOST`; with `/msi/token`: `IDENTITY_ENDPOINT`. */
  readonly identityUrl: string;
  readonly close: () => Promise<void>;
}

/** Starts OpenID metadata and the client-credentials grant over HTTPS, managed identities over HTTP, as Azure has them. */
export async function startEntra(options: EntraOptions): Promise<Entra> {
  const { tokens, clock, tls, clients, header, port, more = [] } = options;
  const faults = createFaults();
  const handlers = [tokens.handler, createClientCredentials({ tokens, clock, clients }), ...more];
  const managed = [
    createIdentity({ tokens, header, identities: clients }),
    createImds({ tokens, identities: clients }),
  ];
  const https = createHttpsServer({ cert: tls.cert, key: tls.key }, listener(handlers, faults));
  const http = createHttpServer(listener(managed, faults));
  const close = async () => void (await Promise.all([stop(https), stop(http)]));
  try {
    const at = await listen(https, port, undefined);
    const identityAt = await listen(http, port && port + 1, undefined);
    return { url: `https://127.0.0.1:${at}`, identityUrl: `http://127.0.0.1:${identityAt}`, close };
  } catch (error) {
    await close();
    throw error;
  }
}
