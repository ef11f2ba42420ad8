import type { Cloud } from "../../../local/cloud/cloud.ts";
import { topicName } from "../../../local/cloud/cloud.ts";
import { createGate } from "./gate.ts";
import type { Call, Decide } from "./gate.ts";
import { startHttpEdge } from "./http.ts";
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
}

/** Starts the edge of a cloud. A cloud can have several, one for each process of the app. */
export async function startEdge(cloud: Cloud, { health = [] }: EdgeOptions = {}): Promise<Edge> {
  const gate = createGate();
  const { tls, azurite, azure } = cloud;
  /** Real ports with the ports that the app sees instead. */
  const swapped = new Map<number, number>();
  const swap = (text: string, pairs: Iterable<readonly [number, number]>): string => {
    let next = text;
    for (const [from, to] of pairs) next = next.replaceAll(`127.0.0.1:${from}`, `127.0.0.1:${to}`);
    return next;
  };
  const inward = (text: string) => swap(text, swapped);
  const outward = (text: string) =>
    swap(
      text,
      [...swapped].map(([real, edge]) => [edge, real]),
    );

  const vaults = await Promise.all(
    cloud.vaults.vaults.map(async ({ url }) => {
      const edge = await startHttpEdge({
        gate,
        target: url,
        tls,
        inward,
        outward,
        name: ({ method = "", headers }, at) => ["vault", vaultCall(method, at, headers.authorization !== undefined)],
      });
      swapped.set(portOf(url), edge.port);
      return edge;
    }),
  );
  const healthEdges = await Promise.all(
    health.map(async (port) => {
      const target = `http://127.0.0.1:${port}`;
      const edge = await startHttpEdge({
        gate,
        target,
        name: ({ method }, { pathname }) => ["health", `${method} ${pathname}`],
      });
      swapped.set(port, edge.port);
      return edge;
    }),
  );
  const postgres = await startPostgresEdge(gate, cloud.postgres.port);
  const management = await startHttpEdge({
    gate,
    target: azure.url,
    tls,
    inward,
    outward,
    name: ({ method = "" }, at) =>
      at.pathname.startsWith("/topics/") ? ["topic", `${method} events`] : ["arm", armCall(method, at)],
  });
  const identity = await startHttpEdge({
    gate,
    target: new URL(azure.identityEndpoint).origin,
    name: ({ method }, { searchParams }) => ["identity", `${method} token for ${searchParams.get("resource")}`],
  });
  const blob = await startHttpEdge({
    gate,
    target: new URL(azurite.blobUrl).origin,
    name: ({ method = "", headers }, at) => ["blob", blobCall(method, at, headers["x-ms-lease-action"]?.toString())],
    // The policy names the real addresses; the app must see the edge's.
    inward: (text, { pathname }) =>
      pathname.includes("/pinion-policy/")
        ? inward(text).replaceAll(new RegExp(`("port"\\s*:\\s*)${cloud.postgres.port}\\b`, "g"), `$1${postgres.port}`)
        : text,
  });
  const table = await startHttpEdge({
    gate,
    target: new URL(azurite.tableUrl).origin,
    name: ({ method = "" }, at) => ["table", tableCall(method, at)],
  });

  const at = (url: string, port: number) => url.replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${port}`);
  const edges = [...vaults, ...healthEdges, postgres, management, identity, blob, table];
  return {
    env: {
      PINION_STORAGE: azurite.connectionString
        .replace(azurite.blobUrl, at(azurite.blobUrl, blob.port))
        .replace(azurite.tableUrl, at(azurite.tableUrl, table.port)),
      PINION_POLICY: at(cloud.policyUrl, blob.port),
      PINION_TOPIC_ENDPOINT: at(azure.topicEndpoint(topicName), management.port),
      PINION_RESOURCE_MANAGER_URL: at(azure.url, management.port),
      IDENTITY_ENDPOINT: at(azure.identityEndpoint, identity.port),
    },
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

function portOf(url: string): number {
  return Number(new URL(url).port);
}
