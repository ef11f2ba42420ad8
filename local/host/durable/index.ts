// The Durable extension's stand-in: what the worker half imports.
import type { Clock } from "../../clock.ts";
import { createEngine } from "./engine.ts";
import { handle } from "./http.ts";
import type { Store } from "./store.ts";
import { clientBinding } from "./urls.ts";

export { createMemoryStore } from "./memory-store.ts";
export type { Store } from "./store.ts";
export { createTableStore } from "./table-store.ts";

/** What the stand-in needs from the Functions worker and its host.json. Names are matched without regard to case. */
export interface DurableOptions {
  readonly clock: Clock;
  readonly store: Store;
  /** The task hub: instances of one hub never meet those of another. */
  readonly hub: string;
  readonly defaultVersion?: string;
  readonly versionMatchStrategy?: "None" | "Strict" | "CurrentOrOlder";
  readonly versionFailureStrategy?: "Reject" | "Fail";
  readonly maxConcurrentActivities?: number;
  readonly maxConcurrentOrchestrators?: number;
  /** Names registered by the app. */
  orchestrators(): ReadonlySet<string>;
  activities(): ReadonlySet<string>;
  /**
   * Runs one episode on the real SDK. `payload` is the JSON text of the orchestration trigger. Resolves with the
   * returned state object, or rejects with the error as thrown (`"false\n\n$OutOfProcData$:..."`).
   */
  invokeOrchestrator(name: string, payload: string): Promise<unknown>;
  /** Runs an activity with its argument as JSON text (null: none). Resolves with its value, or rejects with its error. */
  invokeActivity(name: string, input: string | null, meta: { instanceId: string; taskId: number }): Promise<unknown>;
  log(level: "info" | "warning" | "error", message: string): void;
}

/** One request to the management API, already authorised by the caller. */
export interface DurableRequest {
  readonly method: string;
  /** Below `/runtime/webhooks/durabletask` or below the RPC base, with or without a leading slash; still URL-encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The absolute URL that `path` is below, without a trailing slash: answers build their management URLs on it. */
  readonly base: string;
}

export interface DurableResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Durable {
  /** Opens the store, takes up unfinished work, and begins to run it. */
  start(): Promise<void>;
  /** Ends at the next checkpoint: running activities are waited for, nothing new is begun. */
  stop(): Promise<void>;
  handle(request: DurableRequest): Promise<DurableResponse>;
  /** The text of a `durableClient` input binding. `web` is `http://host/runtime/webhooks/durabletask`, `rpc` the RPC base, `key` the system key. */
  clientBinding(urls: { readonly web: string; readonly rpc: string; readonly key: string }): string;
}

/** Makes the stand-in. Nothing runs before `start`. */
export function createDurable(options: DurableOptions): Durable {
  const engine = createEngine(options);
  const api = { engine, clock: options.clock, hub: options.hub, orchestrators: () => options.orchestrators() };
  return {
    start: () => engine.start(),
    stop: () => engine.stop(),
    handle: (request) => handle(request, api),
    clientBinding: (urls) => clientBinding(urls, options.hub),
  };
}
