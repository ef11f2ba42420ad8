import { createHash, randomUUID } from "node:crypto";
import type { Clock } from "../../clock.ts";
import { fail } from "../arm.ts";
import type { ArmRequest, ArmRoute } from "../arm.ts";
import type { Reply } from "../http.ts";
import { openFolder } from "../store.ts";

export type Properties = Readonly<Record<string, unknown>>;

/** A resource as ARM shows it. */
export interface Resource {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly location: string;
  readonly identity?: unknown;
  readonly sku?: unknown;
  readonly tags?: unknown;
  readonly properties: Properties;
}

/** A resource and what will become of it by the clock. */
export interface Entry {
  readonly resource: Resource;
  /** What a long-running operation makes of it when it ends. */
  readonly pending?: { readonly until: number; readonly properties: Properties };
  /** Until then data is wrapped anew. */
  readonly rewrapUntil?: number;
  /** When its service last looked for a newer version of its key. */
  readonly checkedAt?: number;
}

interface Operation {
  readonly id: string;
  readonly until: number;
  readonly error?: { readonly code: string; readonly message: string };
}

/** How long things take, in seconds of the cloud's clock (0: done at once); `retryAfterSeconds` is what replies ask clients to wait. */
export interface Timing {
  operationSeconds: number;
  rewrapSeconds: number;
  /** Until a service that follows the newest version looks again. */
  autoRotateSeconds: number;
  retryAfterSeconds: number;
}

/** Resources of any type and the operations on them, in the state folder. Ids are compared without case. */
export interface Resources {
  readonly get: (id: string) => Entry | undefined;
  readonly put: (entry: Entry) => void;
  /** Those directly under a collection (`.../servers/x/keys`). */
  readonly children: (collection: string) => readonly Entry[];
  /** Forgets them all. */
  readonly clear: () => void;
  /** Begins an operation; `error`: with which it will end. */
  readonly begin: (id: string, error?: Operation["error"]) => { until: number; async: string; location: string };
  /** Answers `.../azureAsyncOperation/<id>` and `.../operationResults/<id>`. */
  readonly route: (request: ArmRequest) => ArmRoute | undefined;
}

export function openResources(dir: string, clock: Clock, timing: Timing, baseUrl: () => string): Resources {
  const disk = openFolder<Entry>(`${dir}/resources`);
  const diskOfOperations = openFolder<Operation>(`${dir}/operations`);
  const entries = new Map(disk.all().map((entry) => [entry.resource.id.toLowerCase(), entry]));
  const operations = new Map(diskOfOperations.all().map((operation) => [operation.id, operation]));

  const answer = (kind: string, id: string): Reply => {
    const operation = operations.get(id);
    if (operation === undefined) return fail(404, "NotFound", "The operation was not found.");
    const { until, error } = operation;
    const over = clock.now() >= until;
    const retry = over ? {} : { headers: { "retry-after": String(timing.retryAfterSeconds) } };
    if (kind === "operationresults") return { status: over ? 200 : 202, ...retry };
    const status = over ? (error === undefined ? "Succeeded" : "Failed") : "InProgress";
    return { status: 200, ...retry, body: { name: id, status, ...(over && error !== undefined ? { error } : {}) } };
  };

  return {
    get: (id) => entries.get(id.toLowerCase()),
    put(entry) {
      const key = entry.resource.id.toLowerCase();
      entries.set(key, entry);
      disk.put(fileOf(key), entry);
    },
    children(collection) {
      const prefix = `${collection.toLowerCase()}/`;
      return [...entries].flatMap(([id, entry]) =>
        id.startsWith(prefix) && !id.slice(prefix.length).includes("/") ? [entry] : [],
      );
    },
    clear() {
      for (const key of entries.keys()) disk.remove(fileOf(key));
      entries.clear();
    },
    begin(id, error) {
      const until = clock.now() + timing.operationSeconds * 1000;
      const operation: Operation = { id: randomUUID(), until, ...(error === undefined ? {} : { error }) };
      operations.set(operation.id, operation);
      diskOfOperations.put(operation.id, operation);
      const [, subscription, provider] = /^\/subscriptions\/([^/]+)\/.*?\/providers\/([^/]+)/i.exec(id) ?? [];
      const base = `${baseUrl()}/subscriptions/${subscription}/providers/${provider}/locations/westeurope`;
      const query = "?api-version=2024-01-01";
      return {
        until,
        async: `${base}/azureAsyncOperation/${operation.id}${query}`,
        location: `${base}/operationResults/${operation.id}${query}`,
      };
    },
    route({ method, path }) {
      const [, provider, kind, id] =
        /\/providers\/([^/]+)\/locations\/[^/]+\/(azureAsyncOperation|operationResults)\/([^/]+)$/i.exec(path) ?? [];
      if (method !== "GET" || kind === undefined || id === undefined) return undefined;
      const operation = "operations.get";
      return { operation, action: `${provider}/locations/operations/read`, run: () => answer(kind.toLowerCase(), id) };
    },
  };
}

const fileOf = (key: string): string => createHash("sha256").update(key).digest("hex");
