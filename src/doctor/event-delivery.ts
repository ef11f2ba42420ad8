import { z } from "zod";
import type { Context } from "./context.ts";
import { type Check, eachOf, fault, ok, type Said, warning } from "./finding.ts";
import { readArm } from "./read-arm.ts";
import { isOurs, type Subscription, subscriptionsOf, type Topic, topicOf } from "./topics.ts";
import { eventVaultsOf, hostOf } from "./vault.ts";

const counts = [
  "MatchedEventCount",
  "DeliverySuccessCount",
  "DeliveryAttemptFailCount",
  "DeadLetteredCount",
  "DroppedEventCount",
] as const;
type Counts = Readonly<Record<(typeof counts)[number], number>>;

const schema = z.object({
  value: z.array(
    z.object({
      name: z.object({ value: z.string() }),
      timeseries: z.array(z.object({ data: z.array(z.object({ total: z.number().nullish() })) })),
    }),
  ),
});

/** What became of the events of the last day, by Azure Monitor's count. */
export const eventDelivery: Check<Context> = {
  id: "event-delivery",
  area: "Events",
  about: "the events of the last 24 hours were delivered, none was dead-lettered or dropped",
  needs: ["settings", "identity", "policy"],
  async run(context, signal) {
    return eachOf(await eventVaultsOf(context), hostOf, async (vault) => {
      const topic = await topicOf(context, vault, signal);
      if (topic === undefined) return [];
      const ours = (await subscriptionsOf(context, topic, signal)).filter((one) => isOurs(context, one));
      const told = await Promise.all(ours.map((one) => count(context, topic, one, signal)));
      return told.flatMap((one, at) => judge(hostOf(vault), ours[at]?.name ?? "", one));
    });
  },
};

async function count(context: Context, topic: Topic, { name }: Subscription, signal: AbortSignal): Promise<Counts> {
  // In whole seconds, the one that runs included.
  const at = (time: number) => `${new Date(time).toISOString().slice(0, 19)}Z`;
  const now = context.now() + 1000;
  const query = new URLSearchParams({
    metricnames: counts.join(","),
    timespan: `${at(now - 86_400_000)}/${at(now)}`,
    interval: "PT1H",
    aggregation: "Total",
    // Unconfirmed whether the dimension is compared with case.
    $filter: `EventSubscriptionName eq '${name}'`,
  });
  const path = `${topic.id}/providers/Microsoft.Insights/metrics?${query.toString()}`;
  const found = await readArm(context, path, "2023-10-01", schema, signal);
  const total = (metric: string) =>
    (found?.value ?? [])
      .filter(({ name }) => name.value === metric)
      .flatMap(({ timeseries }) => timeseries.flatMap(({ data }) => data))
      .reduce((sum, { total }) => sum + (total ?? 0), 0);
  return Object.fromEntries(counts.map((metric) => [metric, total(metric)])) as Counts;
}

function judge(host: string, name: string, told: Counts): readonly Said[] {
  const { MatchedEventCount: matched, DeliverySuccessCount: delivered, DeliveryAttemptFailCount: failed } = told;
  const lost = told.DeadLetteredCount + told.DroppedEventCount;
  const said: Said[] = [];
  if (failed > 0 && delivered === 0)
    said.push(
      fault(
        host,
        `subscription ${name} failed ${failed} times in 24 hours and delivered nothing`,
        "Give the topic's identity Storage Queue Data Message Sender on the queue, and let trusted services through the account's firewall.",
      ),
    );
  if (lost > 0)
    said.push(
      warning(
        host,
        `subscription ${name} gave up ${lost} events in 24 hours`,
        "Read why in the dead-letter container; the sweep finds what they told of.",
      ),
    );
  return said.length > 0
    ? said
    : [
        ok(
          host,
          matched === 0
            ? `subscription ${name}: no event in 24 hours`
            : `subscription ${name} delivered ${delivered} of ${matched} events in 24 hours`,
        ),
      ];
}
