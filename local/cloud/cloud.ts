import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BlobServiceClient } from "@azure/storage-blob";
import { QueueServiceClient } from "@azure/storage-queue";
import { CertificateClient } from "@azure/keyvault-certificates";
import { KeyClient } from "@azure/keyvault-keys";
import { SecretClient } from "@azure/keyvault-secrets";
import { startAzure } from "../azure/server.ts";
import type { Azure, AzureOptions } from "../azure/server.ts";
import type { Filters } from "../azure/event-grid/event.ts";
import { providers, resourceGroup, subscriptionId } from "./names.ts";
import { takeFolder } from "./only-one.ts";
import { requirePorts } from "./ports.ts";
import { shownResources, storageId, systemTopicOf } from "./shown.ts";
import { vaultAccess } from "../azure/vault-access.ts";
import { startAzurite } from "../azurite.ts";
import type { Azurite } from "../azurite.ts";
import { openClock } from "../clock.ts";
import type { MovableClock } from "../clock.ts";
import { startPostgres } from "../targets/postgres.ts";
import type { PostgresServer } from "../targets/postgres.ts";
import { ensureTls } from "../tls.ts";
import type { Tls } from "../tls.ts";
import { createAccess } from "../vault/access.ts";
import { startVaults } from "../vault/vaults.ts";
import type { Vaults } from "../vault/vaults.ts";

export const tenantId = "11111111-1111-4111-8111-111111111111";
export { resourceGroup, subscriptionId };
export const topicName = "pinion";
export const eventsQueue = "pinion-events";

/** The identities of the local cloud: the app's, one of a trust zone, the site's, and the one that seeds and plays the people. */
export const identities = {
  app: { clientId: "aaaaaaaa-0000-4000-8000-000000000001", objectId: "aaaaaaaa-0000-4000-8000-000000000002" },
  zone: { clientId: "dddddddd-0000-4000-8000-000000000001", objectId: "dddddddd-0000-4000-8000-000000000002" },
  site: { clientId: "bbbbbbbb-0000-4000-8000-000000000001", objectId: "bbbbbbbb-0000-4000-8000-000000000002" },
  person: { clientId: "cccccccc-0000-4000-8000-000000000001", objectId: "cccccccc-0000-4000-8000-000000000002" },
} as const;

export const vaultResourceId = (name: string): string => `${providers}/Microsoft.KeyVault/vaults/${name}`;
export const siteResourceId = (name: string): string => `${providers}/Microsoft.Web/sites/${name}`;

/** What the identities hold at a vault: the app, and its zone, write secrets and certificates and rotate keys, a site reads secrets, people do all. */
const rolesAt = (vault: string) => {
  const scope = vaultResourceId(vault);
  const officers = ["Key Vault Secrets Officer", "Key Vault Certificates Officer", "Key Vault Crypto Officer"];
  return [
    ...[identities.app, identities.zone].flatMap(({ objectId }) =>
      officers.map((role) => ({ principalId: objectId, role, scope })),
    ),
    { principalId: identities.site.objectId, role: "Key Vault Secrets User", scope },
    { principalId: identities.person.objectId, role: "Key Vault Administrator", scope },
  ];
};

/** What the app is told of: the filter that infra/onboard.bicep sets. */
const eventFilter = JSON.parse(readFileSync(new URL("../../infra/events.json", import.meta.url), "utf8")) as Required<
  Pick<Filters, "includedEventTypes" | "advancedFilters">
>;

export interface CloudOptions extends Pick<
  AzureOptions,
  "onStart" | "restartLagSeconds" | "cacheSeconds" | "timeFactor" | "dnsZones"
> {
  /** Folder of everything that outlives the processes. */
  readonly dir: string;
  readonly vaults: readonly string[];
  /** Site names with the settings they begin with. */
  readonly sites: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Deliver events to a webhook (its URL) instead of the storage queue. */
  readonly webhook?: string;
  /** Told of each part as it comes up. */
  readonly progress?: (part: string) => void;
}

/** The local cloud: all of it but the Functions host. */
export interface Cloud {
  readonly dir: string;
  readonly clock: MovableClock;
  readonly clockFile: string;
  readonly tls: Tls;
  readonly azurite: Azurite;
  readonly vaults: Vaults;
  readonly azure: Azure;
  readonly postgres: PostgresServer;
  /** Clients as a person with rights on the vault would have, or, of secrets, a site's own identity. */
  secrets(vault: string, who?: "person" | "site"): SecretClient;
  keys(vault: string): KeyClient;
  certificates(vault: string): CertificateClient;
  vaultUrl(vault: string): string;
  /** Puts the policy where the app's settings say it is. */
  putPolicy(policy: unknown): Promise<void>;
  readonly policyUrl: string;
  stop(): Promise<void>;
}

/** Starts the local cloud on 127.0.0.1; a second start on the same folder goes on where the first ended, and is refused before that. */
export async function startCloud(options: CloudOptions): Promise<Cloud> {
  const { dir, progress = () => undefined } = options;
  mkdirSync(dir, { recursive: true });
  const letGo = await takeFolder(dir);
  await requirePorts(dir);
  const clockFile = join(dir, "clock");
  const first = !existsSync(clockFile);
  const clock = openClock(clockFile);
  const told = async <T>(part: string, starting: Promise<T>): Promise<T> => {
    const started = await starting;
    progress(part);
    return started;
  };
  const [tls, azurite, postgres] = await Promise.all([
    ensureTls(join(dir, "tls"), clock),
    told("storage", startAzurite({ dir: join(dir, "azurite"), clockFile })),
    told("PostgreSQL", startPostgres({ dir: join(dir, "postgres") })),
  ]);
  const azure: Azure = await told(
    "Azure",
    startAzure({
      ...options,
      stateDir: join(dir, "azure"),
      clock,
      tls,
      tenantId,
      identities: [{ ...identities.app, systemAssigned: true }, identities.zone, identities.site],
      topics: [{ name: topicName, inputSchema: "CloudEventSchemaV1_0" }],
      subscriptions: options.vaults.map((vault) => ({
        name: `${vault}-to-pinion`,
        topic: vault,
        schema: "EventGridSchema",
        identity: "SystemAssigned",
        destination:
          options.webhook === undefined
            ? { type: "storageQueue", connectionString: azurite.connectionString, queue: eventsQueue }
            : { type: "webhook", url: options.webhook },
        filters: eventFilter,
        deadLetter: { connectionString: azurite.connectionString, container: "dead-letters" },
      })),
      systemTopics: options.vaults.map(systemTopicOf),
      storageId,
      shown: () => shownResources(vaults, access),
      vaults: () => Object.fromEntries(vaults.vaults.map(({ name, url }) => [name, url])),
      sites: Object.entries(options.sites).map(([name, appSettings]) => ({
        subscriptionId,
        resourceGroup,
        name,
        identity: identities.site,
        appSettings,
      })),
    }),
  );
  const access = createAccess({ clock, file: join(dir, "azure", "roles.json") });
  access.ensure(options.vaults.flatMap(rolesAt));
  const vaults: Vaults = await told(
    "vaults",
    startVaults({
      clock,
      stateDir: join(dir, "vaults"),
      tls,
      vaults: options.vaults.map((name) => ({ name, resourceId: vaultResourceId(name), purgeProtection: true })),
      authority: `https://login.windows.net/${tenantId}`,
      authorize: vaultAccess({ ...azure, access }),
      access,
      onEvent: (event) => azure.eventGrid.publishVaultEvent(event),
      subscribedSince: clock.now() - (first ? 1000 : 365 * 86_400_000),
    }),
  );
  await prepareStorage(azurite.connectionString);
  const clientOptions = { disableChallengeResourceVerification: true, tlsOptions: { ca: tls.ca } };
  const person = credentialOf(azure, identities.person);
  const site = credentialOf(azure, identities.site);
  const policyUrl = `${azurite.blobUrl}/pinion-policy/rotations.json`;
  return {
    dir,
    clock,
    clockFile,
    tls,
    azurite,
    vaults,
    azure,
    postgres,
    policyUrl,
    secrets: (vault, who) => new SecretClient(vaultUrl(vaults, vault), who === "site" ? site : person, clientOptions),
    keys: (vault) => new KeyClient(vaultUrl(vaults, vault), person, clientOptions),
    certificates: (vault) => new CertificateClient(vaultUrl(vaults, vault), person, clientOptions),
    vaultUrl: (vault) => vaultUrl(vaults, vault),
    async putPolicy(policy) {
      const text = JSON.stringify(policy, null, 2);
      const container = BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient(
        "pinion-policy",
      );
      await container.createIfNotExists();
      await container.getBlockBlobClient("rotations.json").upload(text, Buffer.byteLength(text));
    },
    async stop() {
      await Promise.allSettled([vaults.close(), azure.stop()]);
      await Promise.allSettled([azurite.stop(), postgres.stop()]);
      letGo();
    },
  };
}

function vaultUrl({ vaults }: Vaults, name: string): string {
  const found = vaults.find((vault) => vault.name === name);
  if (found === undefined) throw new Error(`there is no vault ${name}`);
  return found.url;
}

function credentialOf({ tokens }: Azure, { objectId, clientId }: { objectId: string; clientId: string }) {
  return {
    async getToken() {
      const { token } = await tokens.issue({ audience: "https://vault.azure.net", objectId, appId: clientId });
      // Never kept: the cloud's clock may jump past its end.
      return { token, expiresOnTimestamp: Date.now() };
    },
  };
}

async function prepareStorage(connectionString: string): Promise<void> {
  await QueueServiceClient.fromConnectionString(connectionString).getQueueClient(eventsQueue).createIfNotExists();
  await BlobServiceClient.fromConnectionString(connectionString).getContainerClient("dead-letters").createIfNotExists();
}
