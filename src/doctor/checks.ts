import { authentication } from "./authentication.ts";
import { clock } from "./clock.ts";
import type { Context } from "./context.ts";
import { durable } from "./durable.ts";
import { eventDelivery } from "./event-delivery.ts";
import { eventPublishing } from "./event-publishing.ts";
import { eventQueue } from "./event-queue.ts";
import { eventSubscription } from "./event-subscription.ts";
import { eventTopic } from "./event-topic.ts";
import { evidence } from "./evidence.ts";
import type { Check } from "./finding.ts";
import { fleet } from "./fleet.ts";
import { identity } from "./identity.ts";
import { mode } from "./mode.ts";
import { objects } from "./objects.ts";
import { policy } from "./policy.ts";
import { privateDns } from "./private-dns.ts";
import { privateEndpoint } from "./private-endpoint.ts";
import { rights } from "./rights.ts";
import { settings } from "./settings.ts";
import { storage } from "./storage.ts";
import { storageAccount } from "./storage-account.ts";
import { stuck } from "./stuck.ts";
import { subnet } from "./subnet.ts";
import { sweep } from "./sweep.ts";
import { vault } from "./vault.ts";
import { vaultProperties } from "./vault-properties.ts";

/** Everything the doctor looks at from inside, in the order in which people should read it. */
export const checks: readonly Check<Context>[] = [
  settings,
  identity,
  policy,
  mode,
  fleet,
  vault,
  vaultProperties,
  objects,
  rights,
  clock,
  eventTopic,
  eventSubscription,
  eventDelivery,
  eventQueue,
  eventPublishing,
  storage,
  storageAccount,
  evidence,
  privateEndpoint,
  privateDns,
  subnet,
  authentication,
  durable,
  stuck,
  sweep,
];
