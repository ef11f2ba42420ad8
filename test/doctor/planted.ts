import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { BlobServiceClient } from "@azure/storage-blob";
import { QueueClient } from "@azure/storage-queue";
import { TableClient } from "@azure/data-tables";
import type { Permission } from "../../local/azure/rights.ts";
import type { Shown } from "../../local/azure/shown.ts";
import type { Subscription } from "../../local/azure/event-grid/subscription.ts";
import { eventsQueue, identities, vaultResourceId } from "../../local/cloud/cloud.ts";
import { appId, storageId, subnetId, systemTopicOf } from "../../local/cloud/shown.ts";
import { vault } from "../../local/cloud/scenario.ts";
import type { Level } from "../../src/doctor/finding.ts";
import { emptyState } from "../../src/store/records.ts";
import type { Engine } from "../../src/triggers/engine.ts";
import type { Clinic, Patient } from "./clinic.ts";

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

const vaultId = vaultResourceId(vault);
const topicId = systemTopicOf(vault).id;
const subscription = `${vault}-to-pinion`;
const auth = `${appId}/config/authsettingsV2`;
const host = /^127\.0\.0\.1:\d+$/;

const pretend = (id: string, change: (shown: Shown) => Shown | undefined) => (clinic: Clinic) => {
  clinic.cloud.azure.pretend(id, change);
  return () => clinic.cloud.azure.pretend(id, undefined);
};
const withProperties = (id: string, properties: Readonly<Record<string, unknown>>) =>
  pretend(id, (shown) => ({ ...shown, properties: { ...shown.properties, ...properties } }));

/** Replaces the vault's subscription by a changed one. */
const subscribed = (change: (one: Subscription) => Subscription) => (clinic: Clinic) => {
  const { eventGrid } = clinic.cloud.azure;
  const old = eventGrid.subscriptions().find(({ name }) => name === subscription)!;
  eventGrid.subscribe(change(old));
  return () => eventGrid.subscribe(old);
};
const without = <K extends keyof Subscription>(one: Subscription, key: K) => {
  const { [key]: _, ...rest } = one;
  return rest;
};
const tabled = (clinic: Clinic) => {
  const { connectionString } = clinic.cloud.azurite;
  return TableClient.fromConnectionString(connectionString, "PinionRecords", { allowInsecureConnection: true });
};
const row =
  (partitionKey: string, rowKey: string, fields: Readonly<Record<string, string>>) => async (clinic: Clinic) => {
    await tabled(clinic).upsertEntity({ partitionKey, rowKey, ...fields }, "Replace");
    return () => tabled(clinic).deleteEntity(partitionKey, rowKey);
  };
const state = (changes: object) =>
  row(`${vault}--secret--orders-db`, "state", { json: JSON.stringify({ ...emptyState, ...changes }) });
const blobs = ({ cloud }: Clinic) => BlobServiceClient.fromConnectionString(cloud.azurite.connectionString);
const queue = ({ cloud }: Clinic, name: string) => new QueueClient(cloud.azurite.connectionString, name);
const noContainer = (name: string) => async (clinic: Clinic) => {
  await blobs(clinic).getContainerClient(name).delete();
  return () => blobs(clinic).getContainerClient(name).createIfNotExists();
};
const policy = (change: (policy: Clinic["policy"]) => object) => async (clinic: Clinic) => {
  await clinic.cloud.putPolicy(change(structuredClone(clinic.policy)));
  return () => clinic.cloud.putPolicy(clinic.policy);
};
/** A trust zone around the vault. */
export const zoned = (identity: string) =>
  policy(({ vaults, ...rest }) => ({ ...rest, vaults: { orders: { ...vaults.orders, identity } } }));
const idle = { running: async () => undefined } as unknown as Engine;
const hostJson =
  (durableTask: object) =>
  (clinic: Clinic): Patient => {
    writeFileSync(join(clinic.dir, "host.json"), JSON.stringify({ version: "2.0", extensions: { durableTask } }));
    return { folder: clinic.dir };
  };
/** As in Azure: callers are people with Entra roles. */
const entra = {
  WEBSITE_AUTH_ENABLED: "true",
  PINION_COMMAND_AUTHORITY: "entra",
  PINION_RESOURCE_MANAGER_AUDIENCE: "https://management.azure.com",
};
const shut = { publicNetworkAccess: "Disabled" };
const endpoint = (status: string) => [{ properties: { privateLinkServiceConnectionState: { status } } }];
const never = async () => Promise.reject(new Error("no engine"));

/** Takes some actions from the app. */
const limited =
  (without: Partial<Permission>) =>
  ({ cloud }: Clinic) => {
    const all = { actions: ["*"], notActions: [], dataActions: ["*"], notDataActions: [] };
    cloud.azure.rights.limit(identities.app.objectId, [{ ...all, ...without }]);
    return () => cloud.azure.rights.limit(identities.app.objectId, undefined);
  };

export const planted: readonly Planted[] = [
  {
    name: "a schedule that is none",
    patient: () => ({ env: { PINION_SWEEP_SCHEDULE: "daily" } }),
    finds: { check: "settings", level: "fault", subject: /^PINION_SWEEP_SCHEDULE$/, says: /six fields/ },
  },
  {
    name: "no storage at all",
    patient: () => ({ env: { AzureWebJobsStorage: undefined } }),
    finds: { check: "settings", level: "fault", subject: /^AzureWebJobsStorage$/, says: /it is missing/ },
  },
  {
    name: "a setting that is misspelt",
    patient: () => ({ env: { PINION_POLCY: "rotations.json" } }),
    finds: { check: "settings", level: "warning", subject: /^PINION_POLCY$/, says: /nothing reads/ },
  },
  {
    name: "an account key in the settings",
    patient: ({ cloud, settings }) => ({
      env: {
        PINION_STORAGE: settings["AzureWebJobsStorage"],
        AzureWebJobsStorage: cloud.azurite.connectionString.replace(
          cloud.azurite.tableUrl,
          "https://contoso.table.core.windows.net",
        ),
      },
    }),
    finds: { check: "settings", level: "fault", subject: /^AzureWebJobsStorage$/, says: /account key/ },
  },
  {
    name: "an identity that the app does not have",
    patient: () => ({ env: { AZURE_CLIENT_ID: "99999999-0000-4000-8000-000000000001" } }),
    finds: { check: "identity", level: "fault", subject: /^99999999-/, says: /gets no token/ },
  },
  {
    name: "an identity of a trust zone that the app does not have",
    plant: zoned("99999999-0000-4000-8000-000000000002"),
    finds: { check: "identity", level: "fault", subject: /^99999999-/, says: /gets no token/ },
  },
  {
    name: "a policy that is not where the settings say",
    patient: ({ cloud }) => ({ env: { PINION_POLICY: `${cloud.azurite.blobUrl}/pinion-policy/other.json` } }),
    finds: { check: "policy", level: "fault", subject: /^policy$/, says: /could not be read/ },
  },
  {
    name: "a fault in one object of the policy",
    plant: policy(({ objects: [first, second], ...rest }) => ({
      ...rest,
      objects: [first, { ...second!, grace: "an hour" }],
    })),
    finds: { check: "policy", level: "fault", subject: /^reports-db$/, says: /objects\[1\]\.grace/ },
  },
  {
    name: "the kill switch",
    patient: () => ({ env: { PINION_STOP: "true" } }),
    finds: { check: "mode", level: "warning", subject: /^PINION_STOP$/, says: /no rotation starts/ },
  },
  {
    name: "an app that only observes",
    patient: () => ({ env: { PINION_OBSERVE: "true" } }),
    finds: { check: "mode", level: "warning", subject: /^PINION_OBSERVE$/, says: /only observed/ },
  },
  {
    name: "observe mode",
    plant: policy((given) => ({ ...given, mode: "observe" })),
    finds: { check: "mode", level: "warning", subject: /^every object$/, says: /only observed/ },
  },
  {
    name: "an object in quarantine",
    plant: state({ quarantined: true, attempts: 5, code: "TARGET_UNREACHABLE" }),
    finds: {
      check: "fleet",
      level: "warning",
      subject: /orders-db$/,
      says: /quarantined after 5 failures \(TARGET_UNREACHABLE\)/,
    },
  },
  {
    name: "an open breaker",
    plant: row("fleet", "fleet", {
      json: JSON.stringify({
        active: {},
        day: "",
        started: 0,
        failures: { [`vault:${vault}`]: { count: 3, last: "r" } },
      }),
    }),
    finds: { check: "fleet", level: "warning", subject: /^vault:kv-/, says: /breaker is open after 3/ },
  },
  {
    name: "a vault's firewall",
    plant({ cloud }) {
      const network = { publicNetworkAccess: "Enabled", defaultAction: "Deny", ipRules: [] } as const;
      cloud.vaults.control.set({ network });
      return () => cloud.vaults.control.set({ network: undefined });
    },
    finds: { check: "vault", level: "fault", subject: host, says: /shut by its firewall/ },
  },
  {
    name: "a vault that is reached past its private endpoint",
    plant(clinic) {
      const network = { publicNetworkAccess: "Disabled", defaultAction: "Deny", ipRules: [] } as const;
      clinic.cloud.vaults.control.set({ network });
      const back = withProperties(vaultId, { ...shut, privateEndpointConnections: endpoint("Approved") })(clinic);
      return () => {
        back();
        clinic.cloud.vaults.control.set({ network: undefined });
      };
    },
    finds: { check: "vault", level: "fault", subject: host, says: /no call from the public network/ },
  },
  {
    name: "a vault that does not answer",
    plant({ cloud }) {
      cloud.vaults.control.addFault({ operation: "secret.*", rate: 1, kind: "reset" });
      return () => cloud.vaults.control.clearFaults();
    },
    finds: { check: "vault", level: "fault", subject: host, says: /did not answer/ },
  },
  {
    name: "a vault that goes by access policies",
    plant({ cloud }) {
      const all = { secrets: ["all"], keys: ["all"], certificates: ["all"] };
      cloud.vaults.control.setAccessPolicies(vault, { [identities.app.objectId]: all });
      return () => cloud.vaults.control.setAccessPolicies(vault, undefined);
    },
    finds: { check: "vault-properties", level: "warning", subject: host, says: /access policies/ },
  },
  {
    name: "a vault without purge protection",
    plant: withProperties(vaultId, { enablePurgeProtection: undefined }),
    finds: { check: "vault-properties", level: "warning", subject: host, says: /no purge protection/ },
  },
  {
    name: "a vault that is not in its resource group",
    plant: pretend(vaultId, () => undefined),
    finds: { check: "vault-properties", level: "fault", subject: host, says: /is not known as kv-/ },
  },
  {
    name: "a resource id of another vault",
    plant: withProperties(vaultId, { vaultUri: "https://kv-contoso-other-dev.vault.azure.net/" }),
    finds: { check: "vault-properties", level: "fault", subject: host, says: /is another vault than/ },
  },
  {
    name: "an object that is soft-deleted",
    async plant({ cloud }) {
      const secrets = cloud.secrets(vault);
      await (await secrets.beginDeleteSecret("reports-db", { intervalInMs: 20 })).pollUntilDone();
      return async () => (await secrets.beginRecoverDeletedSecret("reports-db", { intervalInMs: 20 })).pollUntilDone();
    },
    finds: { check: "objects", level: "fault", subject: /^reports-db$/, says: /soft-deleted/ },
  },
  {
    name: "an object that never was",
    plant: policy(({ objects: [first, second], ...rest }) => ({
      ...rest,
      objects: [first, { ...second, name: "reports-database" }],
    })),
    finds: { check: "objects", level: "fault", subject: /^reports-db$/, says: /there is no secret reports-database/ },
  },
  {
    name: "an object whose newest version is disabled",
    async plant({ cloud }) {
      const secrets = cloud.secrets(vault);
      const { properties } = await secrets.getSecret("reports-db");
      const enable = (enabled: boolean) =>
        secrets.updateSecretProperties("reports-db", properties.version!, { enabled });
      await enable(false);
      return () => enable(true);
    },
    finds: { check: "objects", level: "fault", subject: /^reports-db$/, says: /is disabled/ },
  },
  {
    name: "an object without an expiry",
    async plant({ cloud }) {
      const secrets = cloud.secrets(vault);
      const { value = "", properties } = await secrets.getSecret("reports-db");
      const { contentType = "", expiresOn } = properties;
      await secrets.setSecret("reports-db", value, { contentType });
      return () => secrets.setSecret("reports-db", value, { contentType, expiresOn: expiresOn! });
    },
    finds: { check: "objects", level: "warning", subject: /^reports-db$/, says: /no expiry/ },
  },
  {
    name: "a vault that lets the app list nothing",
    plant({ cloud }) {
      const { access } = cloud.vaults.control;
      const held = access!
        .assignments()
        .filter(
          ({ principalId, role }) => principalId === identities.app.objectId && role === "Key Vault Secrets Officer",
        );
      for (const { id } of held) access!.unassign(id);
      return () => access!.ensure(held);
    },
    finds: { check: "objects", level: "fault", subject: /^(orders|reports)-db$/, says: /may not be listed/ },
  },
  {
    name: "a role that lacks at one kind of place",
    plant: limited({ notDataActions: ["Microsoft.KeyVault/vaults/secrets/setSecret/action"] }),
    finds: {
      check: "rights",
      level: "fault",
      subject: /^((orders|reports)-db|its staging secret)/,
      says: /^lacks Microsoft\.KeyVault\/vaults\/secrets\/setSecret\/action$/,
    },
  },
  {
    name: "a role that lacks at the consumers",
    plant: limited({ notActions: ["Microsoft.Web/sites/config/write"] }),
    finds: {
      check: "rights",
      level: "fault",
      subject: /^(orders|reports)-api$/,
      says: /^lacks Microsoft\.Web\/sites\/config\/write$/,
    },
  },
  {
    name: "a clock that is off",
    patient: ({ cloud }) => ({ now: () => cloud.clock.now() + 10 * 60_000 }),
    finds: {
      check: "clock",
      level: "fault",
      subject: /^clock$/,
      says: /60\d s ahead of .* and 60\d s ahead of storage/,
    },
  },
  {
    name: "a vault without a system topic",
    plant: pretend(topicId, () => undefined),
    finds: { check: "event-topic", level: "fault", subject: host, says: /no system topic/ },
  },
  {
    name: "a system topic that failed",
    plant: withProperties(topicId, { provisioningState: "Failed" }),
    finds: { check: "event-topic", level: "fault", subject: host, says: /which is Failed/ },
  },
  {
    name: "a system topic of somebody else",
    plant: subscribed((one) => ({
      ...one,
      destination: { type: "webhook", url: `https://audit.contoso.com/events?code=${webhookCode}` },
    })),
    finds: {
      check: "event-subscription",
      level: "fault",
      subject: host,
      says: /has no subscription for queue pinion-events/,
    },
  },
  {
    name: "a subscription to another queue",
    plant: subscribed((one) => ({
      ...one,
      destination: {
        ...(one.destination as { connectionString: string }),
        type: "storageQueue",
        queue: "pinion-event",
      },
    })),
    finds: {
      check: "event-subscription",
      level: "fault",
      subject: host,
      says: /delivers to queue pinion-event of devstoreaccount1, and the app reads/,
    },
  },
  {
    name: "a subscription whose deployment failed",
    plant: withProperties(`${topicId}/eventSubscriptions/${subscription}`, { provisioningState: "Failed" }),
    finds: { check: "event-subscription", level: "fault", subject: host, says: /is Failed/ },
  },
  {
    name: "a subscription that leaves types out",
    plant: subscribed(({ filters, ...one }) => ({
      ...one,
      filters: {
        ...filters,
        includedEventTypes: filters!.includedEventTypes!.filter((type) => !type.includes("Expired")),
      },
    })),
    finds: {
      check: "event-subscription",
      level: "fault",
      subject: host,
      says: /leaves out SecretExpired, CertificateExpired, KeyExpired/,
    },
  },
  {
    name: "a subscription that filters objects out",
    plant: subscribed((one) => ({ ...one, filters: { ...one.filters, subjectBeginsWith: "reports" } })),
    finds: { check: "event-subscription", level: "fault", subject: host, says: /filters out orders-db$/ },
  },
  {
    name: "a subscription without dead letters",
    plant: subscribed((one) => without(one, "deadLetter")),
    finds: { check: "event-subscription", level: "warning", subject: host, says: /no dead-letter container/ },
  },
  {
    name: "a subscription that delivers with a key",
    plant: subscribed((one) => without(one, "identity")),
    finds: { check: "event-subscription", level: "fault", subject: host, says: /delivers with the account's key/ },
  },
  {
    name: "a topic that lost its identity",
    plant: pretend(topicId, (shown) => ({ ...shown, identity: { type: "None" } })),
    finds: { check: "event-subscription", level: "fault", subject: host, says: /which has no identity/ },
  },
  {
    name: "a storage firewall without the trusted services",
    plant: withProperties(storageId, { networkAcls: { defaultAction: "Deny", bypass: "None" } }),
    finds: { check: "event-subscription", level: "fault", subject: /^devstoreaccount1$/, says: /keeps Event Grid out/ },
  },
  {
    name: "no queue",
    async plant(clinic) {
      await queue(clinic, eventsQueue).delete();
      return () => queue(clinic, eventsQueue).createIfNotExists();
    },
    finds: {
      check: "event-queue",
      level: "fault",
      subject: /^pinion-events of devstoreaccount1$/,
      says: /does not exist/,
    },
  },
  {
    name: "a poisoned event",
    async plant(clinic) {
      await queue(clinic, `${eventsQueue}-poison`).createIfNotExists();
      await queue(clinic, `${eventsQueue}-poison`).sendMessage("e30=");
      return () => queue(clinic, `${eventsQueue}-poison`).delete();
    },
    finds: { check: "event-queue", level: "warning", subject: /^pinion-events-poison$/, says: /holds 1 events/ },
  },
  {
    name: "a dead letter",
    async plant(clinic) {
      const blob = blobs(clinic).getContainerClient("dead-letters").getBlockBlobClient("A/1.json");
      await blob.upload("[]", 2);
      return () => blob.delete();
    },
    finds: {
      check: "event-queue",
      level: "warning",
      subject: /^dead-letters$/,
      says: /holds 1 events that Event Grid gave up/,
    },
  },
  {
    name: "a topic for our events that is not there",
    patient: ({ cloud }) => ({ env: { PINION_TOPIC_ENDPOINT: cloud.azure.topicEndpoint("rotations") } }),
    finds: { check: "event-publishing", level: "fault", subject: host, says: /knows no such topic/ },
  },
  {
    name: "no table",
    async plant(clinic) {
      await tabled(clinic).deleteTable();
      return () => tabled(clinic).createTable();
    },
    finds: { check: "storage", level: "fault", subject: /^table PinionRecords$/, says: /is not in devstoreaccount1/ },
  },
  {
    name: "no container of leases",
    plant: noContainer("pinion-leases"),
    finds: {
      check: "storage",
      level: "fault",
      subject: /^container pinion-leases$/,
      says: /is not in devstoreaccount1/,
    },
  },
  {
    name: "shared keys",
    plant: withProperties(storageId, { allowSharedKeyAccess: true }),
    finds: { check: "storage-account", level: "fault", subject: /^devstoreaccount1$/, says: /takes account keys/ },
  },
  {
    name: "public blobs",
    plant: withProperties(storageId, { allowBlobPublicAccess: true }),
    finds: { check: "storage-account", level: "warning", subject: /^devstoreaccount1$/, says: /be public/ },
  },
  {
    name: "no container of evidence",
    plant: noContainer("pinion-evidence"),
    finds: {
      check: "evidence",
      level: "fault",
      subject: /^container pinion-evidence$/,
      says: /is not in devstoreaccount1/,
    },
  },
  {
    name: "evidence that can be deleted",
    plant: withProperties(storageId, { immutableStorageWithVersioning: undefined }),
    finds: {
      check: "evidence",
      level: "warning",
      subject: /^container pinion-evidence$/,
      says: /no immutability policy/,
    },
  },
  {
    name: "storage that is shut without a private endpoint",
    plant: withProperties(storageId, shut),
    finds: { check: "private-endpoint", level: "fault", subject: /^devstoreaccount1$/, says: /no private endpoint/ },
  },
  {
    name: "a private endpoint that nobody approved",
    plant: withProperties(vaultId, { ...shut, privateEndpointConnections: endpoint("Pending") }),
    finds: { check: "private-endpoint", level: "fault", subject: host, says: /is Pending/ },
  },
  {
    name: "a vault's name that leads to the public",
    plant: withProperties(vaultId, { ...shut, privateEndpointConnections: endpoint("Approved") }),
    patient: () => ({ addresses: async () => ["20.61.99.68"] }),
    finds: { check: "private-dns", level: "fault", subject: /^127\.0\.0\.1$/, says: /public address 20\.61\.99\.68/ },
  },
  {
    name: "a vault's name that leads nowhere",
    plant: withProperties(vaultId, { ...shut, privateEndpointConnections: endpoint("Approved") }),
    patient: () => ({ addresses: async () => Promise.reject(Object.assign(new Error("no"), { code: "ENOTFOUND" })) }),
    finds: { check: "private-dns", level: "fault", subject: /^127\.0\.0\.1$/, says: /does not resolve \(ENOTFOUND\)/ },
  },
  {
    name: "a subnet that is delegated to another plan",
    plant(clinic) {
      const backs = [
        withProperties(appId, { virtualNetworkSubnetId: subnetId })(clinic),
        withProperties(subnetId, { delegations: [{ properties: { serviceName: "Microsoft.Web/serverFarms" } }] })(
          clinic,
        ),
      ];
      return () => backs.forEach((back) => back());
    },
    finds: { check: "subnet", level: "fault", subject: /^app$/, says: /delegated to Microsoft\.Web\/serverFarms/ },
  },
  {
    name: "no authentication",
    plant: withProperties(auth, { platform: { enabled: false } }),
    patient: () => ({ env: { ...entra, WEBSITE_AUTH_ENABLED: undefined } }),
    finds: { check: "authentication", level: "fault", subject: /function app/, says: /no App Service authentication/ },
  },
  {
    name: "authentication that the app does not know of",
    patient: () => ({ env: { ...entra, WEBSITE_AUTH_ENABLED: undefined } }),
    finds: { check: "authentication", level: "fault", subject: /function app/, says: /the app does not know it/ },
  },
  {
    name: "authentication that lets strangers through",
    plant: withProperties(auth, {
      globalValidation: { requireAuthentication: false, unauthenticatedClientAction: "AllowAnonymous" },
    }),
    patient: () => ({ env: entra }),
    finds: { check: "authentication", level: "fault", subject: /function app/, says: /without authentication/ },
  },
  {
    name: "too many excluded paths",
    plant: withProperties(auth, {
      globalValidation: {
        requireAuthentication: true,
        unauthenticatedClientAction: "Return401",
        excludedPaths: ["/api/jwks/*", "/api/*"],
      },
    }),
    patient: () => ({ env: entra }),
    finds: { check: "authentication", level: "fault", subject: /function app/, says: /excludes \/api\/\* from/ },
  },
  {
    name: "no default version",
    patient: hostJson({ hubName: "PinionHub" }),
    finds: { check: "durable", level: "fault", subject: /^host\.json$/, says: /no defaultVersion/ },
  },
  {
    name: "a task hub whose name is nowhere",
    patient: hostJson({ hubName: "%TASKHUB_NAME%", defaultVersion: "1.0" }),
    finds: {
      check: "durable",
      level: "fault",
      subject: /^host\.json$/,
      says: /%TASKHUB_NAME%, and there is no such setting/,
    },
  },
  {
    name: "inputs in traces",
    patient: hostJson({ hubName: "PinionHub", defaultVersion: "1.0", tracing: { traceInputsAndOutputs: true } }),
    finds: { check: "durable", level: "warning", subject: /^host\.json$/, says: /into traces/ },
  },
  {
    name: "a scheduler that nobody named",
    patient: hostJson({ hubName: "PinionHub", defaultVersion: "1.0", storageProvider: { type: "azureManaged" } }),
    finds: {
      check: "durable",
      level: "fault",
      subject: /^DURABLE_TASK_SCHEDULER_CONNECTION_STRING$/,
      says: /names no endpoint/,
    },
  },
  {
    name: "an engine that does not answer",
    patient: () => ({ engine: { running: never } as unknown as Engine }),
    finds: { check: "durable", level: "fault", subject: /^the durable engine$/, says: /does not answer/ },
  },
  {
    name: "a rotation that nothing runs",
    plant: state({ phase: "running", rotationId: "r-1" }),
    patient: () => ({ engine: idle }),
    finds: {
      check: "stuck",
      level: "fault",
      subject: /orders-db$/,
      says: /rotation r-1 is running by its record, and nothing runs it/,
    },
  },
  {
    name: "a sweep that does not come",
    plant: (clinic) =>
      row("fleet", "sweep", { at: new Date(clinic.cloud.clock.now() - 3 * 3_600_000).toISOString() })(clinic),
    finds: { check: "sweep", level: "fault", subject: /^sweep$/, says: /was due .* and last ran/ },
  },
  // What follows leaves its trace in the day's figures or moves the clock, so it comes last.
  {
    name: "an event that nobody takes",
    async plant(clinic) {
      await queue(clinic, eventsQueue).sendMessage("e30=");
      clinic.cloud.clock.advance(20 * 60_000);
      return () => queue(clinic, eventsQueue).clearMessages();
    },
    finds: {
      check: "event-queue",
      level: "fault",
      subject: /^pinion-events of devstoreaccount1$/,
      says: /waited there for 20 minutes/,
    },
  },
  {
    name: "an event that is not delivered",
    async plant(clinic) {
      const back = subscribed(({ destination, ...one }) => ({
        ...one,
        destination: { ...destination, type: "storageQueue", queue: eventsQueue, connectionString: nowhere(clinic) },
      }))(clinic);
      tell(clinic);
      await until(() => clinic.cloud.azure.eventGrid.log().some(({ outcome }) => outcome === "GenericError"));
      return async () => {
        back();
        clinic.cloud.azure.eventGrid.setTimeFactor(0);
        clinic.cloud.clock.advance(60_000);
        await until(() => clinic.cloud.azure.eventGrid.pending() === 0);
        await queue(clinic, eventsQueue).clearMessages();
      };
    },
    finds: {
      check: "event-delivery",
      level: "fault",
      subject: host,
      says: /failed 1 times in 24 hours and delivered nothing/,
    },
  },
  {
    name: "an event that was dropped",
    async plant(clinic) {
      clinic.cloud.azure.eventGrid.control({ lose: 1 });
      tell(clinic);
      return () => undefined;
    },
    finds: { check: "event-delivery", level: "warning", subject: host, says: /gave up 1 events/ },
  },
];

const nowhere = ({ cloud }: Clinic) =>
  cloud.azurite.connectionString.replace(cloud.azurite.queueUrl, "http://127.0.0.1:1/devstoreaccount1");

function tell({ cloud }: Clinic): void {
  cloud.azure.eventGrid.publishVaultEvent({
    type: "Microsoft.KeyVault.SecretNearExpiry",
    vaultName: vault,
    resourceId: vaultId,
    objectName: "orders-db",
    version: "0".repeat(32),
    id: `${cloud.vaultUrl(vault)}/secrets/orders-db/${"0".repeat(32)}`,
    time: new Date(cloud.clock.now()).toISOString(),
  });
}

async function until(done: () => boolean): Promise<void> {
  for (let tries = 0; !done() && tries < 400; tries += 1) await new Promise((resolve) => void setTimeout(resolve, 25));
  if (!done()) throw new Error("it did not come to pass");
}
