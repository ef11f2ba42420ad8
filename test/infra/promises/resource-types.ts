import type { Resource } from "../harness/arm.ts";

// Every type of resource that the templates deploy, and what could be wrong with it. A new one must be thought about here first.

/** `network`: it is reached over a network of its own, or is one. `keys`: it can be opened with a key or a password of its own, or by anybody. */
type Danger = "network" | "keys";

const types: Readonly<Record<string, readonly Danger[]>> = {
  "Microsoft.Authorization/policyAssignments": [],
  "Microsoft.Authorization/policyDefinitions": [],
  "Microsoft.Authorization/policySetDefinitions": [],
  "Microsoft.Authorization/roleAssignments": [],
  "Microsoft.Authorization/roleDefinitions": [],
  "Microsoft.DurableTask/schedulers": ["network"],
  "Microsoft.DurableTask/schedulers/taskHubs": [],
  "Microsoft.EventGrid/systemTopics": [],
  "Microsoft.EventGrid/systemTopics/eventSubscriptions": [],
  "Microsoft.EventGrid/topics": ["network", "keys"],
  "Microsoft.Insights/actionGroups": [],
  "Microsoft.Insights/components": ["network", "keys"],
  "Microsoft.Insights/diagnosticSettings": [],
  "Microsoft.Insights/metricAlerts": [],
  "Microsoft.Insights/scheduledQueryRules": [],
  "Microsoft.Insights/workbooks": [],
  "Microsoft.KeyVault/vaults": ["network", "keys"],
  "Microsoft.ManagedIdentity/userAssignedIdentities": [],
  "Microsoft.Network/networkSecurityGroups": ["network"],
  "Microsoft.Network/privateDnsZones": [],
  "Microsoft.Network/privateDnsZones/virtualNetworkLinks": [],
  "Microsoft.Network/privateEndpoints": ["network"],
  "Microsoft.Network/privateEndpoints/privateDnsZoneGroups": [],
  "Microsoft.Network/virtualNetworks": ["network"],
  "Microsoft.OperationalInsights/workspaces": ["network", "keys"],
  "Microsoft.Storage/storageAccounts": ["network", "keys"],
  "Microsoft.Storage/storageAccounts/blobServices": [],
  "Microsoft.Storage/storageAccounts/blobServices/containers": ["keys"],
  "Microsoft.Storage/storageAccounts/queueServices": [],
  "Microsoft.Storage/storageAccounts/queueServices/queues": [],
  "Microsoft.Storage/storageAccounts/tableServices": [],
  "Microsoft.Storage/storageAccounts/tableServices/tables": [],
  "Microsoft.Web/serverfarms": [],
  "Microsoft.Web/sites": ["network", "keys"],
  "Microsoft.Web/sites/basicPublishingCredentialsPolicies": [],
  "Microsoft.Web/sites/config": [],
};

/** What is wrong with a resource; all of the same deployment are there to be looked at. */
export type Check = (resource: Resource, all: readonly Resource[]) => readonly string[];

/** One check out of those of each type that is in danger. Throws where such a type has none. */
export function checksOf(danger: Danger, table: Readonly<Record<string, readonly Check[]>>): Check {
  const endangered = Object.keys(types).filter((type) => types[type]?.includes(danger));
  const checked = Object.keys(table);
  const differing = [
    ...endangered.filter((type) => !checked.includes(type)),
    ...checked.filter((type) => !endangered.includes(type)),
  ];
  if (differing.length > 0) throw new Error(`Danger by ${danger}: only one of two tables has ${differing.join(", ")}.`);
  return (resource, all) =>
    types[resource.type] === undefined
      ? [
          `is of a type that this test does not know (test/infra/promises/resource-types.ts): is it in danger by ${danger}?`,
        ]
      : (table[resource.type] ?? []).flatMap((check) => check(resource, all));
}
