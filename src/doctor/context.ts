import type { TokenCredential } from "@azure/core-auth";
import { lookup } from "node:dns/promises";
import type { CurrentPolicy } from "../activities/deps.ts";
import { type Arm, openArm } from "../azure/arm.ts";
import { appIdentity } from "../azure/identity.ts";
import { type Registry, rotatorFacts } from "../compose.ts";
import { type Config, readSettings } from "../config.ts";
import type { PolicyVault } from "../policy.ts";
import { openPolicy } from "../policy-source.ts";
import { type Fleet, openFleet } from "../store/fleet.ts";
import { openRecords, type Records } from "../store/records.ts";
import { openStorage, type Storage } from "../store/storage.ts";
import type { Engine } from "../triggers/engine.ts";
import type { ObjectKind, ObjectSummary } from "../vault/vault.ts";
import { openVaults } from "../zone.ts";
import { type Answer, askVault } from "./vault-ask.ts";

/** What the checks look through. Nothing that is read changes anything: neither the table nor a container is made. */
export interface Context {
  /** `app`: what the app's own identity sees, which is the truth. `laptop`: what its reader may see. */
  readonly place: "app" | "laptop";
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder with host.json and, where it is a file, the policy. */
  readonly folder: string;
  readonly registry: Registry;
  /** Why the settings cannot be used; empty where they can. The getters below throw while it is not. */
  readonly faults: readonly string[];
  readonly config: Config;
  /** The storage that the host itself, and so the queue of events, is in. */
  readonly hostStorage: Config["storage"];
  readonly arm: Arm;
  /** The same with the identity of a trust zone. */
  armAs(clientId?: string): Arm;
  readonly storage: Storage;
  readonly records: Records;
  readonly fleet: Fleet;
  policy(): Promise<CurrentPolicy>;
  /** The identity of a trust zone by its client id; the app's own without one. */
  identity(clientId?: string): TokenCredential;
  /** What a vault answers. Metadata only. */
  ask(vault: PolicyVault, path: string): Promise<Answer>;
  /** Every object of a kind in a vault, without values. */
  inventory(vault: PolicyVault, kind: ObjectKind, signal: AbortSignal): Promise<readonly ObjectSummary[]>;
  /** The engine that the app's own client reaches; in the app only. */
  readonly engine?: Engine;
  /** The addresses of a host, as this machine resolves it. */
  addresses(host: string): Promise<readonly string[]>;
  /** Milliseconds since 1970 by this machine. */
  now(): number;
}

export interface ContextOptions extends Pick<Context, "place" | "env" | "folder" | "registry"> {
  readonly engine?: Engine;
  readonly addresses?: Context["addresses"];
  readonly now?: Context["now"];
}

/** Opens what the settings name, without contacting anything. Never throws. */
export function openContext(options: ContextOptions): Context {
  const { env, folder, registry, engine } = options;
  const now = options.now ?? (() => Date.now());
  const { open, faults } = read(env, folder, registry);
  const opened = () => {
    if (open === undefined) throw new Error("the settings have faults");
    return open;
  };
  return {
    place: options.place,
    env,
    folder,
    registry,
    faults,
    get config() {
      return opened().config;
    },
    get hostStorage() {
      return opened().hostStorage;
    },
    get arm() {
      return opened().arm;
    },
    get storage() {
      return opened().storage;
    },
    get records() {
      return opened().records;
    },
    get fleet() {
      return opened().fleet;
    },
    armAs: (clientId) => opened().armAs(clientId),
    policy: () => opened().policy(),
    identity: (clientId) => opened().identity(clientId),
    ask: (vault, path) => askVault(opened().identity(zoneOf(vault)), vault.uri, path, now),
    inventory: (vault, kind, signal) =>
      openVaults(opened().identity(zoneOf(vault)))
        .vault(vault.uri, kind)
        .inventory(signal),
    ...(engine !== undefined && { engine }),
    addresses: options.addresses ?? (async (host) => (await lookup(host, { all: true })).map(({ address }) => address)),
    now,
  };
}

const answers = new WeakMap<Context, Map<string, Promise<unknown>>>();

/** Looks once for all checks of one examination. */
export function once<T>(context: Context, key: string, look: () => Promise<T>): Promise<T> {
  const known = answers.get(context) ?? new Map<string, Promise<unknown>>();
  answers.set(context, known);
  const found = (known.get(key) as Promise<T> | undefined) ?? look();
  known.set(key, found);
  return found;
}

/** The client id of the identity that works in a vault; undefined: the app's own. */
export const zoneOf = ({ identity }: PolicyVault): string | undefined => identity;

function read(env: Context["env"], folder: string, registry: Registry) {
  const { config, faults } = readSettings(env);
  if (config === undefined) return { open: undefined, faults };
  const others = Object.entries(env).filter(([name]) => !name.startsWith("PINION_STORAGE"));
  const hostStorage = readSettings(Object.fromEntries(others)).config?.storage ?? config.storage;
  const identities = new Map<string | undefined, TokenCredential>();
  const identity = (clientId: string | undefined = config.clientId) => {
    const known = identities.get(clientId) ?? appIdentity(clientId);
    identities.set(clientId, known);
    return known;
  };
  const armAs = (clientId?: string) =>
    openArm(config.resourceManagerUrl, config.resourceManagerAudience, identity(clientId));
  const storage = openStorage(config.storage, identity(), config.evidence);
  return {
    faults: [],
    open: {
      config,
      hostStorage,
      identity,
      storage,
      records: openRecords(storage.records),
      fleet: openFleet(storage.records),
      arm: armAs(),
      armAs,
      policy: openPolicy(config.policy, folder, storage.blobService, identity(), rotatorFacts(registry)),
    },
  };
}
