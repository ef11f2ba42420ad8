import type { IncomingHttpHeaders } from "node:http";
import { type Cloud, topicName } from "../../local/cloud/cloud.ts";
import { createGate } from "../../test/crash/edge/gate.ts";
import { startHttpEdge } from "../../test/crash/edge/http.ts";
import { armCall, blobCall, tableCall, vaultCall } from "../../test/crash/edge/names.ts";
import { startPostgresTap } from "./postgres-tap.ts";

/** A request as it left the app, with the services' own addresses in it. Holds secrets: it stays in this process's memory. */
export interface HttpCall {
  readonly place: "vault" | "arm" | "topic" | "identity" | "blob" | "table";
  /** Without values: `GET /secrets/orders-db`. */
  readonly name: string;
  /** `https://127.0.0.1:<port>` */
  readonly origin: string;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  body: string;
  /** 0 while there is no reply. */
  readonly status: number;
  reply: string;
}

/** A login, a statement or a goodbye on one connection to PostgreSQL. */
export type PostgresCall = { readonly place: "postgres"; readonly connection: number } & (
  | { readonly kind: "login"; readonly user: string; readonly database: string; ok: boolean }
  | {
      readonly kind: "query";
      readonly text: string;
      readonly name?: string;
      readonly values?: readonly (string | null)[];
    }
  | { readonly kind: "end" }
);

export type OutsideCall = HttpCall | PostgresCall;

/** Stands between one process of the app and the services, and keeps everything that the app asks of them, in order. */
export interface Recorder {
  /** Give it to `startAppHost({ env })`; the policy stays as it is, its addresses are rewritten as it passes. */
  readonly env: Readonly<Record<string, string>>;
  readonly calls: OutsideCall[];
  close(): Promise<void>;
}

/** Starts a recorder in front of a cloud's vaults, ARM, topic, identity endpoint, storage and PostgreSQL. */
export async function startRecorder(cloud: Cloud): Promise<Recorder> {
  const { tls, azure, azurite } = cloud;
  const calls: OutsideCall[] = [];
  const gate = createGate();
  const known = new WeakMap<URL, HttpCall>();
  /** The services' ports with the recorder's. */
  const ports = new Map<number, number>();
  const swap = (text: string, pairs: readonly (readonly [number, number])[]) =>
    pairs.reduce((next, [from, to]) => next.replaceAll(`127.0.0.1:${from}`, `127.0.0.1:${to}`), text);
  const toApp = (text: string) => swap(text, [...ports]);
  const toService = (text: string) =>
    swap(
      text,
      [...ports].map(([service, ours]) => [ours, service]),
    );

  type Name = (method: string, url: URL, headers: IncomingHttpHeaders) => readonly [HttpCall["place"], string];
  const http = async (target: string, name: Name, inward: (text: string, url: URL) => string = toApp) => {
    const { origin, port } = new URL(target);
    const edge = await startHttpEdge({
      gate,
      target: origin,
      ...(origin.startsWith("https:") && { tls }),
      name({ method = "", headers }, url) {
        const [place, what] = name(method, url, headers);
        const path = url.pathname + url.search;
        // The gate numbers this call next.
        const index = gate.calls.length;
        const call: HttpCall = {
          place,
          name: what,
          origin,
          method,
          path,
          headers,
          body: "",
          reply: "",
          get status() {
            return gate.calls[index]?.status ?? 0;
          },
        };
        known.set(url, call);
        calls.push(call);
        return [place, what];
      },
      outward(text, url) {
        const next = toService(text);
        const call = known.get(url);
        if (call !== undefined) call.body = next;
        return next;
      },
      inward(text, url) {
        const call = known.get(url);
        if (call !== undefined) call.reply = text;
        return inward(text, url);
      },
    });
    ports.set(Number(port), edge.port);
    return edge;
  };

  const postgres = await startPostgresTap(cloud.postgres.port, (call) => calls.push(call));
  const policyPort = new RegExp(`("port"\\s*:\\s*)${cloud.postgres.port}\\b`, "g");
  const policyToApp = (text: string, { pathname }: URL) =>
    pathname.includes("/pinion-policy/") ? toApp(text).replaceAll(policyPort, `$1${postgres.port}`) : text;
  const edges = [
    postgres,
    ...(await Promise.all([
      ...cloud.vaults.vaults.map(({ url }) =>
        http(url, (method, at, { authorization }) => ["vault", vaultCall(method, at, authorization !== undefined)]),
      ),
      http(azure.url, (method, at) =>
        at.pathname.startsWith("/topics/") ? ["topic", `${method} events`] : ["arm", armCall(method, at)],
      ),
      http(azure.identityEndpoint, (method) => ["identity", `${method} token`]),
      http(
        azurite.blobUrl,
        (method, at, headers) => ["blob", blobCall(method, at, headers["x-ms-lease-action"]?.toString())],
        policyToApp,
      ),
      http(
        azurite.tableUrl,
        (method, at) => ["table", tableCall(method, at)],
        (text) => text,
      ),
    ])),
  ];
  return {
    env: {
      PINION_STORAGE: toApp(azurite.connectionString),
      PINION_POLICY: toApp(cloud.policyUrl),
      PINION_TOPIC_ENDPOINT: toApp(azure.topicEndpoint(topicName)),
      PINION_RESOURCE_MANAGER_URL: toApp(azure.url),
      IDENTITY_ENDPOINT: toApp(azure.identityEndpoint),
    },
    calls,
    async close() {
      await Promise.all(edges.map((edge) => edge.close()));
    },
  };
}
