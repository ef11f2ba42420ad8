import type { TokenCredential } from "@azure/core-auth";
import { findConsumer } from "./consumers/index.ts";
import type { Deps } from "./activities/deps.ts";
import { type Arm, openArm } from "./azure/arm.ts";
import { appIdentity } from "./azure/identity.ts";
import type { Config } from "./config.ts";
import { PinionError } from "./errors.ts";
import { openPublisher } from "./events.ts";
import { openPolicy } from "./policy-source.ts";
import type { RotatorFacts } from "./policy-file.ts";
import type { KeyPort, Ports, Rotator } from "./rotator.ts";
import type { Log } from "./signals.ts";
import { openFleet } from "./store/fleet.ts";
import { openLeases } from "./store/leases.ts";
import { openRecords } from "./store/records.ts";
import { openStorage } from "./store/storage.ts";
import { openSecretPort, openTargetSecrets } from "./vault/secret-port.ts";
import { openCertificateOperations } from "./vault/certificate-operations.ts";
import { openCertificates } from "./vault/certificates.ts";
import { openKeyPort, partsOf } from "./vault/key-port.ts";
import { openKeys } from "./vault/keys.ts";
import { openSecrets } from "./vault/secrets.ts";
import type { ObjectKind, Vault } from "./vault/vault.ts";

export interface Registry {
  readonly rotators: readonly { readonly kind: string; readonly strategy: string }[];
  find(kind: string, strategy: string): Rotator<unknown>;
}

/** Puts the app together from its settings. Nothing is contacted yet: clients connect at their first call. */
export function compose(config: Config, registry: Registry, folder: string, log: Log): Deps {
  const credential = appIdentity(config.clientId);
  const storage = openStorage(config.storage, credential, config.evidence);
  const records = openRecords(storage.records);
  const vaults = openVaults(credential, log);
  const arm = openArm(config.resourceManagerUrl, config.resourceManagerAudience, credential);
  const policy = openPolicy(config.policy, folder, storage.blobService, credential, rotatorFacts(registry));
  return {
    policy: async () => {
      await storage.ready();
      return await policy();
    },
    vault: vaults.vault,
    keys: vaults.keys,
    certificates: vaults.certificates,
    records,
    fleet: openFleet(storage.records),
    withLease: openLeases(storage.leases),
    evidence: storage.evidence,
    rotator: registry.find,
    consumer: findConsumer,
    arm,
    ports: openPorts(vaults, credential, arm),
    publish: openPublisher(config.topicEndpoint, "/pinion", credential),
    stop: config.stop,
    observe: config.observe,
    now: () => Date.now(),
    log,
  };
}

/** Clients of vaults, by their address. */
export interface Vaults extends Pick<Deps, "vault" | "keys" | "certificates"> {
  readonly keyPort: KeyPort;
}

/** Opens every kind of client of a vault, each when it is asked for first. */
export function openVaults(credential: TokenCredential, log?: Log): Vaults {
  const keys = oneForEach((uri) => openKeys(uri, credential, log));
  const byKind: Readonly<Record<ObjectKind, (uri: string) => Vault>> = {
    secret: oneForEach((uri) => openSecrets(uri, credential, log)),
    certificate: oneForEach((uri) => openCertificates(uri, credential, log)),
    key: keys,
  };
  return {
    vault: (uri, kind) => byKind[kind](uri),
    keys,
    certificates: oneForEach((uri) => openCertificateOperations(uri, credential, log)),
    keyPort: openKeyPort(credential, log),
  };
}

/** Milliseconds for one call of a port. */
const patience = 20_000;

/** What rotators reach the outside through. */
export function openPorts(vaults: Vaults, credential: TokenCredential, arm: Arm): Ports {
  const secrets = (uri: string) => vaults.vault(uri, "secret");
  return {
    secret: openSecretPort(secrets),
    ...openTargetSecrets(secrets),
    keys: vaults.keyPort,
    arm,
    now: () => Date.now(),
    async certificate(url) {
      const { origin, name, version } = partsOf(url);
      const found = await vaults.certificates(origin).read(name, version, AbortSignal.timeout(patience));
      if (found !== undefined) return found;
      throw new PinionError("SECRET_NOT_FOUND", `There is no certificate ${name} in ${new URL(url).host}.`);
    },
    async keyed(url) {
      const { origin, name, version = "" } = partsOf(url);
      return await vaults.certificates(origin).keyed(name, version, AbortSignal.timeout(patience));
    },
    async token(scope) {
      const token = await credential.getToken(scope);
      return token?.token ?? "";
    },
  };
}

/** Opens a client for each address once. */
function oneForEach<T>(open: (uri: string) => T): (uri: string) => T {
  const opened = new Map<string, T>();
  return (uri) => {
    const found = opened.get(uri) ?? open(uri);
    opened.set(uri, found);
    return found;
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
