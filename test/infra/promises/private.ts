import { at, type Resource } from "../harness/arm.ts";
import type { Promised } from "../harness/promise.ts";
import { type Check, checksOf } from "./resource-types.ts";
import { apps, faultsOfEach, given, vaults } from "../harness/scenarios.ts";

// When private is chosen nothing is reached from the internet, and all that the app needs is reached through a private endpoint.

/** `publicNetworkAccess` is off. */
const closed: Check = (resource) =>
  at(resource, "properties", "publicNetworkAccess") === "Disabled" ? [] : ["publicNetworkAccess must be Disabled"];

/** Its firewall lets nobody in either, so that switching public access on by hand opens nothing. */
const walled: Check = (resource) => {
  const rules = at(resource, "properties", "networkAcls");
  const open = ["ipRules", "virtualNetworkRules", "resourceAccessRules"].filter((list) => {
    const found = at(rules, list);
    return Array.isArray(found) && found.length > 0;
  });
  return [
    ...(at(rules, "defaultAction") === "Deny" ? [] : ["networkAcls.defaultAction must be Deny"]),
    ...open.map((list) => `networkAcls.${list} lets somebody in`),
  ];
};

/** Each endpoint is there, for the resource itself. */
const endpointsFor =
  (...groups: readonly string[]): Check =>
  (resource, all) =>
    groups
      .filter(
        (group) =>
          !all.some((one) => {
            const [connection] = (at(one, "properties", "privateLinkServiceConnections") ?? []) as unknown[];
            const target = at(connection, "properties", "privateLinkServiceId");
            const ids = at(connection, "properties", "groupIds") as readonly string[] | undefined;
            return target === resource.id && ids?.length === 1 && ids[0] === group;
          }),
      )
      .map((group) => `has no private endpoint for ${group}`);

const isEvidence = ({ name }: Resource): boolean => name.startsWith("stev");

const table = checksOf("network", {
  "Microsoft.Storage/storageAccounts": [
    closed,
    walled,
    (account, all) => endpointsFor(...(isEvidence(account) ? ["blob"] : ["blob", "queue", "table"]))(account, all),
  ],
  "Microsoft.KeyVault/vaults": [closed, walled, endpointsFor("vault")],
  "Microsoft.DurableTask/schedulers": [closed, endpointsFor("scheduler")],
  "Microsoft.Web/sites": [
    closed,
    endpointsFor("sites"),
    (site) => (at(site, "properties", "virtualNetworkSubnetId") ? [] : ["sends from no subnet"]),
  ],
  "Microsoft.EventGrid/topics": [closed],
  // Tokens are asked for even so, and nothing is read from them by the app. Closing them needs a private link scope of the network team
  // (infra/modules/monitoring.bicep says so), which this deployment cannot make for it.
  "Microsoft.OperationalInsights/workspaces": [],
  "Microsoft.Insights/components": [],
  "Microsoft.Network/virtualNetworks": [
    (network) => {
      const subnets = (at(network, "properties", "subnets") ?? []) as Resource[];
      const bare = subnets.filter((one) => at(one, "properties", "networkSecurityGroup", "id") === undefined);
      return bare.map(({ name }) => `subnet ${name} has no security group`);
    },
  ],
  "Microsoft.Network/networkSecurityGroups": [
    (group) => {
      const rules = (at(group, "properties", "securityRules") ?? []) as Resource[];
      const allowed = rules.filter((one) => {
        const { access, direction, sourceAddressPrefix } = one.properties ?? {};
        return access === "Allow" && direction === "Inbound" && sourceAddressPrefix !== "VirtualNetwork";
      });
      return allowed.map(({ name }) => `rule ${name} lets in more than the network`);
    },
  ],
  "Microsoft.Network/privateEndpoints": [
    (endpoint, all) => {
      const subnet = at(endpoint, "properties", "subnet", "id");
      const known =
        typeof subnet === "string" &&
        (subnet.startsWith(given.hub) || all.some(({ id }) => id !== undefined && subnet.startsWith(`${id}/subnets/`)));
      return known ? [] : ["is in a subnet that is not there"];
    },
  ],
});

const isPrivate = ([name]: readonly [string, unknown]): boolean => name.startsWith("private");
const scenarios = { ...Object.fromEntries(Object.entries(apps).filter(isPrivate)), "by queue": vaults["by queue"] };

const storage = "infra/modules/storage.bicep";
const closing = (file: string) => ({
  file,
  find: "publicNetworkAccess: access == 'private' ? 'Disabled' : 'Enabled'",
  put: "publicNetworkAccess: 'Enabled'",
});
const opening = (file: string) => ({
  file,
  find: "defaultAction: access == 'private' ? 'Deny' : 'Allow'",
  put: "defaultAction: 'Allow'",
});

export const privateNetwork: Promised = {
  name: "nothing is public when private is chosen",
  scenarios,
  check: (infra, some) => faultsOfEach(infra, some, table),
  mutations: [
    {
      what: "the storage account stays public",
      in: "private",
      edits: [closing(storage)],
      says: /st\w+: publicNetworkAccess must be Disabled/,
    },
    {
      what: "the storage account's firewall is open",
      in: "private",
      edits: [opening(storage)],
      says: /st\w+: networkAcls.defaultAction must be Deny/,
    },
    {
      what: "the evidence account stays public",
      in: "private, in a hub",
      edits: [closing("infra/modules/evidence-account.bicep")],
      says: /stev\w+: publicNetworkAccess must be Disabled/,
    },
    {
      what: "the vault stays public",
      in: "private",
      edits: [closing("infra/modules/vault.bicep")],
      says: /kv-[\w-]+: publicNetworkAccess must be Disabled/,
    },
    {
      what: "the scheduler stays public",
      in: "private",
      edits: [closing("infra/modules/durable-task-scheduler.bicep")],
      says: /dts-[\w-]+: publicNetworkAccess must be Disabled/,
    },
    {
      what: "the app stays public",
      in: "private, names by policy",
      edits: [closing("infra/modules/function-app.bicep")],
      says: /func-[\w-]+: publicNetworkAccess must be Disabled/,
    },
    {
      what: "the app sends from no subnet",
      in: "private",
      edits: [
        {
          file: "infra/modules/function-app.bicep",
          find: "virtualNetworkSubnetId: access == 'private' ? subnetId : null",
          put: "virtualNetworkSubnetId: null",
        },
      ],
      says: /func-[\w-]+: sends from no subnet/,
    },
    {
      what: "the security group lets the internet in",
      in: "private",
      edits: [
        {
          file: "infra/modules/network.bicep",
          find: "sourceAddressPrefix: 'VirtualNetwork'",
          put: "sourceAddressPrefix: '*'",
        },
      ],
      says: /rule AllowHttpsFromNetwork lets in more than the network/,
    },
  ],
};
