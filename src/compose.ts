import type { TokenCredential } from "@azure/core-auth";
import { findConsumer } from "./consumers/index.ts";
import type { Deps } from "./activities/deps.ts";
import { openArm } from "./azure/arm.ts";
import { appIdentity } from "./azure/identity.ts";
import type { Config } from "./config.ts";
import { openPublisher } from "./events.ts";
import { openPolicy } from "./policy-source.ts";
import type { RotatorFacts } from "./policy-file.ts";
import type { Rotator } from "./rotator.ts";
import type { Log } from "./signals.ts";
import { openFleet } from "./store/fleet.ts";
import { openLeases, type WithLease } from "./store/leases.ts";
import { openRecords } from "./store/records.ts";
import { openStorage } from "./store/storage.ts";
import { oneForEach, openZone, type Zone } from "./zone.ts";

export interface Registry {
  readonly rotators: readonly { readonly kind: string; readonly strategy: string }[];
  find(kind: string, strategy: string): Rotator<unknown>;
}

/** Puts the app together from its settings. Nothing is contacted yet: clients connect at their first call. */
export function compose(config: Config, registry: Registry, folder: string, log: Log): Deps {
  const credential = appIdentity(config.clientId);
  const storage = openStorage(config.storage, credential, config.evidence);
  const records = openRecords(storage.records);
  const withLease = openLeases(storage.leases);
  const policy = openPolicy(config.policy, folder, storage.blobService, credential, rotatorFacts(registry));
  return {
    policy: async () => {
      await storage.ready();
      return await policy();
    },
    zone: openZones(config, credential, withLease, log),
    records,
    fleet: openFleet(storage.records),
    withLease,
    evidence: storage.evidence,
    rotator: registry.find,
    consumer: findConsumer,
    publish: openPublisher(config.topicEndpoint, "/pinion", credential),
    stop: config.stop,
    observe: config.observe,
    now: () => Date.now(),
    log,
  };
}

export function rotatorFacts({ rotators, find }: Registry): RotatorFacts {
  const has = (kind: string, strategy: string) =>
    rotators.some((rotator) => rotator.kind === kind && rotator.strategy === strategy);
  return {
    targetSchema: (kind, strategy) => (has(kind, strategy) ? find(kind, strategy).target : undefined),
    account: (kind, strategy, target) => find(kind, strategy).accounts(target),
    leastGrace: (kind, strategy, target) => find(kind, strategy).leastGrace?.(target) ?? 0,
    pinnedOnly: (kind, strategy) => find(kind, strategy).pinnedOnly === true,
    manages: (kind, strategy) => find(kind, strategy).manages ?? "secret",
    known: rotators.map(({ kind, strategy }) => `${kind} (${strategy})`),
  };
}

/** A zone for each identity that the policy names, opened once; the app's own for none, or for its own id. */
function openZones(
  config: Config,
  own: TokenCredential,
  withLease: WithLease,
  log: Log,
): (identity: string | undefined) => Zone {
  const open = (credential: TokenCredential) =>
    openZone(
      credential,
      openArm(config.resourceManagerUrl, config.resourceManagerAudience, credential),
      withLease,
      log,
    );
  const zones = oneForEach((clientId) => open(clientId === "" ? own : appIdentity(clientId)));
  return (identity = "") => {
    const clientId = identity.toLowerCase();
    return zones(clientId === config.clientId?.toLowerCase() ? "" : clientId);
  };
}
