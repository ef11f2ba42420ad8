import type { Resource, Snapshot } from "./arm.ts";
import { type Infra, place, type Scenario, type Scenarios } from "./infra.ts";

// Deployments that together make every resource that the templates can make.

export const clientId = "11111111-1111-4111-8111-111111111111";
export const tenantId = place.tenantId;

const group = `/subscriptions/${place.subscriptionId}/resourceGroups`;

/** What a deployment gets by its parameters, and so does not make: other people's resources. */
export const given = {
  hub: `${group}/rg-hub`,
  vault: "kv-contoso-orders",
  vaultGroup: "rg-orders",
  zoneIdentity: "22222222-2222-4222-8222-222222222222",
  app: "33333333-3333-4333-8333-333333333333",
  zone: "44444444-4444-4444-8444-444444444444",
  storage: `${group}/rg-pinion/providers/Microsoft.Storage/storageAccounts/stcontosopiniondev`,
  functionApp: `${group}/rg-pinion/providers/Microsoft.Web/sites/func-contoso-pinion-dev-weu`,
  topic: `${group}/rg-events/providers/Microsoft.EventGrid/systemTopics/egst-orders`,
  workspace: `${group}/rg-pinion/providers/Microsoft.OperationalInsights/workspaces/log-contoso`,
} as const;

const zoneNames = {
  blob: "blob",
  queue: "queue",
  table: "table",
  vault: "vault",
  sites: "sites",
  scheduler: "scheduler",
};
const hubZones = Object.fromEntries(
  Object.entries(zoneNames).map(([name, zone]) => [
    name,
    `${given.hub}/providers/Microsoft.Network/privateDnsZones/privatelink.${zone}.example`,
  ]),
);
const hubSubnet = (name: string) => `${given.hub}/providers/Microsoft.Network/virtualNetworks/vnet-hub/subnets/${name}`;

/** Values of main's `network`. */
export const networks = {
  public: { access: "public" },
  new: {
    access: "private",
    subnets: { source: "new", addressPrefix: "10.80.0.0/24" },
    zones: { source: "new" },
  },
  existing: {
    access: "private",
    subnets: {
      source: "existing",
      integrationSubnetId: hubSubnet("snet-app"),
      endpointsSubnetId: hubSubnet("snet-endpoints"),
    },
    zones: { source: "existing", ids: hubZones },
  },
  policy: {
    access: "private",
    subnets: { source: "new", addressPrefix: "10.80.0.0/24" },
    zones: { source: "policy" },
  },
} as const;

export const newVault = {
  owner: "orders@contoso.com",
  dataClassification: "confidential",
  costCenter: "4711",
  sku: "standard",
} as const;

const basics = {
  org: "contoso",
  environmentName: "dev",
  location: place.location,
  authentication: { clientId, tenantId },
};

/** The app with these parameters beside those that it must have. */
export const app = (params: Readonly<Record<string, unknown>> = {}): Scenario => ({
  template: "infra/main.bicep",
  params: { ...basics, ...params },
});

const monitoring = { retentionDays: 90, emails: ["oncall@contoso.com"] };

/** The app in the ways that differ in what is made. */
export const apps = {
  plain: app(),
  "all of it": app({
    plan: "ElasticPremium",
    durableBackend: "DurableTaskScheduler",
    delivery: "webhook",
    zones: ["billing", "web-shop"],
    topic: true,
    newVault,
    policy: "storage",
    monitoring,
    zoneRedundant: true,
  }),
  private: app({
    network: networks.new,
    newVault,
    monitoring,
    zones: ["billing"],
    durableBackend: "DurableTaskScheduler",
  }),
  "private, in a hub": app({ network: networks.existing, newVault, plan: "Dedicated" }),
  "private, names by policy": app({ network: networks.policy, plan: "ElasticPremium" }),
} as const satisfies Scenarios;

const vaultId = `${group}/${given.vaultGroup}/providers/Microsoft.KeyVault/vaults/${given.vault}`;

/** Grants as the policy tool writes them, at every kind of scope. */
export const someGrants = [
  { role: "inventory-secret", scope: vaultId },
  { role: "find-topics", scope: `/subscriptions/${place.subscriptionId}` },
  { role: "secret", scope: `${vaultId}/secrets/orders-db` },
  { role: "key", scope: `${vaultId}/keys/orders-cmk`, identity: given.zoneIdentity },
  { role: "app-service", scope: `${group}/rg-orders/providers/Microsoft.Web/sites/app-orders` },
  {
    role: "dns-txt",
    scope:
      "/subscriptions/00000000-0000-0000-0000-0000000000cc/resourceGroups/rg-dns/providers/Microsoft.Network/dnsZones/contoso.com",
  },
];

const toQueue = { by: "queue", storageId: given.storage, queue: "pinion-events" };

/** A vault's onboarding with these parameters beside those that it must have. */
export const vault = (params: Readonly<Record<string, unknown>> = {}): Scenario => ({
  template: "infra/onboard.bicep",
  params: {
    vaultName: given.vault,
    vaultResourceGroup: given.vaultGroup,
    principals: { app: given.app, [given.zoneIdentity]: given.zone },
    grants: someGrants,
    delivery: toQueue,
    deadLetter: { storageId: given.storage, container: "dead-letters" },
    network: "private",
    subscriptionName: "func-contoso-pinion-dev-weu",
    workspaceId: given.workspace,
    ...params,
  },
});

/** A vault in the ways that differ in what is made. */
export const vaults = {
  "by queue": vault(),
  "by webhook": vault({ delivery: { by: "webhook", functionAppId: given.functionApp }, network: "public" }),
  "its topic exists": vault({ existingTopic: given.topic, workspaceId: "" }),
} as const satisfies Scenarios;

/** The predictions of scenarios, each with its name. */
export async function predictions(
  infra: Infra,
  scenarios: Scenarios,
): Promise<(Snapshot & { readonly name: string })[]> {
  const made = [];
  for (const [name, scenario] of Object.entries(scenarios)) made.push({ name, ...(await infra.predict(scenario)) });
  return made;
}

/** A fault of each resource, with the scenario and the resource that it is in, each once. */
export async function faultsOfEach(
  infra: Infra,
  scenarios: Scenarios,
  look: (resource: Resource, all: readonly Resource[], scenario: string) => readonly string[],
): Promise<string[]> {
  const found = await predictions(infra, scenarios);
  return found.flatMap(({ name, resources }) =>
    resources.flatMap((one) => look(one, resources, name).map((fault) => `${name}: ${one.type} ${one.name}: ${fault}`)),
  );
}
