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
