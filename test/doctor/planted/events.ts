import { findsNearby } from "../deployed.ts";
import { eventsQueue } from "../../../local/cloud/cloud.ts";
import { storageId } from "../../../local/cloud/shown.ts";
import {
  topicId,
  subscription,
  host,
  pretend,
  withProperties,
  subscribed,
  without,
  blobs,
  queue,
  webhookCode,
  type Planted,
} from "./plant.ts";

export const inEvents: readonly Planted[] = [
  {
    name: "a vault whose system topic was deleted",
    plant: pretend(topicId, () => undefined),
    finds: { check: "event-topic", level: "fault", subject: host, says: /^has no system topic, so nobody hears/ },
  },
  {
    name: "a system topic that is in another resource group, or nowhere, where the doctor may look in one alone",
    plant(clinic) {
      clinic.assign(undefined, findsNearby);
      const back = pretend(topicId, () => undefined)(clinic);
      return () => {
        back();
        clinic.assign();
      };
    },
    finds: { check: "event-topic", level: "unknown", subject: host, says: /no system topic in its resource group/ },
  },
  {
    name: "a system topic that failed",
    plant: withProperties(topicId, { provisioningState: "Failed" }),
    finds: { check: "event-topic", level: "fault", subject: host, says: /which is Failed/ },
  },
  {
    name: "a system topic of somebody else",
    plant: subscribed((one) => ({
      ...one,
      destination: { type: "webhook", url: `https://audit.contoso.com/events?code=${webhookCode}` },
    })),
    finds: {
      check: "event-subscription",
      level: "fault",
      subject: host,
      says: /has no subscription for queue pinion-events/,
    },
  },
  {
    name: "a subscription to another queue",
    plant: subscribed((one) => ({
      ...one,
      destination: {
        ...(one.destination as { connectionString: string }),
        type: "storageQueue",
        queue: "pinion-event",
      },
    })),
    finds: {
      check: "event-subscription",
      level: "fault",
      subject: host,
      says: /delivers to queue pinion-event of devstoreaccount1, and the app reads/,
    },
  },
  {
    name: "a subscription whose deployment failed",
    plant: withProperties(`${topicId}/eventSubscriptions/${subscription}`, { provisioningState: "Failed" }),
    finds: { check: "event-subscription", level: "fault", subject: host, says: /is Failed/ },
  },
  {
    name: "a subscription that leaves types out",
    plant: subscribed(({ filters, ...one }) => ({
      ...one,
      filters: {
        ...filters,
        includedEventTypes: filters!.includedEventTypes!.filter((type) => !type.includes("Expired")),
      },
    })),
    finds: {
      check: "event-subscription",
      level: "fault",
      subject: host,
      says: /leaves out SecretExpired, CertificateExpired, KeyExpired/,
    },
  },
  {
    name: "a subscription that filters objects out",
    plant: subscribed((one) => ({ ...one, filters: { ...one.filters, subjectBeginsWith: "reports" } })),
    finds: { check: "event-subscription", level: "fault", subject: host, says: /filters out orders-db$/ },
  },
  {
    name: "a subscription with a filter of somebody else",
    plant: subscribed((one) => ({
      ...one,
      filters: {
        ...one.filters,
        advancedFilters: [{ operatorType: "StringBeginsWith", key: "data.ObjectName", values: ["orders-"] }],
      },
    })),
    finds: { check: "event-subscription", level: "warning", subject: host, says: /advanced filters of somebody else/ },
  },
  {
    name: "a subscription with our filter for more names",
    plant: subscribed((one) => ({
      ...one,
      filters: {
        ...one.filters,
        advancedFilters: one.filters!.advancedFilters!.map((ours) => ({ ...ours, values: [...ours.values, "orders"] })),
      },
    })),
    finds: { check: "event-subscription", level: "warning", subject: host, says: /advanced filters of somebody else/ },
  },
  {
    name: "a subscription without dead letters",
    plant: subscribed((one) => without(one, "deadLetter")),
    finds: { check: "event-subscription", level: "warning", subject: host, says: /no dead-letter container/ },
  },
  {
    name: "a subscription that delivers with a key",
    plant: subscribed((one) => without(one, "identity")),
    finds: { check: "event-subscription", level: "fault", subject: host, says: /delivers with the account's key/ },
  },
  {
    name: "a topic that lost its identity",
    plant: pretend(topicId, (shown) => ({ ...shown, identity: { type: "None" } })),
    finds: { check: "event-subscription", level: "fault", subject: host, says: /which has no identity/ },
  },
  {
    name: "a storage firewall without the trusted services",
    plant: withProperties(storageId, { networkAcls: { defaultAction: "Deny", bypass: "None" } }),
    finds: { check: "event-subscription", level: "fault", subject: /^devstoreaccount1$/, says: /keeps Event Grid out/ },
  },
  {
    name: "no queue",
    async plant(clinic) {
      await queue(clinic, eventsQueue).delete();
      return () => queue(clinic, eventsQueue).createIfNotExists();
    },
    finds: {
      check: "event-queue",
      level: "fault",
      subject: /^pinion-events of devstoreaccount1$/,
      says: /does not exist/,
    },
  },
  {
    name: "a poisoned event",
    async plant(clinic) {
      await queue(clinic, `${eventsQueue}-poison`).createIfNotExists();
      await queue(clinic, `${eventsQueue}-poison`).sendMessage("e30=");
      return () => queue(clinic, `${eventsQueue}-poison`).delete();
    },
    finds: { check: "event-queue", level: "warning", subject: /^pinion-events-poison$/, says: /holds 1 events/ },
  },
  {
    name: "a dead letter",
    async plant(clinic) {
      const blob = blobs(clinic).getContainerClient("dead-letters").getBlockBlobClient("A/1.json");
      await blob.upload("[]", 2);
      return () => blob.delete();
    },
    finds: {
      check: "event-queue",
      level: "warning",
      subject: /^dead-letters$/,
      says: /holds 1 events that Event Grid gave up/,
    },
  },
  {
    name: "a topic for our events that is not there",
    patient: ({ cloud }) => ({ env: { PINION_TOPIC_ENDPOINT: cloud.azure.topicEndpoint("rotations") } }),
    finds: { check: "event-publishing", level: "fault", subject: host, says: /knows no such topic/ },
  },
];
