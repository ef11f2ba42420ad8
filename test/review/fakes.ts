import { z } from "zod";
import { createActivities } from "../../src/activities/index.ts";
import type { Deps } from "../../src/activities/deps.ts";
import { PinionError } from "../../src/errors.ts";
import { parsePolicy, type RotatorFacts } from "../../src/policy-file.ts";
import type { Credential, Rotator } from "../../src/rotator.ts";
import { emptyState, type Records } from "../../src/store/records.ts";
import type { Command, ObjectState } from "../../src/store/types.ts";
import type { ObjectVersion, Vault } from "../../src/vault/vault.ts";
import type { Zone } from "../../src/zone.ts";
import { noPorts } from "../ports.ts";
import { file, inPlace, object } from "../policy-sample.ts";

// The steps on a vault, a table and a target in memory: for what goes wrong between two of their calls.

export const key = "kv-orders--secret--db";
export const at = Date.UTC(2026, 5, 1);

type Version = ObjectVersion & { value: string };

/** A vault in memory; versions of all names in one list, the newest first. */
export function memoryVault() {
  const all: Version[] = [];
  const none = (name: string) => new PinionError("SECRET_NOT_FOUND", `${name} was not found.`);
  const find = (name: string, version: string) => all.find((one) => one.name === name && one.version === version);
  const vault: Vault = {
    uri: "https://kv-orders.vault.azure.net",
    kind: "secret",
    url: (name, version) => `https://kv-orders.vault.azure.net/secrets/${name}/${version}`,
    async tag(name, version, tags) {
      const found = find(name, version);
      if (found === undefined) throw none(name);
      all[all.indexOf(found)] = { ...found, tags };
    },
    async latest(name) {
      const found = all.find((one) => one.name === name);
      if (found === undefined) throw none(name);
      if (!found.enabled) throw new PinionError("SECRET_DISABLED", `${name} is disabled.`);
      return { ...found, at: new Date(at) };
    },
    async value(name, version) {
      const found = find(name, version);
      if (found === undefined) throw none(name);
      if (!found.enabled) throw new PinionError("SECRET_DISABLED", `${name} is disabled.`);
      return found.value;
    },
    async write(name, next) {
      const made = {
        ...next,
        name,
        version: `v${all.length}`,
        enabled: true,
        createdOn: new Date(at + all.length * 1000),
      };
      all.unshift(made);
      return made;
    },
    versions: async (name) => all.filter((one) => one.name === name),
    async disable(name, version) {
      const found = find(name, version);
      if (found === undefined) throw none(name);
      all[all.indexOf(found)] = { ...found, enabled: false };
    },
    inventory: async () => [],
    recover: async () => undefined,
  };
  return { vault, all };
}

/** Records of one object in memory, with ETags that count its writes. */
export function memoryRecords(first: Partial<ObjectState> = {}) {
  let state: ObjectState = { ...emptyState, ...first };
  let writes = 0;
  const commands: Command[] = [];
  const records: Records = {
    read: async (_object, rotationId) => ({
      state: { value: state, etag: `e${writes}` },
      commands: commands.filter((command) => command.rotationId === rotationId),
    }),
    async write(_object, next, etag) {
      if (etag !== `e${writes}`) return undefined;
      state = JSON.parse(JSON.stringify(next)) as ObjectState;
      writes += 1;
      return `e${writes}`;
    },
    async start(_object, _key, command) {
      commands.push(command);
      return command;
    },
    command: async () => true,
    all: async () => [],
  };
  return {
    records,
    commands,
    now: () => state,
    become: (next: Partial<ObjectState>) => void (state = { ...state, ...next }),
    touched: () => void (writes += 1),
  };
}

/** One role with one password; `set` and `restore` replace it. */
export function memoryTarget(password: string) {
  const target = { password };
  const opens = async (_step: unknown, { material }: Credential) => material === target.password;
  const put = async (_step: unknown, { material }: Credential) => {
    target.password = typeof material === "string" ? material : "";
    return [];
  };
  const rotator: Rotator<unknown> = {
    kind: "db",
    strategy: "in-place",
    restorable: true,
    idle: "unobservable",
    target: z.unknown(),
    roles: [],
    soleAccount: () => "app",
    accounts: () => ["h/app"],
    account: () => "h/app",
    observe: async (_step, current) => ({ current: { id: current.id }, idle: { id: current.id }, proofs: [] }),
    create: async (_step, { idle }) => ({ ...idle, material: "candidate-value" }),
    set: put,
    validate: async (step, next) => [{ name: "logs in", ok: await opens(step, next) }],
    works: opens,
    restore: put,
  };
  return { target, rotator };
}

/** The steps of one object without consumers; everything can be replaced. */
export function stage(
  changes: Partial<Deps> & { readonly policy?: never; readonly object?: Record<string, unknown> } = {},
) {
  const { object: fields, ...rest } = changes;
  const vault = memoryVault();
  const records = memoryRecords({ rotationId: "r-1", phase: "running" });
  const { target, rotator } = memoryTarget("source-value");
  const facts: RotatorFacts = { targetSchema: () => z.unknown(), account: () => "h/app" };
  const sample = object("db", {
    rotator: inPlace("app"),
    acceptGap: true,
    format: { type: "plain" },
    consumers: [],
    ...fields,
  });
  const parsed = parsePolicy(file([sample], { mode: "rotate" }), facts);
  const zone: Zone = {
    vault: () => vault.vault,
    keys: () => undefined as never,
    certificates: () => undefined as never,
    arm: async () => undefined,
    ports: { ...noPorts, secret: async () => "", token: async () => "" },
  };
  const deps: Deps = {
    policy: async () => parsed,
    zone: () => zone,
    records: records.records,
    fleet: {
      claim: async () => undefined,
      release: async () => undefined,
      tell: async () => undefined,
      swept: async () => undefined,
      lastSweep: async () => undefined,
      open: async () => ({ active: {}, day: "", started: 0, failures: {} }),
    },
    withLease: (_account, work) => work(),
    evidence: undefined as never,
    rotator: () => rotator,
    consumer: () => {
      throw new Error("no consumers here");
    },
    publish: async () => undefined,
    stop: false,
    observe: false,
    now: () => at,
    log: () => undefined,
    ...rest,
  };
  const given = { objectId: "db", rotationId: "r-1", instanceId: key, turningBack: false } as const;
  return { deps, steps: createActivities(deps), vault, records, target, given, parsed };
}
