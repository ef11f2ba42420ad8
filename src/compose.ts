import { findConsumer } from "./consumers/index.ts";
import type { Deps } from "./activities/deps.ts";
import { openArm } from "./azure/arm.ts";
import { appIdentity } from "./azure/identity.ts";
import type { Config } from "./config.ts";
import { openPublisher } from "./events.ts";
import { openPolicy } from "./policy-source.ts";
import type { RotatorFacts } from "./policy-file.ts";
import type { Rotator } from "./rotator.ts";
import { openFleet } from "./store/fleet.ts";
import { openLeases } from "./store/leases.ts";
import { openRecords } from "./store/records.ts";
import { openStorage } from "./store/storage.ts";
import { openSecretPort } from "./vault/secret-port.ts";
import { openVault, type Vault } from "./vault/secrets.ts";

export interface Registry {
  readonly rotators: readonly { readonly kind: string; readonly strategy: string }[];
  find(kind: string, strategy: string): Rotator<unknown>;
}

/** Puts the app together from its settings. Nothing is contacted yet: clients connect at their first call. */
export function compose(config: Config, registry: Registry, folder: string, log: Deps["log"]): Deps {
  const credential = appIdentity(config.clientId);
  const storage = openStorage(config.storage, credential);
  const records = openRecords(storage.records);
  const vaults = new Map<string, Vault>();
  const vault = (uri: string): Vault => {
    const found = vaults.get(uri) ?? openVault(uri, credential);
    vaults.set(uri, found);
    return found;
  };
  const policy = openPolicy(config.policy, folder, storage.blobService, credential, rotatorFacts(registry));
  return {
    policy: async () => {
      await storage.ready();
      return await policy();
    },
    vault,
    records,
    fleet: openFleet(storage.records),
    withLease: openLeases(storage.leases),
    evidence: storage.evidence,
    rotator: registry.find,
    consumer: findConsumer,
    arm: openArm(config.resourceManagerUrl, config.resourceManagerAudience, credential),
    ports: {
      secret: openSecretPort(vault),
      async token(scope) {
        const token = await credential.getToken(scope);
        return token?.token ?? "";
      },
    },
    publish: openPublisher(config.topicEndpoint, "/pinion", credential),
    stop: config.stop,
    now: () => Date.now(),
    log,
  };
}

function rotatorFacts({ rotators, find }: Registry): RotatorFacts {
  const has = (kind: string, strategy: string) =>
    rotators.some((rotator) => rotator.kind === kind && rotator.strategy === strategy);
  return {
    targetSchema: (kind, strategy) => (has(kind, strategy) ? find(kind, strategy).target : undefined),
    account: (kind, strategy, target) => find(kind, strategy).accounts(target),
    known: rotators.map(({ kind, strategy }) => `${kind} (${strategy})`),
  };
}
