import { expect, test } from "vitest";
import { findRotator } from "../../rotators/index.ts";
import { findConsumer } from "../../src/consumers/index.ts";
import { grantsOf } from "../../src/grants.ts";
import { roles } from "../../src/roles.ts";
import { acted } from "../../src/triggers/key-vault-events.ts";
import { fleet, policyOf } from "../grants/fleet.ts";
import { at, isExpression, ofType, type Resource, resourcesIn } from "./harness/arm.ts";
import { type Infra, place, Refused } from "./harness/infra.ts";
import { describeBicep, promise, useInfra } from "./harness/promise.ts";

// What infra/onboard.bicep makes of a policy with every rotator and every kind of consumer.

const template = "infra/onboard.bicep";
const app = "11111111-1111-4111-8111-111111111111";
const storageId =
  "/subscriptions/33333333-3333-4333-8333-333333333333/resourceGroups/rg-app/providers/Microsoft.Storage/storageAccounts/stpinion";
const queue = `${storageId}/queueServices/default/queues/pinion-events`;
const container = `${storageId}/blobServices/default/containers/dead-letters`;
const functionAppId = `/subscriptions/${place.subscriptionId}/resourceGroups/rg-app/providers/Microsoft.Web/sites/func-pinion`;
const { grants } = grantsOf(policyOf(fleet), { rotator: findRotator, consumer: findConsumer });

const params = {
  vaultName: "kv-main",
  vaultResourceGroup: "rg-orders",
  principals: { app },
  grants: grants.map(({ role, scope }) => ({ role, scope })),
  network: "private",
  delivery: { by: "queue", storageId, queue: "pinion-events" },
  deadLetter: { storageId, container: "dead-letters" },
  workspaceId: `/subscriptions/${place.subscriptionId}/resourceGroups/rg-app/providers/Microsoft.OperationalInsights/workspaces/log`,
};
const predict = async (infra: Infra, changes: Readonly<Record<string, unknown>> = {}) =>
  (await infra.predict({ template, params: { ...params, ...changes } })).resources;

/** Role assignments as `<key of a custom role, or id of a built-in one> <scope> <principal>`, in lower case. */
function assignmentsIn(resources: readonly Resource[]): string[] {
  const names = new Map(
    ofType(resources, "Microsoft.Authorization/roleDefinitions").map(({ id = "", properties }) => [
      id.toLowerCase(),
      /^Pinion (\S+) \(/.exec(String(properties?.["roleName"]))?.[1] ?? "",
    ]),
  );
  return ofType(resources, "Microsoft.Authorization/roleAssignments").map(({ id = "", properties = {} }) => {
    const definition = String(properties["roleDefinitionId"]).toLowerCase();
    const role = names.get(definition) ?? definition.split("/").at(-1);
    // The name holds what only Azure knows, when the principal is the topic's identity; then the id is an expression.
    const [, known] = /^\[extensionResourceId\('([^']+)'/i.exec(id) ?? [];
    const scope = known ?? id.replace(/\/providers\/Microsoft\.Authorization\/roleAssignments\/[^/]+$/i, "");
    const principal = String(properties["principalId"]);
    return `${role} ${scope} ${isExpression(principal) ? "topic" : principal}`.toLowerCase();
  });
}

const topicId = `/subscriptions/${place.subscriptionId}/resourceGroups/rg-orders/providers/Microsoft.EventGrid/systemTopics/egst-kv-main`;
const expected = [
  ...grants.map(({ role, scope }) => `${role} ${scope} ${app}`),
  `read-events ${topicId} ${app}`,
  // Storage Queue Data Message Sender, Storage Blob Data Contributor.
  `c6a89b2d-59bc-44d0-9896-0f6e12d7b80a ${queue} topic`,
  `ba92f5b4-2d11-453d-a403-e96b0029c9fe ${container} topic`,
].map((one) => one.toLowerCase());

promise(
  "every role that the policy needs is assigned once, at its very scope, and nothing else is",
  async (infra) => {
    const found = assignmentsIn(await predict(infra));
    return [
      ...expected.filter((one) => !found.includes(one)).map((one) => `missing: ${one}`),
      ...found.filter((one) => !expected.includes(one)).map((one) => `not needed: ${one}`),
      ...found.filter((one, index) => found.indexOf(one) !== index).map((one) => `twice: ${one}`),
    ];
  },
  [
    {
      what: "grants of one role are left out",
      edits: [
        {
          file: template,
          find: "one.group == group && toLower(one.scope) != group",
          put: "one.group == group && toLower(one.scope) != group && one.role != 'sign-key'",
        },
      ],
      says: /missing: sign-key/,
    },
    {
      what: "nothing is assigned at a resource group",
      edits: [{ file: template, find: "toLower(one.scope) == group)", put: "toLower(one.scope) == 'none')" }],
      says: /missing: sql-instance-group/,
    },
    {
      what: "at the vault in place of its object",
      edits: [
        {
          file: template,
          find: "        scope: one.scope\n",
          put: "        scope: join(take(split(one.scope, '/'), 9), '/')\n",
        },
      ],
      says: /not needed: secret \S+\/vaults\/kv-main 1/,
    },
    {
      what: "the topic may not write to the queue",
      edits: [
        { file: "infra/onboard/events.bicep", find: "roleId: queueMessageSender", put: "roleId: blobDataContributor" },
      ],
      says: /missing: c6a89b2d/,
    },
    {
      what: "the topic may write to the whole account",
      edits: [
        { file: "infra/onboard/events.bicep", find: "{ scope: deadLetterAt,", put: "{ scope: deadLetter.storageId," },
      ],
      says: /not needed: ba92f5b4\S+ \S+\/stpinion topic/,
    },
  ],
);

promise(
  "a role definition is the declared one, in each subscription where it is assigned, and can be given there only",
  async (infra) => {
    const resources = await predict(infra);
    const definitions = ofType(resources, "Microsoft.Authorization/roleDefinitions");
    const faults = definitions.flatMap(({ id = "", properties = {} }) => {
      const [, key = ""] = /^Pinion (\S+) \(\w+\)$/.exec(String(properties["roleName"])) ?? [];
      const declared = roles[key];
      if (declared === undefined) return [`no such role: ${String(properties["roleName"])}`];
      const given = at(properties, "permissions", 0) as Readonly<Record<string, unknown>>;
      const { actions, dataActions } = declared;
      const same =
        JSON.stringify({ ...given }) === JSON.stringify({ actions, notActions: [], dataActions, notDataActions: [] });
      const [here = ""] = id.split("/providers/");
      const there = JSON.stringify(properties["assignableScopes"]);
      return [
        ...(same ? [] : [`${key} is not as declared: ${JSON.stringify(given)}`]),
        ...(there === JSON.stringify([here]) ? [] : [`${key} may be assigned at ${there}`]),
      ];
    });
    const names = definitions.map(({ properties }) => properties?.["roleName"]);
    const ids = new Set(definitions.map(({ id = "" }) => id.toLowerCase()));
    const builtIn = /(c6a89b2d-59bc-44d0-9896-0f6e12d7b80a|ba92f5b4-2d11-453d-a403-e96b0029c9fe)$/;
    const used = ofType(resources, "Microsoft.Authorization/roleAssignments").map(({ properties }) =>
      String(properties?.["roleDefinitionId"]).toLowerCase(),
    );
    return [
      ...faults,
      ...(new Set(names).size === names.length ? [] : ["two roles have one name, which is unique in a tenant"]),
      ...used.filter((one) => !ids.has(one) && !builtIn.test(one)).map((one) => `assigned, but not made: ${one}`),
      ...[...ids].filter((one) => !used.includes(one)).map((one) => `made, but not assigned: ${one}`),
    ];
  },
  [
    {
      what: "every data action",
      edits: [
        {
          file: "infra/onboard/roles.bicep",
          find: "dataActions: definitions[key].dataActions",
          put: "dataActions: ['Microsoft.KeyVault/vaults/*']",
        },
      ],
      says: /is not as declared.*vaults\/\*/,
    },
    {
      what: "a deletion in roles.json",
      edits: [
        {
          file: "infra/roles.json",
          find: '"Microsoft.KeyVault/vaults/secrets/recover/action"',
          put: '"Microsoft.KeyVault/vaults/secrets/delete"',
        },
      ],
      says: /staging-secret is not as declared/,
    },
    {
      what: "one name in every subscription",
      edits: [{ file: "infra/onboard/roles.bicep", find: "subscription().subscriptionId), 6)", put: "'pinion'), 6)" }],
      says: /two roles have one name/,
    },
    {
      what: "roles in the vault's subscription alone",
      edits: [
        {
          file: template,
          find: "for id in subscriptions:",
          put: "for id in [toLower(subscription().subscriptionId)]:",
        },
      ],
      says: /assigned, but not made/,
    },
  ],
);

const subscriptionsIn = (resources: readonly Resource[]) =>
  ofType(resources, "Microsoft.EventGrid/systemTopics/eventSubscriptions");

promise(
  "events: what the trigger acts on, to the queue and the dead letters by the topic's system-assigned identity",
  async (infra) => {
    const resources = await predict(infra);
    const [topic] = ofType(resources, "Microsoft.EventGrid/systemTopics");
    const [one, ...others] = subscriptionsIn(resources);
    const properties = one?.properties;
    const told = (what: string, found: unknown, wanted: unknown) =>
      JSON.stringify(found) === JSON.stringify(wanted) ? [] : [`${what}: ${JSON.stringify(found)}`];
    const identity = { type: "SystemAssigned" };
    return [
      ...(others.length === 0 ? [] : ["more than one subscription"]),
      ...told("topic", topic?.id?.toLowerCase(), topicId.toLowerCase()),
      ...told("identity", topic?.identity, identity),
      ...told(
        "source",
        String(topic?.properties?.["source"]).endsWith("/rg-orders/providers/Microsoft.KeyVault/vaults/kv-main"),
        true,
      ),
      ...told("types", at(properties, "filter", "includedEventTypes"), acted),
      ...told("advanced", at(properties, "filter", "advancedFilters"), [
        { operatorType: "StringNotBeginsWith", key: "data.ObjectName", values: ["pinion-stage-"] },
      ]),
      ...told("filter", Object.keys(at(properties, "filter") as object), ["includedEventTypes", "advancedFilters"]),
      ...told("schema", at(properties, "eventDeliverySchema"), "CloudEventSchemaV1_0"),
      ...told("retry", at(properties, "retryPolicy"), { maxDeliveryAttempts: 30, eventTimeToLiveInMinutes: 1440 }),
      ...told("delivery", at(properties, "deliveryWithResourceIdentity"), {
        identity,
        destination: {
          endpointType: "StorageQueue",
          properties: { resourceId: storageId, queueName: "pinion-events" },
        },
      }),
      ...told(
        "without identity",
        [at(properties, "destination"), at(properties, "deadLetterDestination")],
        [null, null],
      ),
      ...told("dead letters", at(properties, "deadLetterWithResourceIdentity"), {
        identity,
        deadLetterDestination: {
          endpointType: "StorageBlob",
          properties: { resourceId: storageId, blobContainerName: "dead-letters" },
        },
      }),
    ];
  },
  [
    {
      what: "a type is missing",
      edits: [{ file: "infra/events.json", find: '    "Microsoft.KeyVault.KeyNearExpiry",\n', put: "" }],
      says: /types: /,
    },
    {
      what: "staging objects are told of",
      edits: [{ file: "infra/events.json", find: '"pinion-stage-"', put: '"other-"' }],
      says: /advanced: /,
    },
    {
      what: "dead letters are dropped",
      edits: [{ file: "infra/onboard/events.bicep", find: "deadLetterWithResourceIdentity", put: "//" }],
      says: /dead letters: |BCP/,
    },
    {
      what: "fewer attempts",
      edits: [{ file: "infra/onboard/events.bicep", find: "maxDeliveryAttempts: 30", put: "maxDeliveryAttempts: 3" }],
      says: /retry: /,
    },
    {
      what: "the topic has no identity",
      edits: [{ file: "infra/onboard/events.bicep", find: "identity: { type: 'SystemAssigned' }", put: "" }],
      says: /identity: /,
    },
  ],
);

promise(
  "the topic's rights are there before the subscription is made",
  async (infra) => {
    const found = resourcesIn(await infra.compile("infra/onboard/events.bicep"));
    const subscription = found.find(({ resource }) => resource.type.endsWith("/eventSubscriptions"));
    const waits = at(subscription?.resource, "dependsOn") as readonly string[];
    return ["made", "deadLetterRights", "queueRights"]
      .filter((one) => !waits.includes(one))
      .map((one) => `does not wait for ${one}`);
  },
  [
    {
      what: "it waits for the topic alone",
      edits: [{ file: "infra/onboard/events.bicep", find: "[made, deadLetterRights, queueRights]", put: "[made]" }],
      says: /does not wait for deadLetterRights\ndoes not wait for queueRights/,
    },
  ],
);

const webhook = { by: "webhook", functionAppId };

promise(
  "a webhook to a private app is refused",
  async (infra) => {
    const outcome = await predict(infra, { delivery: webhook }).catch((error: unknown) => error);
    if (!(outcome instanceof Refused)) return ["accepted"];
    return /delivery: a webhook must be reachable from the internet/.test(outcome.message) ? [] : [outcome.message];
  },
  [
    {
      what: "the refusal is gone",
      edits: [
        {
          file: template,
          find: "delivery.by == 'webhook' && network == 'private'",
          put: "delivery.by == 'webhook' && network == 'none'",
        },
      ],
      says: /accepted|BCP/,
    },
  ],
);

describeBicep("onboard.bicep", () => {
  const bed = useInfra();

  test("a webhook of a public app is its Event Grid trigger", async () => {
    const resources = await predict(bed.own, { delivery: webhook, network: "public" });
    const [one] = subscriptionsIn(resources);
    expect(one?.properties?.["destination"]).toMatchObject({
      endpointType: "AzureFunction",
      properties: { resourceId: `${functionAppId}/functions/events-webhook` },
    });
    expect(one?.properties?.["deliveryWithResourceIdentity"]).toBeUndefined();
    expect(bed.own.read("src/main.ts")).toContain('app.eventGrid("events-webhook"');
    expect(assignmentsIn(resources).some((line) => line.includes("/queues/"))).toBe(false);
  });

  test("a topic that is there is taken, in its own resource group, and left as it is", async () => {
    const existingTopic = `/subscriptions/${place.subscriptionId}/resourceGroups/rg-central/providers/Microsoft.EventGrid/systemTopics/vault-events`;
    const resources = await predict(bed.own, { existingTopic });
    expect(ofType(resources, "Microsoft.EventGrid/systemTopics")).toEqual([]);
    expect(subscriptionsIn(resources).map(({ id }) => id)).toEqual([`${existingTopic}/eventSubscriptions/pinion`]);
  });

  test("an identity of a trust zone gets its grants, whatever the case of its id", async () => {
    const zone = "ABCDEF00-0000-4000-8000-000000000000";
    const principal = "22222222-2222-4222-8222-222222222222";
    const scope = grants[0]!.scope;
    const resources = await predict(bed.own, {
      principals: { app, [zone.toLowerCase()]: principal },
      grants: [{ role: "secret", scope, identity: zone }],
    });
    expect(assignmentsIn(resources)).toContain(`secret ${scope} ${principal}`.toLowerCase());
  });

  test("the vault's audit log goes to the workspace, where one is given", async () => {
    const settings = async (workspaceId: string) =>
      ofType(await predict(bed.own, { workspaceId }), "Microsoft.Insights/diagnosticSettings");
    expect(await settings("")).toEqual([]);
    expect(await settings(params.workspaceId)).toHaveLength(1);
  });

  const [first] = params.grants;
  test.each([
    [
      "a role that there is not",
      { grants: [{ ...first, role: "owner" }] },
      /grants: infra\/roles.json has no role owner/,
    ],
    [
      "a scope that is no ARM id",
      { grants: [{ ...first, scope: `https://kv.vault.azure.net/secrets/${"x".repeat(60)}` }] },
      /grants: https:\S+ is no ARM id/,
    ],
    [
      "a subscription as a scope",
      { grants: [{ ...first, scope: `/subscriptions/${place.subscriptionId}/providers/Microsoft.X/y` }] },
      /is no ARM id of a resource or a resource group/,
    ],
    [
      "an identity without an object id",
      { grants: [{ ...first, identity: app }] },
      /principals: the identity \S+ is missing/,
    ],
    ["no principal", { principals: {} }, /app/],
    ["a client id that is no GUID", { principals: { app: "me" } }, /principals|minLength|too short|36/],
    ["a vault's name that is too long", { vaultName: "x".repeat(25) }, /vaultName|24/],
    ["another network", { network: "open" }, /network|public/],
    ["no delivery", { delivery: undefined }, /delivery/],
  ])("is refused with a sentence: %s", async (_what, changes, says) => {
    await expect(predict(bed.own, changes)).rejects.toThrow(says);
  });
});
