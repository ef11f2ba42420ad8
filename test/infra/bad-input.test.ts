import { expect, test, vi } from "vitest";
import { Refused, type Scenario } from "./harness/infra.ts";
import { describeBicep, useInfra } from "./harness/promise.ts";
import { app, clientId, given, networks, newVault, someGrants, tenantId, vault } from "./harness/scenarios.ts";

// A wrong or missing parameter stops a deployment before it begins, with a sentence that names it.

// A refusal takes a second, and several on a busy machine.
vi.setConfig({ testTimeout: 300_000 });

type Bad = readonly [what: string, scenario: Scenario, says: RegExp];

const hub = networks.existing;
const evidence = { retentionDays: 30, lockedAccount: "" };
const monitoring = { retentionDays: 90, emails: [] };

const apps: readonly Bad[] = [
  ["no org", app({ org: undefined }), /"org"/],
  ["org too long", app({ org: "contosocontoso" }), /length.*maximum allowable length is 10/],
  ["org with capitals", app({ org: "Contoso" }), /org: expected lower-case letters/],
  ["app with a hyphen", app({ app: "pin-ion" }), /app: expected lower-case letters/],
  ["environmentName with a blank", app({ environmentName: "de v" }), /environmentName: expected lower-case letters/],
  ["environmentName too long", app({ environmentName: "production" }), /maximum allowable length is 8/],
  [
    "a region that is not known",
    app({ location: "atlantis" }),
    /location: infra\/regions\.json has no short name for atlantis/,
  ],
  ["a cloud that is not", app({ cloud: "AzureMoon" }), /'AzureChinaCloud' \| 'AzureCloud' \| 'AzureUSGovernment'/],
  ["a plan that is not", app({ plan: "Consumption" }), /'Dedicated' \| 'ElasticPremium' \| 'FlexConsumption'/],
  [
    "a plan that the cloud has not",
    app({ cloud: "AzureUSGovernment", location: "usgovvirginia" }),
    /plan: AzureUSGovernment has no FlexConsumption/,
  ],
  [
    "a backend that the cloud has not",
    app({
      cloud: "AzureChinaCloud",
      location: "chinanorth3",
      plan: "Dedicated",
      durableBackend: "DurableTaskScheduler",
    }),
    /durableBackend: AzureChinaCloud has no DurableTaskScheduler/,
  ],
  ["a backend that is not", app({ durableBackend: "Netherite" }), /'AzureStorage' \| 'DurableTaskScheduler'/],
  ["a version of Node that is not", app({ nodeVersion: "20" }), /'22' \| '24'/],
  ["no application", app({ authentication: undefined }), /"authentication"/],
  [
    "an application that is no GUID",
    app({ authentication: { clientId: "g".repeat(36), tenantId } }),
    /authentication: expected a GUID as clientId/,
  ],
  [
    "an application's id that is too short",
    app({ authentication: { clientId: "abc", tenantId } }),
    /minimum allowable length is 36/,
  ],
  [
    "a tenant that is no GUID",
    app({ authentication: { clientId, tenantId: "t".repeat(36) } }),
    /authentication: expected a GUID as tenantId/,
  ],
  [
    "a webhook into a private network",
    app({ network: hub, delivery: "webhook" }),
    /delivery: Event Grid cannot call an app whose network is private/,
  ],
  ["a public topic beside a private network", app({ network: hub, topic: true }), /topic: .*private/],
  ["delivery that is not", app({ delivery: "mail" }), /'queue' \| 'webhook'/],
  ["network that is not", app({ network: { access: "protected" } }), /'private' \| 'public'/],
  ["private without subnets", app({ network: { access: "private" } }), /"subnets"/],
  ["private without zones", app({ network: { access: "private", subnets: networks.new.subnets } }), /"zones"/],
  [
    "too small a network",
    app({ network: { ...networks.new, subnets: { source: "new", addressPrefix: "10.80.0.0/28" } } }),
    /network\.subnets\.addressPrefix is 10\.80\.0\.0\/28, too small/,
  ],
  [
    "a subnet that is none",
    app({ network: { ...hub, subnets: { ...hub.subnets, integrationSubnetId: given.hub } } }),
    /network: subnets\.integrationSubnetId is not the id of a subnet/,
  ],
  [
    "another subnet that is none",
    app({ network: { ...hub, subnets: { ...hub.subnets, endpointsSubnetId: given.hub } } }),
    /network: subnets\.endpointsSubnetId is not the id of a subnet/,
  ],
  [
    "DNS zones without an id",
    app({ network: { ...hub, zones: { ...hub.zones, ids: { ...hub.zones.ids, blob: "rg-hub" } } } }),
    /network: zones\.ids are not all ids of private DNS zones/,
  ],
  [
    "a linked network that is none",
    app({ network: { ...networks.new, zones: { source: "new", linkedNetworkIds: [given.hub] } } }),
    /network: zones\.linkedNetworkIds are not all ids of virtual networks/,
  ],
  ["two zones of one name", app({ zones: ["a", "a"] }), /zones: expected different names/],
  ["a zone with a capital", app({ zones: ["Billing"] }), /zones: expected different names/],
  [
    "a vault with too long a name",
    app({ org: "contosoltd", environmentName: "staging", newVault }),
    /newVault: the vault would be called kv-/,
  ],
  ["a vault without an owner", app({ newVault: { ...newVault, owner: undefined } }), /"owner"/],
  [
    "a class of data that is not",
    app({ newVault: { ...newVault, dataClassification: "secret" } }),
    /'confidential' \| 'internal' \| 'restricted'/,
  ],
  [
    "logs that are kept too short",
    app({ monitoring: { ...monitoring, retentionDays: 7 } }),
    /minimum allowable value is 30/,
  ],
  ["evidence that is not kept", app({ evidence: { ...evidence, retentionDays: 0 } }), /minimum allowable value is 1\b/],
  [
    "the lock of another account",
    app({ evidence: { ...evidence, lockedAccount: "stother" } }),
    /evidence: lockedAccount is stother/,
  ],
  ["an effect that is not", app({ policyEffect: "Warn" }), /'Audit' \| 'Deny' \| 'Disabled'/],
  ["a parameter that is not", app({ colour: "blue" }), /"colour"/],
];

const vaults: readonly Bad[] = [
  ["no vault", vault({ vaultName: undefined }), /"vaultName"/],
  ["no principals", vault({ principals: undefined }), /"principals"/],
  [
    "a role that is not",
    vault({ grants: [{ ...someGrants[0], role: "everything" }] }),
    /grants: infra\/roles\.json has no role everything/,
  ],
  [
    "a role at a subscription",
    vault({ grants: [{ ...someGrants[0], scope: `/subscriptions/${"0".repeat(60)}` }] }),
    /grants: .* is no ARM id of a resource .* find-topics alone is given at a subscription/,
  ],
  [
    "an identity that nobody is",
    vault({ principals: { app: given.app } }),
    new RegExp(`principals: the identity ${given.zoneIdentity} is missing`),
  ],
  [
    "a webhook into a private network",
    vault({ delivery: { by: "webhook", functionAppId: given.functionApp }, network: "private" }),
    /delivery: a webhook must be reachable from the internet/,
  ],
  ["delivery that is not", vault({ delivery: { by: "mail" } }), /'queue' \| 'webhook'/],
  ["no queue", vault({ delivery: { by: "queue", storageId: given.storage } }), /"queue"/],
  ["no container of dead letters", vault({ deadLetter: { storageId: given.storage } }), /"container"/],
  ["network that is not", vault({ network: "protected" }), /'private' \| 'public'/],
];

const lock = (params: Readonly<Record<string, unknown>>): Scenario => ({
  template: "infra/lock-evidence.bicep",
  params: { accountName: "stevcontoso", environmentName: "prod", confirm: "stevcontoso", ...params },
});
const locks: readonly Bad[] = [
  ["another name", lock({ confirm: "stevcontosa" }), /confirm: expected stevcontoso, the name of the account/],
  ["no name", lock({ confirm: undefined }), /"confirm"/],
  ["an environment that is not prod", lock({ environmentName: "dev" }), /'prod'/],
];

describeBicep("bad parameters stop a deployment, and are named", () => {
  const bed = useInfra();
  const refusal = async (scenario: Scenario): Promise<string> => {
    const said = await bed.own.predict(scenario).catch((error: unknown) => error);
    expect(said).toBeInstanceOf(Refused);
    return (said as Refused).message;
  };

  test.each(apps)("main.bicep: %s", async (_, scenario, says) => {
    expect(await refusal(scenario)).toMatch(says);
  });
  test.each(vaults)("onboard.bicep: %s", async (_, scenario, says) => {
    expect(await refusal(scenario)).toMatch(says);
  });
  test.each(locks)("lock-evidence.bicep: %s", async (_, scenario, says) => {
    expect(await refusal(scenario)).toMatch(says);
  });

  test("every fault is told at once", async () => {
    const said = await refusal(app({ org: "Contoso", location: "atlantis", zones: ["a", "a"] }));
    for (const name of ["org:", "location:", "zones:"]) expect(said).toContain(name);
  });
});
