import type { StatePatch } from "../../src/activities/step.ts";
import type { Deps } from "../../src/activities/deps.ts";
import { findConsumer } from "../../src/consumers/index.ts";
import { parsePolicyText } from "../../src/policy-file.ts";
import { findRotator } from "../../rotators/index.ts";
import { openFleet } from "../../src/store/fleet.ts";
import { openRecords } from "../../src/store/records.ts";
import type { ObjectState } from "../../src/store/types.ts";
import type { Engine } from "../../src/triggers/engine.ts";
import { openAzurite } from "../store/storage.ts";
import { openLocalVault } from "../vault-client/vault.ts";

export const vaultName = "kv-contoso";
export const vaultId = `/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/${vaultName}`;

/** The triggers' world: real records on Azurite, a real vault, and an engine that only notes what it is asked to start. */
export async function openTriggers() {
  const [store, local] = [await openAzurite(), await openLocalVault()];
  const started = new Map<string, string>();
  const starts: { instance: string; rotationId: string; takeUp?: true }[] = [];
  const log: { level: string; message: string; facts: Readonly<Record<string, unknown>> | undefined }[] = [];
  let policy: Awaited<ReturnType<Deps["policy"]>> = { policy: undefined, faults: [] };
  const engine: Engine = {
    async start(instance, { rotationId, takeUp }) {
      const running = started.get(instance);
      if (running !== undefined) return { started: false, rotationId: running };
      started.set(instance, rotationId);
      starts.push({ instance, rotationId, ...(takeUp && { takeUp }) });
      return { started: true, rotationId };
    },
    async wake() {},
    async running(instance) {
      const rotationId = started.get(instance);
      return rotationId === undefined ? undefined : { rotationId, step: "grace", since: "", timeline: [] };
    },
  };
  const storage = store.storage;
  const vault = local.open();
  const zone = {
    vault: () => vault,
    keys: () => undefined,
    certificates: () => undefined,
    arm: () => Promise.reject(new Error("no site here")),
  };
  const deps = {
    policy: async () => policy,
    zone: () => zone,
    records: openRecords(storage.records),
    fleet: openFleet(storage.records),
    rotator: findRotator,
    consumer: findConsumer,
    now: () => local.clock.now(),
    log: (level: string, message: string, facts?: Readonly<Record<string, unknown>>) =>
      void log.push({ level, message, facts }),
  } as unknown as Deps;

  const setPolicy = (objects: readonly object[], more: object = {}) => {
    const text = JSON.stringify({
      version: 1,
      mode: "rotate",
      limits: { concurrent: 500, perDay: 5000 },
      vaults: { main: { uri: local.uri, resourceId: vaultId } },
      objects,
      ...more,
    });
    policy = parsePolicyText(text, {
      targetSchema: (kind, strategy) => findRotator(kind, strategy).target,
      account: (kind, strategy, target) => findRotator(kind, strategy).account(target),
      known: [],
    });
  };
  return {
    deps,
    engine,
    local,
    starts,
    started,
    log,
    setPolicy,
    faults: () => policy.faults,
    key: (name: string) => `${vaultName}--secret--${name}`,
    state: async (name: string) => (await deps.records.read(`${vaultName}--secret--${name}`)).state.value,
    async setState(name: string, patch: StatePatch) {
      const key = `${vaultName}--secret--${name}`;
      const { value, etag } = (await deps.records.read(key)).state;
      await deps.records.write(key, { ...value, ...patch } as ObjectState, etag);
    },
    async close() {
      await store.close();
      await local.close();
    },
  };
}

/** An object whose database nobody asks here. */
export const objectOf = (name: string, more: object = {}) => ({
  id: name,
  vault: "main",
  kind: "secret",
  name,
  validity: "P90D",
  rotateBefore: "P30D",
  consumers: [],
  format: { type: "json", username: "username", password: "password" },
  rotator: {
    kind: "postgres",
    strategy: "alternating",
    target: {
      host: "127.0.0.1",
      port: 1,
      database: name,
      tls: { mode: "disable" },
      roles: [`${name}_a`, `${name}_b`],
      admin: { user: "admin", secret: "https://127.0.0.1/secrets/admin" },
    },
  },
  ...more,
});

/** A vault's event in either schema. */
export function eventOf(schema: "EventGrid" | "CloudEvents", version: string, name = "db", more: object = {}) {
  const data = {
    Id: `https://kv/${name}/${version}`,
    VaultName: vaultName,
    ObjectType: "Secret",
    ObjectName: name,
    Version: version,
    NBF: null,
    EXP: 1,
  };
  const type = "Microsoft.KeyVault.SecretNearExpiry";
  return schema === "EventGrid"
    ? {
        id: "1",
        eventType: type,
        topic: vaultId,
        subject: name,
        eventTime: "2026-01-01T00:00:00Z",
        dataVersion: "1",
        metadataVersion: "1",
        data,
        ...more,
      }
    : {
        id: "1",
        type,
        source: vaultId,
        subject: name,
        time: "2026-01-01T00:00:00Z",
        specversion: "1.0",
        data,
        ...more,
      };
}
