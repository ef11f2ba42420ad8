import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { BlobServiceClient } from "@azure/storage-blob";
import { QueueServiceClient } from "@azure/storage-queue";
import { type Azurite, startAzurite } from "../azurite.ts";
import { type AppHost, startHostProcess } from "../cloud/host-process.ts";
import { takeFolder } from "../cloud/only-one.ts";
import type { Seen } from "./table.ts";

const queue = "pinion-events";
const container = "pinion-policy";
const blob = "rotations.json";

/** Pinion on this machine, against somebody else's vault. */
export interface Watching {
  readonly host: AppHost;
  /** One sweep: the objects as the API shows them afterwards, and what was said of those that could not be read. */
  sweep(): Promise<{ readonly objects: readonly Seen[]; readonly faults: ReadonlyMap<string, string> }>;
  stop(): Promise<void>;
}

export interface WatchOptions {
  /** Of storage, keys and the log. */
  readonly dir: string;
  readonly port: number;
  readonly policy: unknown;
  readonly resourceManagerUrl: string;
  readonly resourceManagerAudience: string;
}

/** Starts storage and the app. Nothing can be rotated: twice by settings, and once by the policy that the caller gives. */
export async function watch(options: WatchOptions): Promise<Watching> {
  const { dir, policy } = options;
  mkdirSync(dir, { recursive: true });
  const letGo = await takeFolder(dir);
  const azurite = await startAzurite({ dir: join(dir, "azurite") });
  const seen = { sweeps: 0, faults: new Map<string, string>() };
  const onLine = (line: string): void => {
    if (/ sweep: \d+ objects/.test(line)) seen.sweeps += 1;
    const [, id = "", why = ""] = /warning \S+ sweep of ([a-z0-9-]+): (.*)$/.exec(line) ?? [];
    if (id !== "") seen.faults.set(id, why);
  };
  try {
    await prepare(azurite, policy);
    const state = join(dir, "host");
    const host = await startHostProcess({ state, port: options.port, env: settings(azurite, options), onLine });
    return {
      host,
      async sweep() {
        const before = seen.sweeps;
        seen.faults.clear();
        await call(host, "POST", "/admin/functions/sweep", host.masterKey);
        const patient = performance.now() + 300_000;
        while (seen.sweeps === before && performance.now() < patient)
          await new Promise((resolve) => setTimeout(resolve, 50));
        const reply = await call(host, "GET", "/api/rotations", host.key);
        const { rotations } = (await reply.json()) as { rotations: readonly Seen[] };
        return { objects: rotations, faults: seen.faults };
      },
      async stop() {
        await host.stop();
        await azurite.stop();
        letGo();
      },
    };
  } catch (error) {
    await azurite.stop();
    letGo();
    throw error;
  }
}

/** The person's own environment, for az needs it, without what would make the app somebody else or let it rotate. */
function settings(azurite: Azurite, options: WatchOptions): Readonly<Record<string, string | undefined>> {
  const foreign =
    /^(PINION_|AzureWebJobs|WEBSITE_|IDENTITY_|MSI_|NODE_OPTIONS$|AZURE_(CLIENT|TENANT|FEDERATED|TOKEN|USERNAME|PASSWORD))/i;
  return {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name))),
    AzureWebJobsStorage: azurite.connectionString,
    FUNCTIONS_WORKER_RUNTIME: "node",
    PINION_POLICY: `${azurite.blobUrl}/${container}/${blob}`,
    PINION_EVENTS_QUEUE: queue,
    PINION_RESOURCE_MANAGER_URL: options.resourceManagerUrl,
    PINION_RESOURCE_MANAGER_AUDIENCE: options.resourceManagerAudience,
    PINION_OBSERVE: "true",
    PINION_STOP: "true",
    // What DefaultAzureCredential may use: the login of az, and nothing else that this machine may have.
    AZURE_TOKEN_CREDENTIALS: "AzureCliCredential",
  };
}

async function prepare({ connectionString }: Azurite, policy: unknown): Promise<void> {
  const text = JSON.stringify(policy, null, 2);
  const blobs = BlobServiceClient.fromConnectionString(connectionString).getContainerClient(container);
  await blobs.createIfNotExists();
  await blobs.getBlockBlobClient(blob).upload(text, Buffer.byteLength(text));
  await QueueServiceClient.fromConnectionString(connectionString).getQueueClient(queue).createIfNotExists();
}

async function call(host: AppHost, method: "GET" | "POST", path: string, key: string): Promise<Response> {
  const headers = { "x-functions-key": key, "content-type": "application/json" };
  const reply = await fetch(`${host.url}${path}`, { method, headers, ...(method === "POST" && { body: "{}" }) });
  if (!reply.ok) throw new Error(`${method} ${path} answered ${reply.status}: its log is host.log.`);
  return reply;
}
