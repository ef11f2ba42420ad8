import type { EventGrid } from "../event-grid.ts";
import type { Metrics, Shown } from "../shown.ts";
import type { Subscription } from "./subscription.ts";

/** The system topic of a vault. */
export interface SystemTopic {
  /** As subscriptions name it: the vault's name. */
  readonly vault: string;
  /** ARM ids of the topic and of its vault. */
  readonly id: string;
  readonly source: string;
}

/** System topics and their subscriptions as ARM shows them. `account` is the ARM id of the storage that they deliver into. */
export function shownTopics(
  topics: readonly SystemTopic[],
  subscriptions: readonly Subscription[],
  account: string,
): readonly Shown[] {
  return topics.flatMap(({ vault, id, source }) => [
    {
      id,
      identity: { type: "SystemAssigned" },
      properties: { source, topicType: "Microsoft.KeyVault.vaults", provisioningState: "Succeeded" },
    },
    ...subscriptions.filter(({ topic }) => topic === vault).map((one) => shownSubscription(id, one, account)),
  ]);
}

function shownSubscription(topic: string, one: Subscription, account: string): Shown {
  const { name, destination, deadLetter, identity, filters, retry, schema } = one;
  const delivers =
    destination.type === "storageQueue"
      ? { endpointType: "StorageQueue", properties: { resourceId: account, queueName: destination.queue } }
      : { endpointType: "WebHook", properties: { endpointBaseUrl: destination.url.split("?")[0] } };
  const buries = deadLetter && {
    endpointType: "StorageBlob",
    properties: { resourceId: account, blobContainerName: deadLetter.container },
  };
  const by = identity && { identity: { type: identity } };
  return {
    id: `${topic}/eventSubscriptions/${name}`,
    properties: {
      provisioningState: "Succeeded",
      ...(by ? { deliveryWithResourceIdentity: { ...by, destination: delivers } } : { destination: delivers }),
      ...(buries &&
        (by
          ? { deadLetterWithResourceIdentity: { ...by, deadLetterDestination: buries } }
          : { deadLetterDestination: buries })),
      filter: { subjectBeginsWith: "", subjectEndsWith: "", isSubjectCaseSensitive: false, ...filters },
      eventDeliverySchema: schema,
      retryPolicy: { maxDeliveryAttempts: 30, eventTimeToLiveInMinutes: 1440, ...retry },
    },
  };
}

const ends = ["Delivered", "DeadLettered", "Dropped", "Lost"];

/** The figures of a topic's deliveries, out of the log of what was really tried. */
export function deliveryMetrics(eventGrid: Pick<EventGrid, "log">): Metrics {
  return (_topic, query) => {
    const name = /EventSubscriptionName eq '([^']*)'/.exec(query.get("$filter") ?? "")?.[1];
    const [from = "", to = ""] = (query.get("timespan") ?? "").split("/").map(Date.parse);
    const logged = eventGrid.log().filter(({ subscription, time }) => {
      const at = Date.parse(time);
      return (name === undefined || subscription === name) && at >= Number(from) && at <= Number(to);
    });
    const count = (...outcomes: readonly string[]) => logged.filter(({ outcome }) => outcomes.includes(outcome)).length;
    const all: Readonly<Record<string, number>> = {
      MatchedEventCount: count(...ends),
      DeliverySuccessCount: count("Delivered"),
      DeliveryAttemptFailCount: logged.length - count(...ends, "AwaitingHandshake"),
      DeadLetteredCount: count("DeadLettered"),
      DroppedEventCount: count("Dropped", "Lost"),
    };
    const wanted = (query.get("metricnames") ?? "").split(",");
    return Object.fromEntries(Object.entries(all).filter(([metric]) => wanted.includes(metric)));
  };
}
