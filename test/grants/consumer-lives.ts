import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { cases as holders, deployServer, instanceId, serverId, type Holders } from "../consumers/key-holders.ts";
import { isPinion } from "../consumers/webhook-page.ts";
import { firstKey } from "../life/first.ts";
import { memoryTarget } from "../review/fakes.ts";
import { type Bed, group, type Life } from "./bed.ts";

// One life for each kind of consumer, in each form of it that calls something else.

type Json = Readonly<Record<string, unknown>>;

/** A secret whose value is a password in memory, so that all that Azure is asked for is for its consumers. */
function secretWith(consumers: (bed: Bed) => readonly Json[], before: (bed: Bed, url: string) => Promise<void>): Life {
  const { rotator, target } = memoryTarget("source-value");
  let made = 0;
  return {
    rotator: { ...rotator, create: async (_step, { idle }) => ({ ...idle, material: `candidate-${(made += 1)}` }) },
    object: (bed) => ({
      kind: "secret",
      rotator: { kind: "db", strategy: "in-place", target: {} },
      acceptGap: true,
      format: { type: "plain" },
      consumers: consumers(bed),
    }),
    async first(bed, name) {
      const { properties } = await bed.secrets.setSecret(name, target.password);
      bed.clock.advance(60_000);
      const version = properties.version ?? "";
      await before(bed, `${bed.uri}/secrets/${name}/${version}`);
      return version;
    },
  };
}

const siteId = `${group}/providers/Microsoft.Web/sites/orders`;

/** One that follows the newest has a slash at its end, so that it is written: in the form that Pinion gives it. */
const site = (reads: "pinned" | "latest", slot?: string): Life =>
  secretWith(
    () => [
      {
        kind: "app-service",
        id: "orders",
        resourceId: siteId,
        setting: "DB",
        reads,
        lag: "PT1M",
        ...(slot === undefined ? {} : { slot }),
      },
    ],
    async (bed, url) => {
      const at = slot === undefined ? siteId : `${siteId}/slots/${slot}`;
      const reference = reads === "pinned" ? url : url.replace(/[^/]+$/, "");
      await bed.put(`${at}/config/appsettings`, {
        properties: { DB: `@Microsoft.KeyVault(SecretUri=${reference})`, LOG_LEVEL: "info" },
      });
    },
  );

const hookKey = "the-key-that-signs-calls-to-the-receiver";

function webhook(): Life {
  const hook = { url: "", installed: "" };
  return secretWith(
    ({ uri }) => [
      { kind: "webhook", id: "hook", url: hook.url, key: `${uri}/secrets/hook`, reads: "pinned", lag: "PT1M" },
    ],
    async ({ secrets, clock }, url) => {
      await secrets.setSecret("hook", hookKey);
      hook.installed = url.split("/").at(-1) ?? "";
      const server = createServer((request, reply) => {
        void (async () => {
          let body = "";
          for await (const part of request as AsyncIterable<Buffer>) body += part.toString();
          const { action, version } = JSON.parse(body) as { action: string; version?: string };
          if (!isPinion(hookKey, request.headers, body, clock.now())) return reply.writeHead(401).end();
          if (action === "move") hook.installed = version ?? hook.installed;
          return reply.end(JSON.stringify({ version: hook.installed }));
        })();
      }).listen(0, "127.0.0.1");
      server.unref();
      await new Promise((resolve) => server.once("listening", resolve));
      hook.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/pinion`;
    },
  );
}

interface Holding {
  readonly reads?: "pinned" | "latest";
  readonly disableOld?: true;
  readonly secondaries?: readonly string[];
  readonly also?: (world: Holders, key: string, version: string | undefined) => Promise<unknown>;
}

/** A key that a resource is encrypted with. */
function holder(id: string, { reads = "pinned", disableOld, secondaries, also }: Holding = {}): Life {
  const one = holders.find((holding) => holding.id.endsWith(id));
  if (one === undefined) throw new Error(`There is no ${id}.`);
  const consumer = { kind: one.kind, id: "orders", resourceId: one.id, reads, lag: "PT1M" };
  return {
    object: {
      kind: "key",
      rotator: { kind: "key", strategy: "dual", target: {} },
      ...(reads === "latest" ? { rollback: "reissue" } : {}),
      ...(disableOld === undefined ? {} : { disableOld }),
      consumers: [{ ...consumer, ...(secondaries === undefined ? {} : { secondaries }) }],
    },
    async first(bed, name) {
      const source = await firstKey(bed.world, name, "EC");
      const other = (await bed.keys.createKey("other", "EC")).properties.version ?? "";
      // What has no version is deployed with the other one, where the resource must name one all the same.
      const version = reads === "latest" ? undefined : source;
      const world = { put: bed.put, vaultUrl: bed.uri, other: version === undefined ? source : other };
      bed.azure.keyHolders.clear();
      await also?.(world as unknown as Holders, name, source);
      await one.deploy(world as unknown as Holders, name, version);
      return source;
    },
  };
}

/** Databases with backups, so that for how long they are kept is read. */
const withDatabases =
  (id: string, ...replicas: readonly string[]): NonNullable<Holding["also"]> =>
  async (world, key, version) => {
    for (const replica of replicas) await deployServer(world, replica, key, version);
    for (const at of [id, ...replicas]) {
      await world.put(`${at}/databases/orders`, { properties: {} });
      for (const policy of ["backupShortTermRetentionPolicies", "backupLongTermRetentionPolicies"])
        await world.put(`${at}/databases/orders/${policy}/default`, { properties: { retentionDays: 7 } });
    }
  };

const server = serverId("orders-sql");
const replica = serverId("orders-replica");
const instance = instanceId("orders-mi");
const instanceReplica = instanceId("orders-mi-replica");

/** By kind, and how it is declared. */
export const consumerLives: readonly (readonly [kind: string, form: string, life: () => Life])[] = [
  ["app-service", "pinned", () => site("pinned")],
  ["app-service", "latest", () => site("latest")],
  ["app-service", "a slot, pinned", () => site("pinned", "green")],
  ["app-service", "a slot, latest", () => site("latest", "green")],
  ["webhook", "pinned", webhook],
  ["storage-account", "pinned", () => holder("storageAccounts/orders", { disableOld: true })],
  ["storage-account", "latest", () => holder("storageAccounts/orders", { reads: "latest" })],
  ["sql-tde", "a server, pinned", () => holder("servers/orders-sql")],
  [
    "sql-tde",
    "a server with a replica, pinned, old versions disabled",
    () =>
      holder("servers/orders-sql", { disableOld: true, secondaries: [replica], also: withDatabases(server, replica) }),
  ],
  ["sql-tde", "a server, latest", () => holder("servers/orders-sql", { reads: "latest" })],
  ["sql-tde", "an instance, pinned", () => holder("managedInstances/orders-mi")],
  [
    "sql-tde",
    "an instance with a replica, pinned, old versions disabled",
    () =>
      holder("managedInstances/orders-mi", {
        disableOld: true,
        secondaries: [instanceReplica],
        also: withDatabases(instance, instanceReplica),
      }),
  ],
  ["sql-tde", "an instance, latest", () => holder("managedInstances/orders-mi", { reads: "latest" })],
  ["disk-encryption-set", "pinned", () => holder("diskEncryptionSets/orders-disks")],
  ["disk-encryption-set", "latest", () => holder("diskEncryptionSets/orders-disks", { reads: "latest" })],
  ["cosmos-db", "pinned", () => holder("databaseAccounts/orders-db", { disableOld: true })],
  ["cosmos-db", "latest", () => holder("databaseAccounts/orders-db", { reads: "latest" })],
  ["service-bus", "pinned", () => holder("Microsoft.ServiceBus/namespaces/orders-ns")],
  ["event-hubs", "pinned", () => holder("Microsoft.EventHub/namespaces/orders-ns")],
];
