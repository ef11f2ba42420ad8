// How faults come into a local cloud, and out of it again.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { BlobServiceClient } from "@azure/storage-blob";
import { QueueClient } from "@azure/storage-queue";
import { TableClient } from "@azure/data-tables";
import type { Permission } from "../../../local/azure/rights.ts";
import type { Shown } from "../../../local/azure/shown.ts";
import type { Subscription } from "../../../local/azure/event-grid/subscription.ts";
import { vaultResourceId } from "../../../local/cloud/cloud.ts";
import { appId, evidenceId, storageId, subnetId, systemTopicOf } from "../../../local/cloud/shown.ts";
import { vault } from "../../../local/cloud/scenario.ts";
import type { Level } from "../../../src/doctor/finding.ts";
import { emptyState } from "../../../src/store/records.ts";
import type { ErrorCode } from "../../../src/errors.ts";
import type { Status } from "../../../src/workflow/steps.ts";
import type { Engine } from "../../../src/triggers/engine.ts";
import type { Clinic, Patient } from "../clinic.ts";

/** A fault, how it comes into the cloud and out of it again, and the one finding that has to name it. */
export interface Planted {
  readonly name: string;
  readonly finds: { readonly check: string; readonly level: Level; readonly subject: RegExp; readonly says: RegExp };
  /** Changes the cloud; what it returns changes it back. */
  plant?(clinic: Clinic): Promise<() => unknown> | (() => unknown);
  patient?(clinic: Clinic): Patient;
}

/** In the address of somebody's webhook. */
export const webhookCode = "hush-hush-hush-hush";

export const vaultId = vaultResourceId(vault);
export const topicId = systemTopicOf(vault).id;
export const subscription = `${vault}-to-pinion`;
export const auth = `${appId}/config/authsettingsV2`;
export const host = /^127\.0\.0\.1:\d+$/;

export const pretend = (id: string, change: (shown: Shown) => Shown | undefined) => (clinic: Clinic) => {
  clinic.cloud.azure.pretend(id, change);
  return () => clinic.cloud.azure.pretend(id, undefined);
};
export const withProperties = (id: string, properties: Readonly<Record<string, unknown>>) =>
  pretend(id, (shown) => ({ ...shown, properties: { ...shown.properties, ...properties } }));

/** Replaces the vault's subscription by a changed one. */
export const subscribed = (change: (one: Subscription) => Subscription) => (clinic: Clinic) => {
  const { eventGrid } = clinic.cloud.azure;
  const old = eventGrid.subscriptions().find(({ name }) => name === subscription)!;
  eventGrid.subscribe(change(old));
  return () => eventGrid.subscribe(old);
};
export const without = <K extends keyof Subscription>(one: Subscription, key: K) => {
  const { [key]: _, ...rest } = one;
  return rest;
};
export const tabled = (clinic: Clinic) => {
  const { connectionString } = clinic.cloud.azurite;
  return TableClient.fromConnectionString(connectionString, "PinionRecords", { allowInsecureConnection: true });
};
export const row =
  (partitionKey: string, rowKey: string, fields: Readonly<Record<string, string>>) => async (clinic: Clinic) => {
    await tabled(clinic).upsertEntity({ partitionKey, rowKey, ...fields }, "Replace");
    return () => tabled(clinic).deleteEntity(partitionKey, rowKey);
  };
export const state = (changes: object) =>
  row(`${vault}--secret--orders-db`, "state", { json: JSON.stringify({ ...emptyState, ...changes }) });
export const blobs = ({ cloud }: Clinic) => BlobServiceClient.fromConnectionString(cloud.azurite.connectionString);
export const queue = ({ cloud }: Clinic, name: string) => new QueueClient(cloud.azurite.connectionString, name);
export const noContainer = (name: string) => async (clinic: Clinic) => {
  await blobs(clinic).getContainerClient(name).delete();
  return () => blobs(clinic).getContainerClient(name).createIfNotExists();
};
export const policy = (change: (policy: Clinic["policy"]) => object) => async (clinic: Clinic) => {
  const changed = change(structuredClone(clinic.policy));
  await clinic.cloud.putPolicy(changed);
  clinic.assign(changed);
  return async () => {
    await clinic.cloud.putPolicy(clinic.policy);
    clinic.assign();
  };
};
/** A trust zone around the vault. */
export const zoned = (identity: string) =>
  policy(({ vaults, ...rest }) => ({ ...rest, vaults: { orders: { ...vaults.orders, identity } } }));
export const idle = { running: async () => undefined } as unknown as Engine;
export const hostJson =
  (durableTask: object) =>
  (clinic: Clinic): Patient => {
    writeFileSync(join(clinic.dir, "host.json"), JSON.stringify({ version: "2.0", extensions: { durableTask } }));
    return { folder: clinic.dir };
  };
/** As in Azure: callers are people with Entra roles. */
export const entra = {
  WEBSITE_AUTH_ENABLED: "true",
  PINION_COMMAND_AUTHORITY: "entra",
  PINION_RESOURCE_MANAGER_AUDIENCE: "https://management.azure.com",
};
export const shut = { publicNetworkAccess: "Disabled" };
export const endpoint = (status: string) => [{ properties: { privateLinkServiceConnectionState: { status } } }];
/** As in a private network: everything is shut to the public, has its endpoint, and the app its subnet. */
export const privately = (clinic: Clinic) => [
  ...[vaultId, storageId].map((id) =>
    withProperties(id, {
      ...shut,
      networkAcls: { defaultAction: "Deny", bypass: "AzureServices" },
      immutableStorageWithVersioning: undefined,
      privateEndpointConnections: endpoint("Approved"),
    })(clinic),
  ),
  withProperties(evidenceId, {
    immutabilityPolicy: { properties: { state: "Unlocked", immutabilityPeriodSinceCreationInDays: 365 } },
  })(clinic),
  withProperties(appId, { virtualNetworkSubnetId: subnetId })(clinic),
];
interface Stand {
  readonly step: Status["step"];
  /** Minutes from now. */
  readonly since: number;
  readonly until?: number;
  readonly code?: ErrorCode;
}
/** An engine that runs rotation r-1, which stands there. */
export const running = ({ cloud }: Clinic, { step, since, until, code }: Stand): Patient => {
  const at = (minutes: number) => new Date(cloud.clock.now() + minutes * 60_000).toISOString();
  const status: Status = {
    rotationId: "r-1",
    step,
    since: at(since),
    timeline: [],
    ...(until !== undefined && { until: at(until) }),
    ...(code !== undefined && { fault: { code, message: "It failed.", class: "transient" } }),
  };
  return { engine: { running: async () => status } as unknown as Engine };
};
export const never = async () => Promise.reject(new Error("no engine"));

/** Takes some actions from every role. */
export const limited =
  (without: Partial<Permission>) =>
  ({ assign }: Clinic) => {
    assign(undefined, (one) => ({ ...one, ...without }));
    return () => assign();
  };
