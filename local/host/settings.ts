import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Settings of an app: its environment. */
export type Env = Record<string, string | undefined>;

/** The parts of host.json that this host obeys, with the real host's defaults. Times in milliseconds. */
export interface HostSettings {
  readonly routePrefix: string;
  /** Infinity when host.json says -1. */
  readonly functionTimeout: number;
  readonly queues: {
    readonly base64: boolean;
    readonly maxDequeueCount: number;
    /** How long a message waits after a failure. */
    readonly visibilityTimeout: number;
    readonly maxPollingInterval: number;
    readonly batchSize: number;
  };
  readonly durable: {
    readonly hub: string;
    /** The setting that holds the connection string. */
    readonly connection: string;
    readonly defaultVersion?: string;
    readonly versionMatchStrategy?: "None" | "Strict" | "CurrentOrOlder";
    readonly versionFailureStrategy?: "Reject" | "Fail";
    readonly maxConcurrentActivities?: number;
    readonly maxConcurrentOrchestrators?: number;
  };
}

/** Reads `Values` of a local.settings.json into `env`; what `env` has already wins. */
export function readLocalSettings(file: string, env: Env): void {
  const { Values = {} } = JSON.parse(readFileSync(file, "utf8")) as { Values?: Record<string, string> };
  for (const [name, value] of Object.entries(Values)) env[name] ??= value;
}

/** Replaces each `%NAME%` by that app setting, as in a queue's name or a schedule. Throws when there is no such setting. */
export function resolveSettings(text: string, env: Env): string {
  return text.replaceAll(/%([^%]+)%/g, (_, name: string) => {
    const value = env[name];
    if (value === undefined) throw new Error(`The app setting "${name}", which "${text}" names, is not set.`);
    return value;
  });
}

/**
 * The connection string that a binding's `connection` names: the app setting itself, or the same with `AzureWebJobs` before it;
 * `AzureWebJobsStorage` when absent. Throws when there is none.
 */
export function connectionString(connection: string | undefined, env: Env): string {
  const given = connection === undefined || connection === "" ? "AzureWebJobsStorage" : connection;
  const name = resolveSettings(given, env);
  const value = env[`AzureWebJobs${name}`] ?? env[name];
  if (!value) throw new Error(`The app setting "${name}" must hold a storage connection string, and is not set.`);
  return value;
}

/** Reads an app folder's host.json. Throws a sentence when it is absent or no JSON. */
export function readHostSettings(folder: string, env: Env): HostSettings {
  const path = join(folder, "host.json");
  if (!existsSync(path)) throw new Error(`${folder} holds no host.json, so it is no Functions app.`);
  const host = JSON.parse(readFileSync(path, "utf8")) as HostJson;
  const queues = host.extensions?.queues ?? {};
  const durable = host.extensions?.durableTask ?? {};
  const storage = durable.storageProvider ?? {};
  const { defaultVersion, versionMatchStrategy, versionFailureStrategy } = durable;
  return {
    routePrefix: (host.extensions?.http?.routePrefix ?? "api").replaceAll(/^\/+|\/+$/g, ""),
    functionTimeout: host.functionTimeout === "-1" ? Infinity : milliseconds(host.functionTimeout ?? "00:30:00"),
    queues: {
      base64: (queues.messageEncoding ?? "base64").toLowerCase() !== "none",
      maxDequeueCount: queues.maxDequeueCount ?? 5,
      visibilityTimeout: milliseconds(queues.visibilityTimeout ?? "00:00:00"),
      maxPollingInterval: milliseconds(queues.maxPollingInterval ?? "00:01:00"),
      batchSize: queues.batchSize ?? 16,
    },
    durable: {
      hub: resolveSettings(durable.hubName ?? env["WEBSITE_SITE_NAME"] ?? "TestHubName", env),
      connection: storage.connectionName ?? storage.connectionStringName ?? "AzureWebJobsStorage",
      ...(defaultVersion !== undefined && { defaultVersion }),
      ...(versionMatchStrategy !== undefined && { versionMatchStrategy }),
      ...(versionFailureStrategy !== undefined && { versionFailureStrategy }),
      ...(durable.maxConcurrentActivityFunctions !== undefined && {
        maxConcurrentActivities: durable.maxConcurrentActivityFunctions,
      }),
      ...(durable.maxConcurrentOrchestratorFunctions !== undefined && {
        maxConcurrentOrchestrators: durable.maxConcurrentOrchestratorFunctions,
      }),
    },
  };
}

interface HostJson {
  readonly functionTimeout?: string;
  readonly extensions?: {
    readonly http?: { readonly routePrefix?: string };
    readonly queues?: {
      readonly messageEncoding?: string;
      readonly maxDequeueCount?: number;
      readonly visibilityTimeout?: string;
      readonly maxPollingInterval?: string;
      readonly batchSize?: number;
    };
    readonly durableTask?: {
      readonly hubName?: string;
      readonly defaultVersion?: string;
      readonly versionMatchStrategy?: "None" | "Strict" | "CurrentOrOlder";
      readonly versionFailureStrategy?: "Reject" | "Fail";
      readonly maxConcurrentActivityFunctions?: number;
      readonly maxConcurrentOrchestratorFunctions?: number;
      readonly storageProvider?: { readonly connectionName?: string; readonly connectionStringName?: string };
    };
  };
}

/** Milliseconds of a .NET TimeSpan, `[d.]hh:mm:ss[.fff]`. Throws on anything else. */
export function milliseconds(span: string): number {
  const match = /^(?:(\d+)\.)?(\d{1,2}):(\d{2})(?::(\d{2})(\.\d+)?)?$/.exec(span);
  if (!match) throw new Error(`"${span}" is no time span such as 00:05:00.`);
  const [, days = "0", hours, minutes, seconds = "0", fraction = "0"] = match;
  return (
    (((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds) + Number(fraction)) * 1000
  );
}
