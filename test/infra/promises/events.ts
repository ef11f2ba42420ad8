import { acted } from "../../../src/triggers/key-vault-events.ts";
import { stagingName } from "../../../src/vault/staging.ts";
import { at, ofType, type Resource } from "../harness/arm.ts";
import type { Promised } from "../harness/promise.ts";
import { given, predictions, vaults } from "../harness/scenarios.ts";

// What Event Grid sends is what the trigger acts on, nothing is lost when it cannot be delivered, and no key delivers it.

/** What the trigger ignores by name, and Event Grid need not send: the siblings that candidates are staged in. */
const staged = [
  {
    operatorType: "StringNotBeginsWith",
    key: "data.ObjectName",
    values: [stagingName("any").replace(/[0-9a-f]+$/, "")],
  },
];

const sorted = (values: unknown): string => JSON.stringify([...((values ?? []) as string[])].toSorted());

function faultsOf(subscription: Resource, scenario: string): string[] {
  const p = (...path: string[]) => at(subscription, "properties", ...path);
  const byQueue = scenario !== "by webhook";
  const rules: readonly (readonly [boolean, string])[] = [
    [sorted(p("filter", "includedEventTypes")) === sorted(acted), "other event types than the trigger acts on"],
    [
      JSON.stringify(p("filter", "advancedFilters") ?? []) === JSON.stringify(staged),
      "another advanced filter than by the names of staging siblings",
    ],
    [
      Object.keys(p("filter") as object).every((key) => ["includedEventTypes", "advancedFilters"].includes(key)),
      "a filter that this test does not know",
    ],
    [p("eventDeliverySchema") === "CloudEventSchemaV1_0", "another schema than CloudEvents"],
    [p("retryPolicy", "maxDeliveryAttempts") === 30, "fewer attempts than Event Grid makes"],
    [p("retryPolicy", "eventTimeToLiveInMinutes") === 1440, "a shorter life of events than a day"],
    [
      p("deadLetterWithResourceIdentity", "identity", "type") === "SystemAssigned",
      "dead letters without the topic's system-assigned identity",
    ],
    [
      p("deadLetterWithResourceIdentity", "deadLetterDestination", "properties", "resourceId") === given.storage &&
        p("deadLetterWithResourceIdentity", "deadLetterDestination", "properties", "blobContainerName") ===
          "dead-letters",
      "dead letters elsewhere than in the container of the app",
    ],
    [p("deadLetterDestination") === undefined, "dead letters that are written with a key"],
    [
      !byQueue || p("deliveryWithResourceIdentity", "identity", "type") === "SystemAssigned",
      "delivery without the topic's system-assigned identity",
    ],
    [!byQueue || p("destination") === undefined, "delivery with a key"],
    [
      !byQueue ||
        (p("deliveryWithResourceIdentity", "destination", "endpointType") === "StorageQueue" &&
          p("deliveryWithResourceIdentity", "destination", "properties", "queueName") === "pinion-events"),
      "delivery elsewhere than into the queue",
    ],
    [byQueue || p("destination", "endpointType") === "AzureFunction", "delivery elsewhere than to the trigger"],
  ];
  return rules.filter(([holds]) => !holds).map(([, fault]) => `${subscription.name} has ${fault}`);
}

const file = "infra/onboard/events.bicep";

export const events: Promised = {
  name: "Event Grid sends what the trigger acts on, and loses nothing",
  scenarios: vaults,
  async check(infra, scenarios) {
    const found = await predictions(infra, scenarios);
    return found.flatMap(({ name, resources }) => {
      const subscriptions = ofType(resources, "Microsoft.EventGrid/systemTopics/eventSubscriptions");
      const topics = ofType(resources, "Microsoft.EventGrid/systemTopics");
      const faults = [
        ...(subscriptions.length === 1 ? [] : [`${subscriptions.length} event subscriptions, not one`]),
        ...(topics.length === (name === "its topic exists" ? 0 : 1) ? [] : [`${topics.length} system topics`]),
        ...topics
          .filter(({ identity }) => identity?.type !== "SystemAssigned")
          .map((topic) => `${topic.name} has another identity than a firewalled account lets in`),
        ...subscriptions.flatMap((one) => faultsOf(one, name)),
      ];
      return faults.map((fault) => `${name}: ${fault}`);
    });
  },
  mutations: [
    {
      what: "a type of event is left out",
      in: "by queue",
      edits: [{ file: "infra/events.json", find: `    "Microsoft.KeyVault.KeyNearExpiry",\n`, put: "" }],
      says: /other event types than the trigger acts on/,
    },
    {
      what: "a type is sent that the trigger ignores",
      in: "by queue",
      edits: [
        {
          file: "infra/events.json",
          find: `"Microsoft.KeyVault.KeyNearExpiry"`,
          put: `"Microsoft.KeyVault.KeyNearExpiry", "Microsoft.KeyVault.KeyNewVersionCreated"`,
        },
      ],
      says: /other event types than the trigger acts on/,
    },
    {
      what: "a name filter keeps more away",
      in: "by queue",
      edits: [{ file: "infra/events.json", find: "pinion-stage-", put: "p" }],
      says: /another advanced filter/,
    },
    {
      what: "there are no dead letters",
      in: "by webhook",
      edits: [
        {
          file,
          find: "    deadLetterWithResourceIdentity: {\n      identity: systemAssigned\n",
          put: "    deadLetterWithResourceIdentity: {\n",
        },
      ],
      says: /dead letters without the topic's system-assigned identity/,
    },
    {
      what: "events are delivered with a key",
      in: "by queue",
      edits: [
        {
          file,
          find: "          deliveryWithResourceIdentity: {\n            identity: systemAssigned\n",
          put: "          deliveryWithResourceIdentity: {\n",
        },
      ],
      says: /delivery without the topic's system-assigned identity/,
    },
    {
      what: "events are given up soon",
      in: "by queue",
      edits: [{ file, find: "maxDeliveryAttempts: 30", put: "maxDeliveryAttempts: 3" }],
      says: /fewer attempts/,
    },
    {
      what: "the topic has no identity",
      in: "by queue",
      edits: [{ file, find: "  identity: { type: 'SystemAssigned' }\n", put: "" }],
      says: /another identity than a firewalled account lets in/,
    },
  ],
};
