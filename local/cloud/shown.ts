import type { Shown } from "../azure/shown.ts";
import type { SystemTopic } from "../azure/event-grid/shown.ts";
import type { Access } from "../vault/access.ts";
import type { Vaults } from "../vault/vaults.ts";
import { providers, resourceGroup, subscriptionId } from "./names.ts";

// What ARM shows of the local cloud, as of a cloud that infra/main.bicep and infra/onboard.bicep made. Vaults and topics are as they really
// are here. Of storage and the function app only the control plane is played: Azurite takes keys and lets blobs be deleted all the same.

/** The function app that Pinion is. */
const appName = "func-contoso-pinion-dev";
export const appId = `${providers}/Microsoft.Web/sites/${appName}`;
/** Azurite's account. */
export const storageId = `${providers}/Microsoft.Storage/storageAccounts/devstoreaccount1`;

/** Its container of evidence. */
export const evidenceId = `${storageId}/blobServices/default/containers/pinion-evidence`;

/** What App Service tells the app of itself. */
export const siteSettings = {
  WEBSITE_SITE_NAME: appName,
  WEBSITE_RESOURCE_GROUP: resourceGroup,
  WEBSITE_OWNER_NAME: `${subscriptionId}+${resourceGroup}-WestEuropewebspace-Linux`,
} as const;

export const systemTopicOf = (vault: string): SystemTopic => ({
  vault,
  id: `${providers}/Microsoft.EventGrid/systemTopics/${vault}-events`,
  source: `${providers}/Microsoft.KeyVault/vaults/${vault}`,
});

/** Vaults, the storage account with its evidence, and the function app with its authentication. */
export function shownResources({ vaults, facts }: Vaults, access: Access): readonly Shown[] {
  return [
    ...vaults.map(({ name, url, resourceId }): Shown => {
      const { retentionDays, purgeProtection, network } = facts(name);
      return {
        id: resourceId,
        properties: {
          vaultUri: `${url}/`,
          enableRbacAuthorization: access.policies(resourceId) === undefined,
          enableSoftDelete: true,
          softDeleteRetentionInDays: retentionDays,
          ...(purgeProtection && { enablePurgeProtection: true }),
          publicNetworkAccess: network?.publicNetworkAccess ?? "Enabled",
          networkAcls: {
            bypass: "AzureServices",
            defaultAction: network?.defaultAction ?? "Allow",
            ipRules: (network?.ipRules ?? []).map((value) => ({ value })),
          },
          privateEndpointConnections: [],
        },
      };
    }),
    {
      id: storageId,
      properties: {
        allowSharedKeyAccess: false,
        allowBlobPublicAccess: false,
        publicNetworkAccess: "Enabled",
        networkAcls: { bypass: "AzureServices", defaultAction: "Allow" },
        privateEndpointConnections: [],
        immutableStorageWithVersioning: {
          enabled: true,
          immutabilityPolicy: { state: "Unlocked", immutabilityPeriodSinceCreationInDays: 365 },
        },
      },
    },
    // The account's policy is for all of it.
    { id: evidenceId, properties: { publicAccess: "None", hasImmutabilityPolicy: false } },
    {
      id: appId,
      properties: { state: "Running", functionAppConfig: { runtime: { name: "node", version: "22" } } },
    },
    {
      id: `${appId}/config/authsettingsV2`,
      properties: {
        platform: { enabled: true },
        globalValidation: {
          requireAuthentication: true,
          unauthenticatedClientAction: "Return401",
          excludedPaths: ["/api/jwks/*"],
        },
      },
    },
    {
      id: subnetId,
      properties: { delegations: [{ name: "app", properties: { serviceName: "Microsoft.App/environments" } }] },
    },
  ];
}

/** A subnet that the function app may be put into; it is in none. */
export const subnetId = `${providers}/Microsoft.Network/virtualNetworks/vnet-contoso-pinion-dev/subnets/app`;
