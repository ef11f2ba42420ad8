import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TableClient } from "@azure/data-tables";
import { Client } from "pg";
import { type AppHost, startAppHost } from "../../local/cloud/app-host.ts";
import { type Cloud, type CloudOptions, siteResourceId, startCloud } from "../../local/cloud/cloud.ts";
import { arm, type HealthUrls, seed, setSetting, sites, type Timing, vault } from "../../local/cloud/scenario.ts";

export const second = 1000;
export const minute = 60 * second;
export const hour = 60 * minute;
export const day = 24 * hour;

/** Waits by the cloud's clock that a test can step over with few moves. */
export const timing: Timing = { grace: "PT1H", lag: "PT1M", watch: "PT2M", idleFor: "PT1M" };

export interface Reply {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  /** The body as JSON; an empty object when it is not. */
  readonly json: Readonly<Record<string, unknown>>;
}

export interface CallOptions {
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly raw?: string | Uint8Array<ArrayBuffer>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Another key than the function key; "" for none, and, with App Service authentication on, for nobody signed in (else an operator is). */
  readonly key?: string;
}

/** What App Service authentication tells of a caller with these roles. */
export const signedInAs = (...roles: readonly string[]) => ({
  "x-ms-client-principal": Buffer.from(
    JSON.stringify({
      auth_typ: "aad",
      claims: [
        { typ: "oid", val: "dddddddd-0000-4000-8000-000000000001" },
        ...roles.map((val) => ({ typ: "roles", val })),
      ],
    }),
  ).toString("base64"),
});

/** An object's summary as `GET /api/rotations/{id}` gives it: the members that tests ask for. */
export interface Shown {
  readonly id: string;
  readonly phase: string;
  readonly mode: string;
  readonly rotationId?: string;
  readonly outcome?: string;
  readonly code?: string;
  readonly message?: string;
  readonly sourceVersion?: string;
  readonly publishedVersion?: string;
  readonly retryNotBefore?: string;
  readonly quarantined: boolean;
  readonly pointOfNoReturn: boolean;
  readonly attempts: number;
  readonly remembered?: { readonly version: string; readonly why: string };
  readonly report?: {
    readonly notes: readonly string[];
    readonly dueAt?: string;
    readonly current?: { readonly version: string };
  };
  readonly status?: {
    readonly step: string;
    readonly until?: string;
    readonly fault?: { readonly code: string; readonly message: string };
  };
}

/** Folder of the app under test, where that is not dist/app. */
const app = process.env["PINION_APP"];

/** The local cloud in a folder of its own, with the sample objects and the app on its host. */
export interface Bench {
  readonly cloud: Cloud;
  /** The policy as it was seeded; change a copy and `cloud.putPolicy` it. The app reads it at most 10 seconds later. */
  readonly policy: Awaited<ReturnType<typeof seed>>["policy"];
  host: AppHost;
  call(method: string, path: string, options?: CallOptions): Promise<Reply>;
  show(id: string): Promise<Shown>;
  /** Starts a rotation of the newest version; its rotation id. */
  start(id: string): Promise<string>;
  /**
   * Lets the cloud's time pass, as far as each wait says, until `done`. Fails with where it stands. Time stands still while an object of
   * `beside` is in the midst of a step: a jump between a vault's reply and its reading looks like a clock that is wrong.
   */
  until(
    id: string,
    what: string,
    done: (shown: Shown) => boolean,
    patience?: number,
    beside?: readonly string[],
  ): Promise<Shown>;
  /** Puts a policy where the app reads it, and has it read at once. */
  setPolicy(policy: unknown, env?: Readonly<Record<string, string>>): Promise<void>;
  /** Runs the sweep now and waits for its last word. */
  sweep(): Promise<string>;
  /** Whether a credential in the format of the sample objects logs in. */
  works(value: string): Promise<boolean>;
  /** Lets time pass until this rotation of the object has ended. */
  end(id: string, rotationId: string, patience?: number, beside?: readonly string[]): Promise<Shown>;
  /** What the host has said so far. */
  log(name?: string): string;
  newest(name: string): Promise<{ readonly version: string; readonly value: string }>;
  /** Stops the host and starts it again with other settings. */
  restart(env?: Readonly<Record<string, string>>): Promise<void>;
  close(): Promise<void>;
}

export interface BenchOptions {
  readonly health?: HealthUrls;
  readonly timing?: Timing;
  readonly env?: Readonly<Record<string, string>>;
  readonly cloud?: Partial<CloudOptions>;
  /** Changes the seeded policy before the app sees it. */
  readonly policy?: (policy: Bench["policy"]) => unknown;
}

export async function openBench(options: BenchOptions = {}): Promise<Bench> {
  const dir = mkdtempSync(join(tmpdir(), "pinion-e2e-"));
  const cloud = await startCloud({ dir, vaults: [vault], sites, restartLagSeconds: 1, ...options.cloud });
  const { policy } = await seed(cloud, options.health, options.timing ?? timing);
  cloud.azure.appService.start();
  await cloud.putPolicy(options.policy?.(structuredClone(policy)) ?? policy);
  let signedIn: Readonly<Record<string, string>> = {};
  const launch = (env: Readonly<Record<string, string>> = {}) => {
    const on = { ...options.env, ...env }["WEBSITE_AUTH_ENABLED"] === "true";
    signedIn = on ? signedInAs("Pinion.Operator") : {};
    return startAppHost({
      cloud,
      ...(app !== undefined && { app }),
      env: { PINION_SWEEP_SCHEDULE: "0 0 0 1 1 *", ...options.env, ...env },
    });
  };
  let host = await launch();

  const call: Bench["call"] = async (method, path, { body, raw, headers = {}, key = host.key } = {}) => {
    const content = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const reply = await fetch(`${host.url}${path}`, {
      method,
      headers: {
        ...(key !== "" && { "x-functions-key": key, ...signedIn }),
        "content-type": "application/json",
        ...headers,
      },
      ...(content !== undefined && { body: content }),
    });
    const text = await reply.text();
    let json: Record<string, unknown> = {};
    try {
      json = JSON.parse(text) as Record<string, unknown>;
    } catch {
      // Not every reply is JSON.
    }
    return { status: reply.status, type: reply.headers.get("content-type") ?? "", text, json };
  };
  const show = async (id: string) => (await call("GET", `/api/rotations/${id}`)).json as unknown as Shown;
  const newest = async (name: string) => {
    const { value = "", properties } = await cloud.secrets(vault).getSecret(name);
    return { version: properties.version ?? "", value };
  };

  const bench: Bench = {
    cloud,
    policy,
    host,
    call,
    show,
    newest,
    async start(id) {
      const { version } = await newest(id);
      const reply = await call("POST", `/api/rotations/${id}/start`, { body: { version } });
      if (reply.status !== 202) throw new Error(`start of ${id}: ${reply.status} ${reply.text}`);
      return String(reply.json["rotationId"]);
    },
    async until(id, what, done, patience = 60 * second, beside = []) {
      const end = performance.now() + patience;
      for (;;) {
        const shown = await show(id);
        if (done(shown)) return shown;
        if (performance.now() > end) throw new Error(`${id} never was ${what}: ${JSON.stringify(shown)}`);
        const left = Date.parse(shown.status?.until ?? "") - cloud.clock.now();
        const busy = async (other: string) => {
          const { phase, status } = await show(other);
          return phase !== "idle" && !(Date.parse(status?.until ?? "") > cloud.clock.now());
        };
        // A moment beyond the instant, so that the step after the wait finds it passed.
        if (left > 0 && !(await Promise.all(beside.map(busy))).includes(true)) cloud.clock.advance(left + 10);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    end: (id, rotationId, patience, beside) =>
      bench.until(
        id,
        `at the end of ${rotationId}`,
        (shown) => shown.rotationId === rotationId && ended(shown),
        patience,
        beside,
      ),
    async setPolicy(next, env) {
      await cloud.putPolicy(next);
      // A running app would read it again within 10 seconds.
      await bench.restart(env);
    },
    async sweep() {
      const said = () =>
        bench
          .log()
          .split("\n")
          .filter((line) => /sweep: \d+ objects/.test(line));
      const before = said().length;
      await call("POST", "/admin/functions/sweep", { body: {}, key: host.masterKey });
      for (const end = performance.now() + 60 * second; said().length === before;) {
        if (performance.now() > end) throw new Error("the sweep never ended");
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return said().at(-1) ?? "";
    },
    async works(value) {
      const { username: user, password, ...where } = JSON.parse(value) as Readonly<Record<string, string>>;
      const client = new Client({ ...where, user, password });
      try {
        await client.connect();
        return true;
      } catch {
        return false;
      } finally {
        await client.end().catch(() => undefined);
      }
    },
    log: (name = "host") => readFileSync(join(dir, name, "host.log"), "utf8"),
    async restart(env) {
      await host.stop();
      host = await launch(env);
      bench.host = host;
    },
    async close() {
      await host.stop();
      await cloud.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
  return bench;
}

/** Ended, whatever came of it. */
export const ended = ({ phase, rotationId, outcome }: Shown): boolean =>
  phase === "idle" && rotationId !== undefined && outcome !== undefined;

/** Everything outside that a rotation could change: vault versions, statements at the database, settings of the sites, records. */
export async function everything({ cloud }: Bench): Promise<unknown> {
  const secrets = cloud.secrets(vault);
  const versions: string[] = [];
  for await (const { name } of secrets.listPropertiesOfSecrets()) {
    for await (const one of secrets.listPropertiesOfSecretVersions(name))
      versions.push(`${name}/${one.version ?? ""} ${one.enabled === true ? "on" : "off"} ${JSON.stringify(one.tags)}`);
  }
  const records: string[] = [];
  const table = TableClient.fromConnectionString(cloud.azurite.connectionString, "PinionRecords", {
    allowInsecureConnection: true,
  });
  // As the app does it: before the first request there is none.
  await table.createTable();
  for await (const row of table.listEntities<{ json: string }>())
    records.push(`${row.partitionKey} ${row.rowKey} ${row.json}`);
  const changes = readFileSync(cloud.postgres.logFile, "utf8")
    .split("\n")
    .filter((line) => /\b(ALTER|CREATE|DROP|GRANT|REVOKE|pg_terminate_backend)\b/i.test(line)).length;
  const settings = await Promise.all(Object.keys(sites).map((site) => settingsOf(cloud, site)));
  return { versions: versions.sort(), records: records.sort(), changes, settings };
}

/** A site's settings as ARM lists them. */
export async function settingsOf(cloud: Cloud, site: string): Promise<Readonly<Record<string, string>>> {
  const path = `${siteResourceId(site)}/config/appsettings/list`;
  return (await arm<{ properties: Record<string, string> }>(cloud, "POST", path)).properties;
}

export { setSetting, vault };
