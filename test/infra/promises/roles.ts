import { at, ofType, type Resource } from "../harness/arm.ts";
import type { Infra } from "../harness/infra.ts";
import { builtInRoles } from "../harness/built-in-roles.ts";
import type { Promised } from "../harness/promise.ts";
import { apps, given, predictions, someGrants, vaults } from "../harness/scenarios.ts";
import { roleMutations } from "./role-mutations.ts";

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
  // The doctor's checks of what is deployed (src/doctor/): no more than the app's own resources, one by one.
  ...[
    /\/Microsoft\.Web\/sites\/func-[\w-]+$/,
    /\/storageAccounts\/stcontoso\w+$/,
    /\/storageAccounts\/stevcontoso\w+$/,
  ].map((scope) => ({ role: "read-own", scope, calls: "the doctor looks at the app and its accounts" })),
  {
    role: "read-own",
    scope: /\/virtualNetworks\/vnet-[\w-]+$/,
    where: (scenario) => scenario === "private" || scenario === "private, names by policy",
    calls: "the doctor looks at the subnet (src/doctor/subnet.ts)",
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
    // A topic may be in any group of the subscription: whoever is to know that there is none looks in all of them.
    ...assignments
      .filter(({ role, scope }) => !scope.includes("/providers/") && role !== "find-topics")
      .map(({ role, scope }) => `${role} is assigned at ${scope}, which is more than a resource`),
    // What the doctor holds all the time changes nothing, and shows no data.
    ...["read-own", "read-events", "find-topics"]
      .filter((key) => roles[key]?.actions.some((one) => !one.endsWith("/read")) || roles[key]?.dataActions.length)
      .map((key) => `${key} does more than read`),
    ...assignments
      .filter(({ type }) => type !== "ServicePrincipal")
      .map(({ role }) => `${role} is assigned without principalType: a new identity is not found at once`),
  ];
}

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
  mutations: roleMutations,
};
