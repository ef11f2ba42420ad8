import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { setTimeout as pause } from "node:timers/promises";
import { KeyClient } from "@azure/keyvault-keys";
import { startVaults } from "../../local/vault/vaults.ts";
import { type Arm, openArm } from "../../src/azure/arm.ts";
import type { Consumer, ConsumerStep } from "../../src/consumer.ts";
import { findConsumer } from "../../src/consumers/index.ts";
import { PinionError } from "../../src/errors.ts";
import type { ConsumerOf, KeyHolderKind } from "../../src/policy-consumers.ts";
import { app, credentialOf, openCloud } from "../azure/cloud.ts";

const group = "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/rg";
const identity = { type: "UserAssigned", userAssignedIdentities: { [`${group}/providers/x/y`]: {} } };
export type Json = Readonly<Record<string, unknown>>;

/** A key of the vault with two versions, and everything that can be encrypted with it. */
export async function openHolders() {
  const cloud = await openCloud();
  setDefaultCACertificates([...getCACertificates("default"), cloud.tls.ca]);
  let vaultUrl = "";
  const azure = await cloud.start({ vaults: () => ({ "kv-one": vaultUrl }) });
  const { timing } = azure.keyHolders;
  const quick = { operationSeconds: 0, rewrapSeconds: 0.02, autoRotateSeconds: 3600, retryAfterSeconds: 0 };
  Object.assign(timing, quick);
  const vaults = await startVaults({
    clock: cloud.clock,
    tls: cloud.tls,
    stateDir: join(cloud.dir, "vault"),
    vaults: [{ name: "kv-one", resourceId: `${group}/providers/Microsoft.KeyVault/vaults/kv-one` }],
  });
  vaultUrl = vaults.vaults[0]?.url ?? "";
  const keys = new KeyClient(vaultUrl, credentialOf(azure), { disableChallengeResourceVerification: true });
  const make = async (name: string) => (await keys.createKey(name, "RSA")).properties.version ?? "";
  const versions = [await make("cmk"), await make("cmk")] as const;
  const other = await make("other");
  const arm = openArm(azure.url, "https://management.azure.com", credentialOf(azure));
  const signal = AbortSignal.timeout(600_000);
  const apiVersion = "2024-01-01";
  return {
    cloud,
    azure,
    keys,
    arm,
    timing,
    quick,
    versions,
    other,
    vaultUrl,
    baseUrl: `${vaultUrl}/keys/cmk`,
    make,
    /** Deploys a resource as a person or pipeline would. */
    put: (id: string, body: Json) => arm({ method: "PUT", path: id, apiVersion, body, signal }),
    get: async (id: string) => (await arm({ method: "GET", path: id, apiVersion, signal })) as { properties: Json },
    /** Every write that ARM was asked for so far. */
    writes: () =>
      Object.entries(azure.faults.calls()).reduce(
        (sum, [name, count]) => sum + (/\.(put|patch)$/.test(name) ? count : 0),
        0,
      ),
    async close() {
      await vaults.close();
      await cloud.close();
    },
  };
}

export type Holders = Awaited<ReturnType<typeof openHolders>>;

/** One kind in the suite: how its resource is deployed, with a version of the key or (undefined) following the newest. */
export interface Case {
  readonly kind: KeyHolderKind;
  readonly id: string;
  /** What faults are injected by. */
  readonly read: string;
  readonly write: string;
  /** How many writes a move takes. */
  readonly steps: number;
  /** Whether the service tells the version in use, and can follow the newest. */
  readonly tells: boolean;
  deploy(world: Holders, key: string, version: string | undefined): Promise<unknown>;
  /** The resource's properties without what a move, or time, changes. */
  rest(properties: Json): unknown;
}

const without = (given: unknown, ...names: string[]): Json =>
  Object.fromEntries(Object.entries((given ?? {}) as Json).filter(([name]) => !names.includes(name)));

const namespaceCase = (kind: "service-bus" | "event-hubs", provider: string, read: string): Case => ({
  kind,
  id: `${group}/providers/${provider}/namespaces/orders-ns`,
  read: `${read}.get`,
  write: `${read}.patch`,
  tells: false,
  steps: 1,
  deploy: (world, keyName, keyVersion) =>
    world.put(`${group}/providers/${provider}/namespaces/orders-ns`, {
      sku: { name: "Premium" },
      tags: { team: "orders" },
      identity,
      properties: {
        zoneRedundant: true,
        encryption: {
          keySource: "Microsoft.KeyVault",
          requireInfrastructureEncryption: true,
          keyVaultProperties: [
            { keyName: "other", keyVaultUri: world.vaultUrl, keyVersion: world.other },
            {
              keyName,
              keyVaultUri: `${world.vaultUrl}/`,
              ...(keyVersion === undefined ? {} : { keyVersion }),
              identity: { userAssignedIdentity: "u" },
            },
          ],
        },
      },
    }),
  rest: ({ encryption, ...properties }) => {
    const { keyVaultProperties, ...more } = encryption as { keyVaultProperties: unknown[] };
    const [first, second] = keyVaultProperties;
    return { ...properties, more, first, second: without(second, "keyVersion") };
  },
});

const storageId = `${group}/providers/Microsoft.Storage/storageAccounts/orders`;
const disksId = `${group}/providers/Microsoft.Compute/diskEncryptionSets/orders-disks`;
const cosmosId = `${group}/providers/Microsoft.DocumentDB/databaseAccounts/orders-db`;
export const serverId = (name: string) => `${group}/providers/Microsoft.Sql/servers/${name}`;
export const instanceId = (name: string) => `${group}/providers/Microsoft.Sql/managedInstances/${name}`;

/** Deploys a server that knows a version of the key, as its protector too unless it has one of its own. */
export async function deployServer(
  world: Holders,
  id: string,
  key: string,
  version: string | undefined,
  mine = true,
): Promise<void> {
  const { vaultUrl, versions } = world;
  const at = version ?? (key === "cmk" ? versions[0] : world.other);
  const name = `${new URL(vaultUrl).hostname.split(".")[0]}_${key}_${at}`;
  await world.put(id, { location: "westeurope", properties: { version: "12.0" } });
  await settle(() => world.put(`${id}/keys/${name}`, { properties: { uri: `${vaultUrl}/keys/${key}/${at}` } }));
  if (!mine) return;
  const body = { properties: { serverKeyName: name, autoRotationEnabled: version === undefined } };
  await settle(() => world.put(`${id}/encryptionProtector/current`, body));
}

const sqlCase = (id: string): Case => ({
  kind: "sql-tde",
  id,
  read: "sql.encryptionProtector.get",
  write: "sql.encryptionProtector.put",
  tells: true,
  // The key, then the protector.
  steps: 2,
  deploy: (world, key, version) => deployServer(world, id, key, version),
  rest: (properties) => without(properties, "serverKeyName", "uri"),
});

export const cases: readonly Case[] = [
  {
    kind: "storage-account",
    id: storageId,
    read: "storageAccounts.get",
    write: "storageAccounts.patch",
    tells: true,
    steps: 1,
    deploy: (world, keyname, keyversion = "") =>
      world.put(storageId, {
        sku: { name: "Standard_LRS" },
        identity,
        properties: {
          minimumTlsVersion: "TLS1_2",
          encryption: {
            keySource: "Microsoft.Keyvault",
            identity: { userAssignedIdentity: "u" },
            services: { blob: { enabled: true, keyType: "Account" } },
            keyvaultproperties: { keyname, keyvaulturi: world.vaultUrl, keyversion },
          },
        },
      }),
    rest: ({ encryption, ...properties }) => ({ ...properties, more: without(encryption, "keyvaultproperties") }),
  },
  {
    kind: "disk-encryption-set",
    id: disksId,
    read: "diskEncryptionSets.get",
    write: "diskEncryptionSets.patch",
    tells: true,
    steps: 1,
    deploy: (world, key, version) =>
      world.put(disksId, {
        identity,
        properties: {
          encryptionType: "EncryptionAtRestWithCustomerKey",
          rotationToLatestKeyVersionEnabled: version === undefined,
          previousKeys: [],
          activeKey: {
            sourceVault: { id: "vault" },
            keyUrl: `${world.vaultUrl}/keys/${key}/${version ?? (key === "cmk" ? world.versions[0] : world.other)}`,
          },
        },
      }),
    rest: ({ activeKey, ...properties }) => ({
      ...without(properties, "lastKeyRotationTimestamp"),
      vault: without(activeKey, "keyUrl"),
    }),
  },
  {
    kind: "cosmos-db",
    id: cosmosId,
    read: "databaseAccounts.get",
    write: "databaseAccounts.patch",
    tells: true,
    steps: 1,
    deploy: (world, key, version) =>
      world.put(cosmosId, {
        identity,
        tags: { team: "orders" },
        properties: {
          locations: [{ locationName: "West Europe" }],
          keyVaultKeyUri: `${world.vaultUrl}/keys/${key}${version === undefined ? "" : `/${version}`}`,
        },
      }),
    rest: (properties) => without(properties, "keyVaultKeyUri", "keyVaultKeyUriVersion"),
  },
  namespaceCase("service-bus", "Microsoft.ServiceBus", "serviceBusNamespaces"),
  namespaceCase("event-hubs", "Microsoft.EventHub", "eventHubsNamespaces"),
  sqlCase(serverId("orders-sql")),
  sqlCase(instanceId("orders-mi")),
];

const noSecret = () => Promise.reject(new Error("a resource has no secret of its own"));

/** A step of this kind, and the kind's consumer. */
export function bind(
  world: Holders,
  { kind, id }: Pick<Case, "kind" | "id">,
  more: {
    readonly reads?: "pinned" | "latest";
    readonly arm?: Arm;
    readonly signal?: AbortSignal;
    readonly secondaries?: readonly string[];
  } = {},
): { readonly consumer: Consumer; readonly step: ConsumerStep } {
  const { reads = "pinned", arm = world.arm, signal = AbortSignal.timeout(600_000), ...own } = more;
  const consumer = {
    kind,
    id: "orders",
    resourceId: id,
    reads,
    lag: 0,
    owner: "pinion",
    ...own,
  } as ConsumerOf<KeyHolderKind>;
  return {
    consumer: findConsumer(kind),
    step: { consumer, object: { baseUrl: world.baseUrl }, arm, secret: noSecret, now: world.cloud.clock.now, signal },
  };
}

/** Again and again while it is told to come back, as the orchestrator's retries do. */
export async function settle<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof PinionError) || error.class !== "transient" || tries > 200) throw error;
      await pause(20);
    }
  }
}

export { app };
