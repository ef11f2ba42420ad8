import { z } from "zod";
import { lacking } from "../azure/permissions.ts";
import { subscriptionOf } from "../azure/role.ts";
import { PinionError } from "../errors.ts";
import type { PolicyVault } from "../policy.ts";
import { accountName } from "./account.ts";
import { type Context, once } from "./context.ts";
import { unseen } from "./finding.ts";
import { listArm, nameOf, sameId, roleFor, scopeOf } from "./read-arm.ts";
import { siteId } from "./site.ts";

const version = "2025-02-15";

const topic = z.object({
  id: z.string(),
  name: z.string(),
  identity: z.object({ type: z.string().nullish() }).nullish(),
  properties: z.object({ source: z.string(), provisioningState: z.string().nullish() }),
});
export type Topic = z.output<typeof topic>;

const destination = z.object({
  endpointType: z.string(),
  properties: z.object({
    resourceId: z.string().nullish(),
    queueName: z.string().nullish(),
    blobContainerName: z.string().nullish(),
    endpointBaseUrl: z.string().nullish(),
  }),
});
export type Destination = z.output<typeof destination>;
const identified = z.object({
  identity: z.object({ type: z.string().nullish() }).nullish(),
  destination: destination.nullish(),
  deadLetterDestination: destination.nullish(),
});

const subscription = z.object({
  id: z.string(),
  name: z.string(),
  properties: z.object({
    provisioningState: z.string().nullish(),
    destination: destination.nullish(),
    deliveryWithResourceIdentity: identified.nullish(),
    deadLetterDestination: destination.nullish(),
    deadLetterWithResourceIdentity: identified.nullish(),
    filter: z
      .object({
        includedEventTypes: z.array(z.string()).nullish(),
        subjectBeginsWith: z.string().nullish(),
        subjectEndsWith: z.string().nullish(),
        isSubjectCaseSensitive: z.boolean().nullish(),
        advancedFilters: z.array(z.unknown()).nullish(),
      })
      .nullish(),
    eventDeliverySchema: z.string().nullish(),
    expirationTimeUtc: z.string().nullish(),
  }),
});
export type Subscription = z.output<typeof subscription>;

/** The one system topic that a vault may have; undefined where none is found. Throws where its own resource group cannot be looked at. */
export function topicOf(context: Context, vault: PolicyVault, signal: AbortSignal): Promise<Topic | undefined> {
  const { resourceId } = vault;
  return once(context, `topic ${resourceId}`, async () => {
    // It may be in any resource group of the subscription; where that may not be listed, most likely in the vault's.
    const all = (await everywhere(context, vault, signal)) ?? (await list(context, scopeOf(resourceId), signal));
    const found = all.find(({ properties }) => sameId(properties.source, resourceId));
    if (found !== undefined) return found;
    // Azure leaves out of a list what its reader may not see.
    const needs = { scope: scopeOf(resourceId), actions: ["Microsoft.EventGrid/systemTopics/read"] };
    const missing = await lacking(context.arm, needs, signal);
    if (missing?.length === 0) return undefined;
    throw unseen(
      "The identity may not see whether the vault has a system topic.",
      `To let the doctor see it, assign ${topicsRoleFor(vault)}.`,
    );
  });
}

/** Which role at which scope shows whether a vault has a topic. */
export const topicsRoleFor = ({ resourceId }: PolicyVault): string =>
  roleFor(`${subscriptionOf(resourceId)}/providers/Microsoft.EventGrid/systemTopics`);

const list = (context: Context, scope: string, signal: AbortSignal) =>
  listArm(context, `${scope}/providers/Microsoft.EventGrid/systemTopics`, version, topic, signal);

/** The topics of a vault's subscription; undefined where the identity may not list them. */
function everywhere(context: Context, { resourceId }: PolicyVault, signal: AbortSignal) {
  const subscription = subscriptionOf(resourceId);
  return once(context, `topics of ${subscription}`, () =>
    list(context, subscription, signal).catch((error: unknown) => {
      if (error instanceof PinionError && error.code === "FORBIDDEN") return undefined;
      throw error;
    }),
  );
}

/** Whether a vault may have a topic that {@link topicOf} did not find: in a resource group other than its own, where the doctor cannot look. */
export async function mayBeElsewhere(context: Context, vault: PolicyVault, signal: AbortSignal): Promise<boolean> {
  if ((await everywhere(context, vault, signal)) === undefined) return true;
  // A list may have come, without what its reader may not see.
  const needs = { scope: subscriptionOf(vault.resourceId), actions: ["Microsoft.EventGrid/systemTopics/read"] };
  return (await lacking(context.arm, needs, signal))?.length !== 0;
}

/** The subscriptions of a topic. */
export const subscriptionsOf = (context: Context, { id }: Topic, signal: AbortSignal) =>
  once(context, `subscriptions ${id}`, () =>
    listArm(context, `${id}/eventSubscriptions`, version, subscription, signal),
  );

/** Where a subscription delivers, whichever way it says so. */
export const destinationOf = ({ properties }: Subscription): Destination | undefined =>
  properties.deliveryWithResourceIdentity?.destination ?? properties.destination ?? undefined;

export const deadLetterOf = ({ properties }: Subscription): Destination | undefined =>
  properties.deadLetterWithResourceIdentity?.deadLetterDestination ?? properties.deadLetterDestination ?? undefined;

/** Whether events of the subscription come to this app. */
export function isOurs(context: Context, one: Subscription): boolean {
  const { endpointType = "", properties } = destinationOf(one) ?? {};
  const resource = properties?.resourceId ?? "";
  switch (endpointType) {
    case "StorageQueue":
      return (
        properties?.queueName === context.config.eventsQueue &&
        sameId(nameOf(resource), accountName(context.hostStorage))
      );
    case "AzureFunction":
      return resource.toLowerCase().startsWith(`${siteId(context.env) ?? "-"}/functions/`.toLowerCase());
    case "WebHook": {
      const url = properties?.endpointBaseUrl ?? "";
      // azd's output, on a laptop.
      const pinion = context.env["PINION_URL"] ?? "";
      const host = context.env["WEBSITE_HOSTNAME"] ?? (URL.canParse(pinion) ? new URL(pinion).host : undefined);
      return URL.canParse(url) && new URL(url).host === host;
    }
    default:
      return false;
  }
}

/** Whether it was meant for Pinion, and goes elsewhere: the right queue of another account, or another queue of the right one. */
export function isAstray(context: Context, one: Subscription): boolean {
  const { endpointType = "", properties } = destinationOf(one) ?? {};
  if (endpointType !== "StorageQueue" || isOurs(context, one)) return false;
  return (
    properties?.queueName === context.config.eventsQueue ||
    sameId(nameOf(properties?.resourceId ?? ""), accountName(context.hostStorage))
  );
}
