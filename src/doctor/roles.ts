import { readPermissionsRole } from "../azure/permissions.ts";
import type { AzureRole } from "../azure/role.ts";

/** At a vault and at its system topic: how events get here, and whether they did. Nothing is changed, no value is read. */
export const readEventsRole: AzureRole = {
  key: "read-events",
  description: "Reads how a vault is set up, its event subscriptions, and the figures of their deliveries.",
  actions: [
    "Microsoft.KeyVault/vaults/read",
    "Microsoft.EventGrid/systemTopics/read",
    "Microsoft.EventGrid/systemTopics/eventSubscriptions/read",
    "Microsoft.EventGrid/eventSubscriptions/read",
    "Microsoft.Insights/metrics/read",
  ],
};

/** At the subscription of a vault: which of the topics there is the vault's, wherever it is, and whether that may be seen at all. */
export const findTopicsRole: AzureRole = {
  key: "find-topics",
  description: "Finds the system topic of a vault in its subscription.",
  actions: ["Microsoft.EventGrid/systemTopics/read", ...(readPermissionsRole.actions ?? [])],
};

/** At the app, its two storage accounts and its network, if infra/main.bicep made one: how the app, its storage and its subnet are set up. No key, no setting's value, no blob. */
export const readOwnRole: AzureRole = {
  key: "read-own",
  description: "Reads how Pinion's own app, storage accounts and subnet are set up.",
  actions: [
    "Microsoft.Web/sites/read",
    "Microsoft.Web/sites/config/read",
    "Microsoft.Storage/storageAccounts/read",
    "Microsoft.Storage/storageAccounts/blobServices/containers/read",
    "Microsoft.Network/virtualNetworks/subnets/read",
  ],
};
