import { at } from "../harness/arm.ts";
import type { Promised } from "../harness/promise.ts";
import { type Check, checksOf } from "./resource-types.ts";
import { apps, faultsOfEach, vaults } from "../harness/scenarios.ts";

// Nothing is opened with a key: each kind of resource that has keys or passwords has them switched off.

const must =
  (value: unknown, ...path: string[]): Check =>
  (resource) =>
    at(resource, ...path) === value ? [] : [`${path.slice(1).join(".")} must be ${String(value)}`];

/** What must be true of a resource of each type, so that only identities open it. */
const table = checksOf("keys", {
  "Microsoft.Storage/storageAccounts": [
    must(false, "properties", "allowSharedKeyAccess"),
    must(false, "properties", "allowBlobPublicAccess"),
    must(false, "properties", "isLocalUserEnabled"),
    must(false, "properties", "allowCrossTenantReplication"),
    must(true, "properties", "supportsHttpsTrafficOnly"),
    must("TLS1_2", "properties", "minimumTlsVersion"),
  ],
  "Microsoft.Storage/storageAccounts/blobServices/containers": [must("None", "properties", "publicAccess")],
  "Microsoft.EventGrid/topics": [
    must(true, "properties", "disableLocalAuth"),
    must("1.2", "properties", "minimumTlsVersionAllowed"),
  ],
  "Microsoft.Insights/components": [must(true, "properties", "DisableLocalAuth")],
  "Microsoft.OperationalInsights/workspaces": [must(true, "properties", "features", "disableLocalAuth")],
  "Microsoft.KeyVault/vaults": [
    must(true, "properties", "enableRbacAuthorization"),
    must(true, "properties", "enableSoftDelete"),
    must(true, "properties", "enablePurgeProtection"),
    must(undefined, "properties", "accessPolicies"),
  ],
  "Microsoft.Web/sites": [
    must(true, "properties", "httpsOnly"),
    // Flex Consumption has no FTP.
    (site, all) =>
      at(site, "properties", "functionAppConfig") === undefined
        ? must("Disabled", "properties", "siteConfig", "ftpsState")(site, all)
        : [],
    must("1.2", "properties", "siteConfig", "minTlsVersion"),
    must(false, "properties", "siteConfig", "remoteDebuggingEnabled"),
    (site, all) =>
      ["ftp", "scm"].every((name) =>
        all.some(({ id, ...one }) => {
          const isPolicy = id === `${site.id}/basicPublishingCredentialsPolicies/${name}`;
          return isPolicy && at(one, "properties", "allow") === false;
        }),
      )
        ? []
        : ["publishing with a user name and a password must be off, for ftp and for scm"],
    (site) => {
      const storage = at(site, "properties", "functionAppConfig", "deployment", "storage");
      return storage === undefined || at(storage, "authentication", "type") === "UserAssignedIdentity"
        ? []
        : ["the platform must read the package with an identity"];
    },
  ],
});

const storage = "infra/modules/storage.bicep";
const site = "infra/modules/function-app.bicep";
const evidence = "infra/modules/evidence-account.bicep";

export const sharedKeys: Promised = {
  name: "nothing is opened with a key",
  scenarios: { ...apps, ...vaults },
  check: (infra, scenarios) => faultsOfEach(infra, scenarios, table),
  mutations: [
    {
      what: "the storage account takes its key",
      in: "plain",
      edits: [{ file: storage, find: "    allowSharedKeyAccess: false\n", put: "" }],
      says: /storageAccounts st\w+: allowSharedKeyAccess must be false/,
    },
    {
      what: "the evidence account takes its key",
      in: "plain",
      edits: [{ file: evidence, find: "allowSharedKeyAccess: false", put: "allowSharedKeyAccess: true" }],
      says: /storageAccounts stev\w+: allowSharedKeyAccess must be false/,
    },
    {
      what: "the storage account has local users",
      in: "plain",
      edits: [{ file: storage, find: "    isLocalUserEnabled: false\n", put: "" }],
      says: /isLocalUserEnabled must be false/,
    },
    {
      what: "a container is open to everybody",
      in: "plain",
      edits: [{ file: evidence, find: "publicAccess: 'None'", put: "publicAccess: 'Blob'" }],
      says: /publicAccess must be None/,
    },
    {
      what: "the topic takes its key",
      in: "all of it",
      edits: [{ file: "infra/modules/topic.bicep", find: "    disableLocalAuth: true\n", put: "" }],
      says: /EventGrid\/topics .*disableLocalAuth must be true/,
    },
    {
      what: "Application Insights takes its key",
      in: "plain",
      edits: [{ file: "infra/modules/monitoring.bicep", find: "    DisableLocalAuth: true\n", put: "" }],
      says: /Insights\/components .*DisableLocalAuth must be true/,
    },
    {
      what: "the workspace takes its key",
      in: "plain",
      edits: [{ file: "infra/modules/monitoring.bicep", find: "      disableLocalAuth: true\n", put: "" }],
      says: /workspaces .*features.disableLocalAuth must be true/,
    },
    {
      what: "the vault goes by access policies",
      in: "all of it",
      edits: [{ file: "infra/modules/vault.bicep", find: "    enableRbacAuthorization: true\n", put: "" }],
      says: /vaults .*enableRbacAuthorization must be true/,
    },
    {
      what: "the scm site takes a password",
      in: "plain",
      edits: [
        {
          file: site,
          find: "  resource scm 'basicPublishingCredentialsPolicies' = {\n    name: 'scm'\n    properties: { allow: false }\n  }\n",
          put: "",
        },
      ],
      says: /publishing with a user name and a password must be off/,
    },
    {
      what: "the package is read with a connection string",
      in: "plain",
      edits: [
        {
          file: site,
          find: "authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identity.id }",
          put: "authentication: { type: 'StorageAccountConnectionString', storageAccountConnectionStringName: 'X' }",
        },
      ],
      says: /must read the package with an identity/,
    },
    {
      what: "a resource of another type is made",
      in: "plain",
      edits: [
        {
          file: storage,
          find: "@description('Id of the account.')\noutput",
          put: "resource more 'Microsoft.ServiceBus/namespaces@2024-01-01' = { name: 'sb-x', location: location }\n\n@description('Id of the account.')\noutput",
        },
      ],
      says: /ServiceBus\/namespaces sb-x: is of a type that this test does not know/,
    },
  ],
};
