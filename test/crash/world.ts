import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as delay } from "node:timers/promises";
import { type AppHost, startAppHost } from "../../local/cloud/app-host.ts";
import { type Cloud, startCloud } from "../../local/cloud/cloud.ts";
import { seed, sites, type Timing, vault } from "../../local/cloud/scenario.ts";
import { type Edge, startEdge } from "./edge/index.ts";

/** Which of the seeded objects, and what belongs to it. */
export interface Subject {
  readonly id: "orders-db" | "reports-db";
  readonly strategy: "alternating" | "in-place";
  readonly site: string;
  readonly setting: string;
  readonly database: string;
}

export const orders: Subject = {
  id: "orders-db",
  strategy: "alternating",
  site: "orders-api",
  setting: "ORDERS_DB",
  database: "orders",
};
export const reports: Subject = {
  id: "reports-db",
  strategy: "in-place",
  site: "reports-api",
  setting: "REPORTS_DB",
  database: "reports",
};

/** The app under test: dist/app, or the folder that PINION_TEST_APP names. */
export const builtApp: string =
  process.env["PINION_TEST_APP"] ?? fileURLToPath(new URL("../../dist/app", import.meta.url));

/** The id of a subject's orchestration and records. */
export const keyOf = ({ id }: Subject): string => `${vault}--secret--${id}`;

/** Short enough that no run waits for long; the clock is moved over them all the same. */
export const briefly: Timing = { grace: "PT5S", lag: "PT1S", watch: "PT1S", idleFor: "PT1S" };

type Policy = Awaited<ReturnType<typeof seed>>["policy"] & { limits?: unknown };

export interface WorldOptions {
  readonly timing?: Timing;
  /** Folder of the app; default {@link builtApp}. */
  readonly app?: string;
  readonly change?: (policy: Policy) => Policy;
  /** Called when a site's process starts, with its settings. */
  readonly onStart?: (site: string, settings: Readonly<Record<string, string>>) => void;
  readonly env?: Readonly<Record<string, string>>;
}

/** The whole local cloud with the app's process behind its edge. */
export interface World {
  readonly cloud: Cloud;
  readonly edge: Edge;
  readonly versions: Readonly<Record<Subject["id"], string>>;
  /** Policy as it is in the blob. */
  readonly policy: Policy;
  /** The running process; waits for it while it is being started. */
  host(): Promise<AppHost>;
  /** SIGKILL, as the edge's faults use it; the process stays down until `revive`. */
  kill(): Promise<void>;
  /** Starts it again after a kill, with the clock moved past every lease of the dead process. */
  revive(): Promise<void>;
  /** How often it was killed. */
  readonly kills: () => number;
  /** A call of the app's API; waits through kills. */
  api(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<ApiReply>;
  /** The orchestration's instance as durable's own management API shows it: this makes no outside call. */
  instance(subject: Subject, history?: boolean): Promise<Instance | undefined>;
  close(): Promise<void>;
}

export interface ApiReply {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Instance {
  readonly runtimeStatus: string;
  readonly customStatus: {
    readonly rotationId: string;
    readonly step: string;
    readonly until?: string;
    readonly outcome?: string;
    readonly fault?: { readonly code: string; readonly message: string };
  } | null;
  readonly historyEvents?: readonly {
    readonly EventType: string;
    readonly FunctionName?: string;
    readonly Name?: string;
    readonly Input?: string;
    readonly Result?: unknown;
  }[];
}

/** A lease of a killed process lasts so long (src/store/leases.ts). */
const lease = 60_000;

export async function openWorld(options: WorldOptions = {}): Promise<World> {
  const dir = mkdtempSync(join(tmpdir(), "pinion-crash-"));
  const cloud = await startCloud({
    dir,
    vaults: [vault],
    sites,
    restartLagSeconds: 0,
    onStart: ({ name }, settings) => options.onStart?.(name, settings),
  });
  cloud.azure.appService.start();
  const { policy, versions } = await seed(cloud, {}, options.timing ?? briefly);
  // One object is rotated many times in a day of the cloud.
  const limited: Policy = { ...policy, limits: { concurrent: 5, perDay: 100_000 } };
  const wanted = options.change?.(limited) ?? limited;
  await cloud.putPolicy(wanted);
  const edge = await startEdge(cloud);

  const start = () =>
    startAppHost({
      cloud,
      app: options.app ?? builtApp,
      env: {
        ...edge.env,
        // The sweep would come in between as the clock moves.
        "AzureWebJobs.sweep.Disabled": "true",
        NODE_COMPILE_CACHE: join(tmpdir(), "pinion-compile-cache"),
        ...options.env,
      },
    });
  let running: Promise<AppHost> = start();
  let kills = 0;
  let down = Promise.withResolvers<void>();
  let dead = false;

  const world: World = {
    cloud,
    edge,
    versions: { "orders-db": versions.orders, "reports-db": versions.reports },
    policy: wanted,
    host: () => running,
    kills: () => kills,
    async kill() {
      const host = await running;
      down = Promise.withResolvers();
      dead = true;
      kills += 1;
      await host.kill();
    },
    async revive() {
      cloud.clock.advance(lease + 1000);
      running = start();
      await running;
      dead = false;
      down.resolve();
    },
    async api(method, path, body, headers) {
      for (;;) {
        const host = await running;
        try {
          const reply = await fetch(`${host.url}/api/${path}`, {
            method,
            headers: { "x-functions-key": host.key, "content-type": "application/json", ...headers },
            ...(body !== undefined && { body: JSON.stringify(body) }),
          });
          return { status: reply.status, body: (await reply.json()) as ApiReply["body"] };
        } catch (error) {
          if (!dead) await delay(50);
          if (!dead) throw error;
          await down.promise;
        }
      }
    },
    async instance(subject, history = false) {
      const host = await running;
      const url = `${host.url}/runtime/webhooks/durabletask/instances/${keyOf(subject)}?code=${host.systemKeys["durabletask_extension"]}`;
      const reply = await fetch(history ? `${url}&showHistory=true&showHistoryOutput=true&showInput=true` : url).catch(
        () => undefined,
      );
      return reply?.ok === true ? ((await reply.json()) as Instance) : undefined;
    },
    async close() {
      edge.on(undefined);
      await (await running).stop();
      await edge.close();
      await cloud.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
  await running;
  return world;
}
