import type { Mutation } from "../harness/promise.ts";

const storage = "infra/modules/storage.bicep";

/** Role assignments that are left out, wider, or too many. */
export const roleMutations: readonly Mutation[] = [
  {
    what: "the app has no right to its tables",
    in: "plain",
    edits: [
      {
        file: storage,
        find: "  'Storage Table Data Contributor': '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'\n",
        put: "",
      },
    ],
    says: /Storage Table Data Contributor .* is needed, and not assigned once/,
  },
  {
    what: "the app gets a role that nothing needs",
    in: "plain",
    edits: [
      {
        file: storage,
        find: "  'Storage Table Data Contributor':",
        put: "  'Storage Account Contributor': '17d1049b-9a84-46fb-8f53-869881c3d3ab'\n  'Storage Table Data Contributor':",
      },
    ],
    says: /17d1049b.* is needed by nothing/,
  },
  {
    what: "the app gets a role at the resource group",
    in: "all of it",
    edits: [{ file: "infra/modules/topic.bicep", find: "  scope: topic\n", put: "" }],
    says: /EventGrid Data Sender is assigned at .*rg-pinion, which is more than a resource/,
  },
  {
    what: "the doctor may write",
    in: "plain",
    edits: [
      {
        file: "infra/roles.json",
        find: `"Microsoft.Storage/storageAccounts/blobServices/containers/read",\n        "Microsoft.Network`,
        put: `"Microsoft.Storage/storageAccounts/write",\n        "Microsoft.Network`,
      },
    ],
    says: /read-own does more than read/,
  },
  {
    what: "the doctor may look at the whole resource group",
    in: "plain",
    edits: [{ file: "infra/modules/own-reader.bicep", find: "  scope: app\n", put: "" }],
    says: /read-own is assigned at .*rg-pinion, which is more than a resource/,
  },
  {
    what: "the doctor may not look at the evidence account",
    in: "plain",
    edits: [
      {
        file: "infra/modules/own-reader.bicep",
        find: "for (name, index) in storageAccountNames",
        put: "for (name, index) in take(storageAccountNames, 1)",
      },
    ],
    says: /read-own at \S*stevcontoso\S* is needed, and not assigned once/,
  },
  {
    what: "the doctor may not look at the subnet",
    in: "private",
    edits: [
      {
        file: "infra/modules/own-reader.bicep",
        find: "'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(networkName)) {",
        put: "'Microsoft.Authorization/roleAssignments@2022-04-01' = if (networkName == 'none') {",
      },
    ],
    says: /read-own at \S*virtualNetworks\S* is needed, and not assigned once/,
  },
  {
    what: "the app may write over evidence",
    in: "plain",
    edits: [
      {
        file: "infra/modules/evidence.bicep",
        find: "dataActions: role.dataActions",
        put: "dataActions: union(role.dataActions, ['Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write'])",
      },
    ],
    says: /role Pinion evidence .* holds something else than is declared/,
  },
  {
    what: "the role of evidence is for the whole account",
    in: "plain",
    edits: [
      {
        file: "infra/modules/evidence.bicep",
        find: "  scope: account::blobs::evidence\n",
        put: "  scope: account\n",
      },
    ],
    says: /evidence at .*stevcontoso\w+ for .* is needed by nothing/,
  },
  {
    what: "telemetry may not be sent",
    in: "plain",
    edits: [
      {
        file: "infra/modules/function-app.bicep",
        find: "'3913510d-42f4-4e42-8a64-420c390055eb'",
        put: "'43d0d8ad-25c7-4714-9337-8ba259a9fe05'",
      },
    ],
    says: /Monitoring Metrics Publisher .* is needed, and not assigned once/,
  },
  {
    what: "a grant is left out",
    in: "by queue",
    edits: [
      {
        file: "infra/onboard.bicep",
        find: "filter(checked, one => one.group == group && toLower(one.scope) != group)",
        put: "filter(checked, one => one.group == group && one.role != 'secret')",
      },
    ],
    says: /secret at .*secrets\/orders-db is needed, and not assigned once/,
  },
  {
    what: "a trust zone's grant goes to the app",
    in: "by queue",
    edits: [
      {
        file: "infra/onboard.bicep",
        find: "principals[?toLower(one.?identity ?? 'app')]",
        put: "principals[?'app']",
      },
    ],
    says: /key at .*keys\/orders-cmk for 33333333.* is needed by nothing/,
  },
  {
    what: "Event Grid may read the queue too",
    in: "by queue",
    edits: [
      {
        file: "infra/onboard/senders.bicep",
        find: "'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a'",
        put: "'974c5e8b-45b9-4653-ba55-5f855dd0fb88'",
      },
    ],
    says: /Storage Queue Data Contributor .* is needed by nothing/,
  },
  {
    what: "Event Grid gets its right at the whole account",
    in: "by queue",
    edits: [
      {
        file: "infra/onboard/senders.bicep",
        find: "{ scope: queueAt,",
        put: "{ scope: storageId,",
      },
    ],
    says: /Storage Queue Data Message Sender at .*stcontosopiniondev for .* is needed by nothing/,
  },
  {
    what: "the doctor may not look for topics in the subscription",
    in: "by queue",
    edits: [
      {
        file: "infra/onboard.bicep",
        find: "filter(atSubscriptions, one => one.subscriptionId == id)",
        put: "filter(atSubscriptions, one => one.subscriptionId == id && one.role != 'find-topics')",
      },
    ],
    says: /find-topics at .* is needed, and not assigned once/,
  },
  {
    what: "the doctor may look at more than topics in the subscription",
    in: "by queue",
    edits: [
      {
        file: "infra/roles.json",
        find: `"actions": ["Microsoft.EventGrid/systemTopics/read", "Microsoft.Authorization/permissions/read"]`,
        put: `"actions": ["Microsoft.EventGrid/systemTopics/write", "Microsoft.Authorization/permissions/read"]`,
      },
    ],
    says: /find-topics does more than read/,
  },
  {
    what: "every role is defined, used or not",
    in: "by queue",
    edits: [
      {
        file: "infra/onboard.bicep",
        find: "map(filter(checked, one => one.subscriptionId == id), one => one.role)",
        put: "objectKeys(definitions)",
      },
    ],
    says: /is defined and not assigned/,
  },
];
