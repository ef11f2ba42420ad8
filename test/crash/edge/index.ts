import type { Cloud } from "../../../local/cloud/cloud.ts";
import { topicName } from "../../../local/cloud/cloud.ts";
import { createGate } from "./gate.ts";
import type { Call, Decide } from "./gate.ts";
import { type HttpEdgeOptions, startHttpEdge } from "./http.ts";
import { armCall, blobCall, tableCall, vaultCall } from "./names.ts";
import { startPostgresEdge } from "./postgres.ts";

export type { Action, Call, Decide, Phase, Place } from "./gate.ts";
export { phases } from "./gate.ts";

/**
 * The network's edge of one process of the app: everything it calls outside goes through here, but for the host's own storage
 * (AzureWebJobsStorage: durable history, queues), which the host calls. Sites and people go straight, so only the app's
 * calls are counted.
 */
export interface Edge {
  /** Give it to `startAppHost({ env })`. The policy stays as it is: its addresses are rewritten as it passes. */
  readonly env: Readonly<Record<string, string>>;
  /** Its ports, by what is behind them. */
  readonly ports: ReadonlyMap<string, number>;
  /** Since the start or the last `reset`. */
  readonly calls: readonly Call[];
  reset(): void;
  /** Decides on each call from now on; undefined lets all pass. */
  on(decide: Decide | undefined): void;
  close(): Promise<void>;
}

export interface EdgeOptions {
  /** Ports of the consumers' health endpoints that the policy names. */
  readonly health?: readonly number[];
  /** Shows the addresses of that edge: for a second process with the same settings, whose connections are redirected. */
  readonly as?: Edge;
}

/** Starts the edge of a cloud. A cloud can have several, one for each process of the app. */
export async function startEdge(cloud: Cloud, { health = [], as }: EdgeOptions = {}): Promise<Edge> {
  const gate = createGate();
  const { tls, azurite, azure } = cloud;
  const ports = new Map<string, number>();
  const edges: { close(): Promise<void> }[] = [];
  /** Ports of the cloud with the ports that the app sees instead. */
  const shown = new Map<number, number>();
  const open = async (name: string, real: string, starting: Promise<{ port: number; close(): Promise<void> }>) => {
    const edge = await starting;
    edges.push(edge);
    ports.set(name, edge.port);
    shown.set(Number(new URL(real).port), as?.ports.get(name) ?? edge.port);
  };
  const swap = (text: string, [from, to]: readonly [number, number]) =>
    text.replaceAll(`127.0.0.1:${from}`, `127.0.0.1:${to}`);
  const inward = (text: string) => [...shown].reduce(swap, text);
  const outward = (text: string) => [...shown].map(([real, edge]) => [edge, real] as const).reduce(swap, text);

  for (const { name, url } of cloud.vaults.vaults) {
    const options: HttpEdgeOptions = {
      gate,
      target: url,
      tls,
      inward,
      outward,
      name: ({ method = "", headers }, at) => ["vault", vaultCall(method, at, headers.authorization !== undefined)],
    };
    await open(`vault ${name}`, url, startHttpEdge(options));
  }
  for (const port of health) {
    const target = `http://127.0.0.1:${port}`;
    const options: HttpEdgeOptions = {
      gate,
      target,
      name: ({ method }, { pathname }) => ["health", `${method} ${pathname}`],
    };
    await open(`health ${port}`, target, startHttpEdge(options));
  }
  const { port: database } = cloud.postgres;
  await open("postgres", `tcp://127.0.0.1:${database}`, startPostgresEdge(gate, database));
  const management: HttpEdgeOptions = {
    gate,
    target: azure.url,
    tls,
    inward,
    outward,
    name: ({ method = "" }, at) =>
      at.pathname.startsWith("/topics/") ? ["topic", `${method} events`] : ["arm", armCall(method, at)],
  };
  await open("management", azure.url, startHttpEdge(management));
  const identity: HttpEdgeOptions = {
    gate,
    target: new URL(azure.identityEndpoint).origin,
    name: ({ method }, { searchParams }) => ["identity", `${method} token for ${searchParams.get("resource")}`],
  };
  await open("identity", azure.identityEndpoint, startHttpEdge(identity));
  const blob: HttpEdgeOptions = {
    gate,
    target: new URL(azurite.blobUrl).origin,
    name: ({ method = "", headers }, at) => ["blob", blobCall(method, at, headers["x-ms-lease-action"]?.toString())],
    // The policy names the real addresses; the app must see the edge's.
    inward: (text, { pathname }) =>
      pathname.includes("/pinion-policy/")
        ? inward(text).replaceAll(new RegExp(`("port"\\s*:\\s*)${database}\\b`, "g"), `$1${shown.get(database)}`)
        : text,
  };
  await open("blob", azurite.blobUrl, startHttpEdge(blob));
  const table: HttpEdgeOptions = {
    gate,
    target: new URL(azurite.tableUrl).origin,
    name: ({ method = "" }, at) => ["table", tableCall(method, at)],
  };
  await open("table", azurite.tableUrl, startHttpEdge(table));

  return {
    env: {
      PINION_STORAGE: inward(azurite.connectionString),
      PINION_POLICY: inward(cloud.policyUrl),
      PINION_TOPIC_ENDPOINT: inward(azure.topicEndpoint(topicName)),
      PINION_RESOURCE_MANAGER_URL: inward(azure.url),
      IDENTITY_ENDPOINT: inward(azure.identityEndpoint),
    },
    ports,
    get calls() {
      return gate.calls;
    },
    reset: () => gate.reset(),
    on: (decide) => gate.decide(decide),
    async close() {
      await Promise.all(edges.map((edge) => edge.close()));
    },
  };
}
