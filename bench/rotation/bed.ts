import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type AppHost, startAppHost } from "../../local/cloud/app-host.ts";
import { type Cloud, startCloud } from "../../local/cloud/cloud.ts";
import { seed, sites, vault } from "../../local/cloud/scenario.ts";

/** The object that is rotated: the scenario's pair of roles, with one site pinned to its version. */
export const object = "orders-db";
/** Partition of its records and id of its orchestration. */
export const key = `${vault}--secret--${object}`;

/** Waits of the policy by the cloud's clock, which is moved over them. */
const timing = { grace: "PT5S", lag: "PT1S", watch: "PT1S", idleFor: "PT1S" };

/** The local cloud as `npm start` has it: the app's host, Azurite and PostgreSQL in processes of their own. */
export interface Bed {
  readonly cloud: Cloud;
  /** Starts the app (default dist/app), with settings on top of its own. */
  host(options?: {
    readonly app?: string | undefined;
    readonly env?: Readonly<Record<string, string>>;
  }): Promise<AppHost>;
  close(): Promise<void>;
}

export async function openBed(): Promise<Bed> {
  const dir = mkdtempSync(join(tmpdir(), "pinion-rotation-"));
  const cloud = await startCloud({ dir, vaults: [vault], sites, restartLagSeconds: 0 });
  cloud.azure.appService.start();
  const { policy } = await seed(cloud, {}, timing);
  // One object is rotated many times in a day of the cloud.
  await cloud.putPolicy({ ...policy, limits: { concurrent: 5, perDay: 10_000 } });
  return {
    cloud,
    host: ({ app, env } = {}) =>
      startAppHost({
        cloud,
        ...(app !== undefined && { app }),
        // The sweep would come in between as the clock moves.
        env: { "AzureWebJobs.sweep.Disabled": "true", ...env },
      }),
    async close() {
      await cloud.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A rotation that ended as it should. */
export interface Rotation {
  readonly rotationId: string;
  /** Names of the activities that ran, in order. */
  readonly activities: readonly string[];
  /** Milliseconds from the request that started it to its end, less the durable timers. */
  readonly worked: number;
}

interface Instance {
  readonly runtimeStatus: string;
  readonly customStatus: { readonly rotationId: string; readonly outcome?: string; readonly until?: string } | null;
  readonly historyEvents?: readonly {
    readonly EventType: string;
    readonly FunctionName?: string;
    readonly Timestamp: string;
  }[];
}

const patience = 60_000;
/** Seldom enough to take nothing that counts from two cores. */
const pollEvery = 40;

/**
 * Starts a rotation over HTTP and moves the clock to whatever instant it waits for. Times come from the durable history, by the
 * cloud's clock: it is moved only while a timer runs, so between timers it goes as fast as real time does.
 */
export async function rotate({ cloud }: Bed, host: AppHost): Promise<Rotation> {
  const { version = "" } = (await cloud.secrets(vault).getSecret(object)).properties;
  const began = cloud.clock.now();
  const reply = await fetch(`${host.url}/api/rotations/${object}/start`, {
    method: "POST",
    headers: { "x-functions-key": host.key, "content-type": "application/json" },
    body: JSON.stringify({ version, reason: "benchmark" }),
  });
  const { rotationId } = (await reply.json()) as { rotationId?: string };
  if (rotationId === undefined) throw new Error(`The start was answered ${reply.status}.`);
  // Durable's own status makes no call of the app's.
  const url = `${host.url}/runtime/webhooks/durabletask/instances/${key}?code=${host.systemKeys["durabletask_extension"]}`;
  const giveUp = performance.now() + patience;
  for (;;) {
    const instance = (await (await fetch(url)).json()) as Instance;
    const status = instance.customStatus?.rotationId === rotationId ? instance.customStatus : undefined;
    if (status?.outcome !== undefined && instance.runtimeStatus === "Completed") {
      if (status.outcome !== "rotated") throw new Error(`The rotation ended ${status.outcome}.`);
      const whole = (await (await fetch(`${url}&showHistory=true`)).json()) as Instance;
      return { rotationId, ...measure(whole.historyEvents ?? [], began) };
    }
    const wait = status?.until === undefined ? 0 : Date.parse(status.until) - cloud.clock.now();
    if (wait > 0) cloud.clock.advance(wait);
    if (performance.now() > giveUp) throw new Error(`${rotationId} did not end: ${JSON.stringify(status)}`);
    await delay(pollEvery);
  }
}

function measure(history: NonNullable<Instance["historyEvents"]>, began: number): Omit<Rotation, "rotationId"> {
  let waited = 0;
  let timer: number | undefined;
  for (const { EventType, Timestamp } of history) {
    if (EventType === "TimerCreated") timer ??= Date.parse(Timestamp);
    if (EventType !== "TimerFired" || timer === undefined) continue;
    waited += Date.parse(Timestamp) - timer;
    timer = undefined;
  }
  const ended = Date.parse(history.at(-1)?.Timestamp ?? "");
  const activities = history.flatMap((row) => (row.EventType === "TaskCompleted" ? [row.FunctionName ?? ""] : []));
  return { activities, worked: ended - began - waited };
}
