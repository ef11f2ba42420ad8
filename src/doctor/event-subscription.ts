import { z } from "zod";
import type { PolicyVault } from "../policy.ts";
import { acted, eventFilter } from "../triggers/key-vault-events.ts";
import { accountName, readAccount } from "./account.ts";
import type { Context } from "./context.ts";
import { type Check, eachOf, fault, ok, type Said, warning } from "./finding.ts";
import { nameOf } from "./read-arm.ts";
import {
  deadLetterOf,
  destinationOf,
  isAstray,
  isOurs,
  type Subscription,
  subscriptionsOf,
  type Topic,
  topicOf,
} from "./topics.ts";
import { eventVaultsOf, hostOf } from "./vault.ts";

/** That the vault's topic has a subscription of Pinion's, which lets through and delivers what the trigger acts on. */
export const eventSubscription: Check<Context> = {
  id: "event-subscription",
  area: "Events",
  about: "each vault's events come to this app: destination, types, filters, dead letter, identity",
  needs: ["settings", "identity", "policy"],
  async run(context, signal) {
    return eachOf(await eventVaultsOf(context), hostOf, async (vault) => {
      const topic = await topicOf(context, vault, signal);
      return topic === undefined ? [] : await look(context, vault, topic, signal);
    });
  },
};

async function look(context: Context, vault: PolicyVault, topic: Topic, signal: AbortSignal): Promise<readonly Said[]> {
  const host = hostOf(vault);
  const all = await subscriptionsOf(context, topic, signal);
  const ours = all.filter((one) => isOurs(context, one));
  if (ours.length > 0) {
    const said = await Promise.all(ours.map((one) => judge(context, vault, topic, one, signal)));
    // One that is whole is enough.
    return said.find((one) => one.every(({ level }) => level === "ok")) ?? said.flat();
  }
  const queue = `queue ${context.config.eventsQueue} of ${accountName(context.hostStorage)}`;
  const [astray] = all.filter((one) => isAstray(context, one));
  if (astray !== undefined) {
    const { queueName, resourceId } = destinationOf(astray)?.properties ?? {};
    const goes = `queue ${queueName} of ${nameOf(resourceId ?? "")}`;
    return [
      fault(
        host,
        `its subscription ${astray.name} delivers to ${goes}, and the app reads ${queue}`,
        "Deploy infra/onboard.bicep with this app's storage id and queue.",
      ),
    ];
  }
  return [
    fault(
      host,
      `its system topic ${topic.name} has no subscription for ${queue}`,
      `Deploy infra/onboard.bicep with existingTopic '${topic.name}': a vault has one system topic, and this one is there already.`,
    ),
  ];
}

async function judge(
  context: Context,
  vault: PolicyVault,
  topic: Topic,
  one: Subscription,
  signal: AbortSignal,
): Promise<readonly Said[]> {
  const host = hostOf(vault);
  const { properties, name } = one;
  const again = "Deploy infra/onboard.bicep again.";
  const said: Said[] = [];
  const state = properties.provisioningState ?? "Succeeded";
  if (state !== "Succeeded")
    said.push(
      fault(
        host,
        `subscription ${name} is ${state}`,
        state === "AwaitingManualAction"
          ? "Its webhook did not answer the handshake: start the app, then deploy the subscription again."
          : again,
      ),
    );
  const ends = properties.expirationTimeUtc;
  if (ends && Date.parse(ends) < context.now() + 30 * 86_400_000)
    said.push(
      fault(host, `subscription ${name} ends ${ends.slice(0, 10)}`, `Take its expiration away: ${again.toLowerCase()}`),
    );
  if (properties.eventDeliverySchema === "CustomInputSchema")
    said.push(fault(host, `subscription ${name} delivers in a custom schema`, again));
  said.push(...(await filters(context, vault, one)), ...(await delivery(context, host, topic, one, signal)));
  return said.length > 0 ? said : [ok(host, `subscription ${name} delivers here`)];
}

/** What a filter keeps from the app. */
async function filters(
  context: Context,
  vault: PolicyVault,
  { name, properties }: Subscription,
): Promise<readonly Said[]> {
  const host = hostOf(vault);
  const { includedEventTypes, subjectBeginsWith, subjectEndsWith, advancedFilters } = properties.filter ?? {};
  const { policy } = await context.policy();
  const here = (policy?.objects ?? []).filter((object) => policy?.vaults[object.vault]?.uri === vault.uri);
  const begins = (subjectBeginsWith ?? "").toLowerCase();
  const ends = (subjectEndsWith ?? "").toLowerCase();
  const kept = here.filter(({ name }) => !(name.toLowerCase().startsWith(begins) && name.toLowerCase().endsWith(ends)));
  const types = includedEventTypes?.map((type) => type.toLowerCase());
  const foreign = (advancedFilters ?? []).filter((one) => !isOurFilter(one));
  const missing = acted.filter((type) => types !== undefined && !types.includes(type.toLowerCase()));
  const todo = "Deploy infra/onboard.bicep again: its filters are what the app acts on.";
  return [
    ...(missing.length === 0
      ? []
      : [
          fault(
            host,
            `subscription ${name} leaves out ${missing.map((type) => type.split(".").at(-1)).join(", ")}`,
            todo,
          ),
        ]),
    ...(kept.length === 0
      ? []
      : [fault(host, `subscription ${name} filters out ${kept.map(({ id }) => id).join(", ")}`, todo)]),
    ...(foreign.length === 0
      ? []
      : [
          warning(host, `subscription ${name} has advanced filters of somebody else, which may hold events back`, todo),
        ]),
  ];
}

const advanced = z.object({ operatorType: z.string(), key: z.string(), values: z.array(z.string()) });

/** Whether it is one that infra/onboard.bicep sets, and holds back no more than that one does. Event Grid compares without case. */
function isOurFilter(found: unknown): boolean {
  const { success, data } = advanced.safeParse(found);
  if (!success) return false;
  const plain = ({ operatorType, key, values }: z.output<typeof advanced>) =>
    JSON.stringify([operatorType, key, values.toSorted()]).toLowerCase();
  return eventFilter.advancedFilters.some((ours) => plain({ ...ours, values: [...ours.values] }) === plain(data));
}

/** With whose right the topic writes into the queue, and where what cannot be delivered goes. */
async function delivery(
  context: Context,
  host: string,
  topic: Topic,
  one: Subscription,
  signal: AbortSignal,
): Promise<readonly Said[]> {
  const { name, properties } = one;
  const again = "Deploy infra/onboard.bicep again.";
  const said: Said[] = [];
  if (deadLetterOf(one) === undefined)
    said.push(
      warning(
        host,
        `subscription ${name} has no dead-letter container: what cannot be delivered is lost unseen`,
        again,
      ),
    );
  if (destinationOf(one)?.endpointType !== "StorageQueue") return said;
  const identity = properties.deliveryWithResourceIdentity?.identity?.type;
  if (!identity)
    return [
      ...said,
      fault(
        host,
        `subscription ${name} delivers with the account's key, which is off`,
        `Let it deliver with the topic's identity: ${again.toLowerCase()}`,
      ),
    ];
  const own = topic.identity?.type ?? "None";
  if (identity === "SystemAssigned" && !own.includes("SystemAssigned"))
    return [
      ...said,
      fault(
        host,
        `subscription ${name} delivers as the topic ${topic.name}, which has no identity`,
        "Switch the topic's system-assigned identity on and give it the sender role on the queue: deploy infra/onboard.bicep again.",
      ),
    ];
  const account = await readAccount(context, context.hostStorage, signal).catch(() => undefined);
  const shut = account?.publicNetworkAccess === "Disabled" || account?.networkAcls?.defaultAction === "Deny";
  if (!shut) return said;
  if (identity !== "SystemAssigned")
    said.push(
      fault(
        host,
        `subscription ${name} delivers with a user-assigned identity, which a storage firewall keeps out`,
        "Let it deliver with the topic's system-assigned identity.",
      ),
    );
  // "AzureServices" among others, as in "Logging, AzureServices".
  if (!(account?.networkAcls?.bypass ?? "").includes("AzureServices"))
    said.push(
      fault(
        accountName(context.hostStorage),
        "its firewall keeps Event Grid out",
        "Allow trusted Azure services (networkAcls.bypass: AzureServices) on the account of the queue.",
      ),
    );
  return said;
}
