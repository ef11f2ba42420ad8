import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { findRotator } from "../../rotators/index.ts";
import { findConsumer } from "../../src/consumers/index.ts";
import { grantsOf } from "../../src/grants.ts";
import { fleet, policyOf } from "../grants/fleet.ts";
import { at, isExpression, ofType, type Resource, resourcesIn } from "./harness/arm.ts";
import { type Infra, place, Refused } from "./harness/infra.ts";
import { describeBicep, type Promised, testPromise, useInfra } from "./harness/promise.ts";

// What infra/onboard.bicep makes of a policy with every rotator and every kind of consumer. What holds of all templates is in promises/.

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
  subscriptionName: "func-pinion",
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

const subscriptionsIn = (resources: readonly Resource[]) =>
  ofType(resources, "Microsoft.EventGrid/systemTopics/eventSubscriptions");

const webhook = { by: "webhook", functionAppId };

const webhookToPrivate: Promised = {
  name: "a webhook to a private app is refused",
  scenarios: {},
  async check(infra) {
    const outcome = await predict(infra, { delivery: webhook }).catch((error: unknown) => error);
    if (!(outcome instanceof Refused)) return ["accepted"];
    return /delivery: a webhook must be reachable from the internet/.test(outcome.message) ? [] : [outcome.message];
  },
  mutations: [
    {
      what: "the refusal is gone",
      edits: [{ file: template, find: "network == 'private'", put: "network == 'none'" }],
      says: /accepted|BCP/,
    },
  ],
};

const rightsFirst: Promised = {
  name: "the topic's rights are there before its subscription is made",
  scenarios: {},
  async check(infra) {
    const found = resourcesIn(await infra.compile("infra/onboard/events.bicep"));
    const subscription = found.find(({ resource }) => resource.type.endsWith("/eventSubscriptions"));
    const waits = at(subscription?.resource, "dependsOn") as readonly string[];
    const before = ["made", "senders"];
    return before.filter((one) => !waits.includes(one)).map((one) => `does not wait for ${one}`);
  },
  mutations: [
    {
      what: "it waits for the topic alone",
      edits: [{ file: "infra/onboard/events.bicep", find: "[made, senders]", put: "[made]" }],
      says: /does not wait for senders/,
    },
  ],
};

describeBicep("onboard.bicep", () => {
  const bed = useInfra();
  testPromise(webhookToPrivate, bed);
  testPromise(rightsFirst, bed);

  test("each role is assigned once at each place where the policy needs it, and nothing else is", async () => {
    expect(assignmentsIn(await predict(bed.own)).toSorted()).toEqual(expected.toSorted());
  });

  test("a webhook of a public app is its Event Grid trigger", async () => {
    const resources = await predict(bed.own, { delivery: webhook, network: "public" });
    const [one] = subscriptionsIn(resources);
    expect(one?.properties?.["destination"]).toMatchObject({
      endpointType: "AzureFunction",
      properties: { resourceId: `${functionAppId}/functions/events-webhook` },
    });
    expect(one?.properties?.["deliveryWithResourceIdentity"]).toBeUndefined();
    expect(readFileSync(new URL("../../src/main.ts", import.meta.url), "utf8")).toContain(
      'app.eventGrid("events-webhook"',
    );
    expect(assignmentsIn(resources).some((line) => line.includes("/queues/"))).toBe(false);
  });

  test("a topic that is there is taken, in its own resource group, and left as it is", async () => {
    const existingTopic = `/subscriptions/${place.subscriptionId}/resourceGroups/rg-central/providers/Microsoft.EventGrid/systemTopics/vault-events`;
    const resources = await predict(bed.own, { existingTopic });
    expect(ofType(resources, "Microsoft.EventGrid/systemTopics")).toEqual([]);
    expect(subscriptionsIn(resources).map(({ id }) => id)).toEqual([`${existingTopic}/eventSubscriptions/func-pinion`]);
  });

  test("an identity of a trust zone gets its grants, whatever the case of its id", async () => {
    const zone = "ABCDEF00-0000-4000-8000-000000000000";
    const principal = "22222222-2222-4222-8222-222222222222";
    const { scope } = grants.find(({ role }) => role === "secret")!;
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
    // By the workspace: a second Pinion, with a workspace of its own, leaves this one's as it is.
    expect((await settings(params.workspaceId)).map(({ name }) => name)).toEqual(["pinion-log"]);
  });

  const rule = `/subscriptions/${place.subscriptionId}/resourceGroups/rg-siem/providers/Microsoft.EventHub/namespaces/evhns/authorizationRules/diagnostics`;
  const eventHub = { authorizationRuleId: rule, name: "siem" };

  test("the vault's audit log goes to an event hub too, where one is named", async () => {
    const settings = async (changes: Readonly<Record<string, unknown>>) =>
      ofType(await predict(bed.own, changes), "Microsoft.Insights/diagnosticSettings").map(
        ({ properties = {} }) => properties,
      );
    const [plain] = await settings({});
    expect(plain?.["eventHubName"] ?? undefined).toBeUndefined();
    expect(plain?.["eventHubAuthorizationRuleId"] ?? undefined).toBeUndefined();
    expect(await settings({ eventHub })).toEqual([
      expect.objectContaining({
        workspaceId: params.workspaceId,
        eventHubAuthorizationRuleId: rule,
        eventHubName: "siem",
      }),
    ]);
  });

  test("without senders the topic gets nothing in Pinion's account, and Pinion's operator gives it the same by senders.bicep", async () => {
    const rights = (resources: readonly Resource[]) =>
      ofType(resources, "Microsoft.Authorization/roleAssignments").filter(({ id = "" }) => id.includes(storageId));
    expect(rights(await predict(bed.own, { assignSenders: false }))).toEqual([]);
    const topicPrincipalId = "55555555-5555-4555-8555-555555555555";
    const { resources } = await bed.own.predict({
      template: "infra/onboard/senders.bicep",
      params: { storageId, container: "dead-letters", queue: "pinion-events", topicPrincipalId },
    });
    expect(assignmentsIn(resources).toSorted()).toEqual(
      assignmentsIn(rights(await predict(bed.own)))
        .map((one) => one.replace(/topic$/, topicPrincipalId))
        .toSorted(),
    );
  });

  test("dead letters raise an alert beside the topic, and call the action groups", async () => {
    const actionGroupIds = [
      `/subscriptions/${place.subscriptionId}/resourceGroups/rg-app/providers/Microsoft.Insights/actionGroups/ag`,
    ];
    const rules = ofType(await predict(bed.own, { actionGroupIds }), "Microsoft.Insights/metricAlerts");
    expect(rules).toHaveLength(2);
    for (const { name, properties } of rules) {
      expect(name).toContain("func-pinion");
      expect(at(properties, "criteria", "allOf", 0, "dimensions", 0, "values")).toEqual(["func-pinion"]);
      expect(at(properties, "scopes", 0)).toBe(topicId);
      expect(at(properties, "actions", 0, "actionGroupId")).toBe(actionGroupIds[0]);
    }
  });

  const [first] = params.grants;
  test.each([
    [
      "an event hub without a workspace",
      { eventHub, workspaceId: "" },
      /eventHub: it gets a copy of what the workspace gets\. Give workspaceId/,
    ],
    [
      "an event hub by its own ARM id",
      {
        eventHub: {
          ...eventHub,
          authorizationRuleId: rule.replace("authorizationRules/diagnostics", "eventhubs/siem"),
        },
      },
      /eventHub: \S+ is no authorization rule of an Event Hubs namespace/,
    ],
    [
      "a rule of one event hub alone",
      { eventHub: { ...eventHub, authorizationRuleId: rule.replace("evhns/", "evhns/eventhubs/siem/") } },
      /eventHub: \S+ is no authorization rule of an Event Hubs namespace/,
    ],
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
      "a scope in no resource group",
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
    [
      "dead letters in another account than the queue",
      { deadLetter: { storageId: `${storageId}2`, container: "dead-letters" } },
      /deadLetter: expected the storage account of the queue/,
    ],
    ["no delivery", { delivery: undefined }, /delivery/],
  ])("is refused with a sentence: %s", async (_what, changes, says) => {
    await expect(predict(bed.own, changes)).rejects.toThrow(says);
  });
});
