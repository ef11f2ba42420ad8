import { at, ofType, type Resource } from "../harness/arm.ts";
import type { Infra } from "../harness/infra.ts";
import { builtInRoles } from "../harness/built-in-roles.ts";
import type { Promised } from "../harness/promise.ts";
import { apps, given, predictions, someGrants, vaults } from "../harness/scenarios.ts";

// Each role assignment is there for a call that is made, each such call has one, and each is at the smallest place that there is.

/** What the app itself needs, in every deployment or with what `where` names, and the calls that need it. */
const appNeeds: readonly { role: string; scope: RegExp; where?: (scenario: string) => boolean; calls: string }[] = [
  {
    role: "Storage Blob Data Owner",
    scope: /\/storageAccounts\/stcontoso\w+$/,
    calls:
      "the host's locks, keys and package; the leases of accounts (src/store/leases.ts); a policy in storage (src/policy-source.ts)",
  },
  {
    role: "Storage Queue Data Contributor",
    scope: /\/storageAccounts\/stcontoso\w+$/,
    calls: "events by queue (src/main.ts), the poisoned ones, and the durable backend's queues",
  },
  {
    role: "Storage Table Data Contributor",
    scope: /\/storageAccounts\/stcontoso\w+$/,
    calls: "records (src/store/records.ts), and the durable backend's tables",
  },
  {
    role: "evidence",
    scope: /\/storageAccounts\/stevcontoso\w+\/blobServices\/default\/containers\/pinion-evidence$/,
    calls: "evidence is added and read (src/evidence/record.ts)",
  },
  {
    role: "Monitoring Metrics Publisher",
    scope: /\/Microsoft\.Insights\/components\/appi-[\w-]+$/,
    calls: "the host and the app send telemetry with their identity",
  },
  {
    role: "Durable Task Data Contributor",
    scope: /\/Microsoft\.DurableTask\/schedulers\/dts-[\w-]+\/taskHubs\/pinion$/,
    where: (scenario) => scenario === "all of it" || scenario === "private",
    calls: "the durable backend keeps orchestrations there",
  },
  {
    role: "EventGrid Data Sender",
    scope: /\/Microsoft\.EventGrid\/topics\/evgt-[\w-]+$/,
    where: (scenario) => scenario === "all of it",
    calls: "Pinion.Rotation.* events (src/events.ts)",
  },
];

interface Wanted {
  readonly role: string;
  readonly scope: RegExp | string;
  readonly principal: RegExp | string;
}

const appPrincipal =
  /^\[reference\('[^']*\/userAssignedIdentities\/id-contoso-pinion-dev-\w+', '[\d-]+'\)\.principalId\]$/;
const topicPrincipal = /^\[reference\('[^']*\/systemTopics\/[\w-]+', '[\d-]+', 'full'\)\.identity\.principalId\]$/;

function wantedIn(scenario: string): readonly Wanted[] {
  if (!(scenario in vaults))
    return appNeeds
      .filter(({ where = () => true }) => where(scenario))
      .map(({ role, scope }) => ({ role, scope, principal: appPrincipal }));
  return [
    ...someGrants.map(({ role, scope, identity }) => ({
      role,
      scope,
      principal: identity === undefined ? given.app : given.zone,
    })),
    // Event Grid writes dead letters, and delivers to the queue, as the topic; the doctor looks at the topic as the app.
    {
      role: "Storage Blob Data Contributor",
      scope: `${given.storage}/blobServices/default/containers/dead-letters`,
      principal: topicPrincipal,
    },
    ...(scenario === "by webhook"
      ? []
      : [
          {
            role: "Storage Queue Data Message Sender",
            scope: `${given.storage}/queueServices/default/queues/pinion-events`,
            principal: topicPrincipal,
          },
        ]),
    { role: "read-events", scope: /\/systemTopics\/egst-[\w-]+$/, principal: given.app },
  ];
}

/** Where an assignment is: its id up to the assignment, which may be an expression. */
function scopeOf({ id = "" }: Resource): string {
  const [, extended] = /^\[extensionResourceId\('([^']+)', 'Microsoft\.Authorization\/roleAssignments'/.exec(id) ?? [];
  return extended ?? id.replace(/\/providers\/Microsoft\.Authorization\/roleAssignments\/[^/]+$/, "");
}

type Definition = Readonly<{ actions: readonly string[]; dataActions: readonly string[]; name: string }>;

const same = (text: string, wanted: RegExp | string): boolean =>
  typeof wanted === "string" ? text.toLowerCase() === wanted.toLowerCase() : wanted.test(text);

/** What is wrong with the custom roles that a deployment defines, and their keys by their ids. */
function definitionsIn(resources: readonly Resource[], declared: Readonly<Record<string, Definition>>) {
  const faults: string[] = [];
  const keys = new Map<string, string>();
  for (const { id = "", properties } of ofType(resources, "Microsoft.Authorization/roleDefinitions")) {
    const name = String(properties?.["roleName"]);
    const [key, role] = Object.entries(declared).find(([, one]) => name.startsWith(`${one.name} (`)) ?? [];
    if (key === undefined || role === undefined) {
      faults.push(`role ${name} is not declared in the code`);
      continue;
    }
    keys.set(id.toLowerCase(), key);
    const [permission, ...more] = (properties?.["permissions"] ?? []) as Record<string, unknown>[];
    const held = [permission?.["actions"] ?? [], permission?.["dataActions"] ?? []];
    if (more.length > 0 || JSON.stringify(held) !== JSON.stringify([role.actions, role.dataActions]))
      faults.push(`role ${name} holds something else than is declared`);
    const place = id.replace(/\/providers\/Microsoft\.Authorization\/roleDefinitions\/[^/]+$/, "");
    if (JSON.stringify(properties?.["assignableScopes"]) !== JSON.stringify([place]))
      faults.push(`role ${name} can be assigned elsewhere than where it is defined`);
  }
  return { faults, keys };
}

async function faultsIn(infra: Infra, scenario: string, resources: readonly Resource[]): Promise<string[]> {
  const { roles } = JSON.parse(infra.read("infra/roles.json")) as { roles: Record<string, Definition> };
  const { faults, keys } = definitionsIn(resources, roles);
  const assignments = ofType(resources, "Microsoft.Authorization/roleAssignments").map((one) => {
    const definition = String(at(one, "properties", "roleDefinitionId"));
    return {
      role: keys.get(definition.toLowerCase()) ?? builtInRoles[definition.split("/").at(-1)!] ?? definition,
      scope: scopeOf(one),
      principal: String(at(one, "properties", "principalId")),
      type: at(one, "properties", "principalType"),
    };
  });
  const wanted = wantedIn(scenario);
  const fits = (one: (typeof assignments)[number], { role, scope, principal }: Wanted) =>
    one.role === role && same(one.scope, scope) && same(one.principal, principal);
  const used = new Set(assignments.map(({ role }) => role));
  return [
    ...faults,
    ...[...keys.values()].filter((key) => !used.has(key)).map((key) => `role ${key} is defined and not assigned`),
    ...assignments
      .filter((one) => !wanted.some((want) => fits(one, want)))
      .map(({ role, scope, principal }) => `${role} at ${scope} for ${principal} is needed by nothing`),
    ...wanted
      .filter((want) => assignments.filter((one) => fits(one, want)).length !== 1)
      .map(({ role, scope }) => `${role} at ${String(scope)} is needed, and not assigned once`),
    ...assignments
      .filter(({ scope }) => !/\/providers\//.test(scope))
      .map(({ role, scope }) => `${role} is assigned at ${scope}, which is more than a resource`),
    ...assignments
      .filter(({ type }) => type !== "ServicePrincipal")
      .map(({ role }) => `${role} is assigned without principalType: a new identity is not found at once`),
  ];
}

const storage = "infra/modules/storage.bicep";

export const roles: Promised = {
  name: "each role assignment is needed by a call, each such call has one, at the smallest scope",
  scenarios: { ...apps, ...vaults },
  async check(infra, scenarios) {
    const found = await predictions(infra, scenarios);
    const faults = await Promise.all(
      found.map(async ({ name, resources }) =>
        (await faultsIn(infra, name, resources)).map((fault) => `${name}: ${fault}`),
      ),
    );
    return faults.flat();
  },
  mutations: [
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
          file: "infra/onboard/events.bicep",
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
          file: "infra/onboard/events.bicep",
          find: "{ scope: queueAt,",
          put: "{ scope: delivery.by == 'queue' ? delivery.storageId : '',",
        },
      ],
      says: /Storage Queue Data Message Sender at .*stcontosopiniondev for .* is needed by nothing/,
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
  ],
};
