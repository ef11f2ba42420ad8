import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { CertificateClient } from "@azure/keyvault-certificates";
import { KeyClient } from "@azure/keyvault-keys";
import { SecretClient } from "@azure/keyvault-secrets";
import type { TokenCredential } from "@azure/core-auth";
import { ensureTls, type Tls } from "../../local/tls.ts";
import type { Place } from "../../local/canary/scan.ts";
import type { Authorize } from "../../local/vault/model.ts";
import { startVaults } from "../../local/vault/vaults.ts";
import { findRotator, rotators } from "../../rotators/index.ts";
import { createActivities } from "../../src/activities/index.ts";
import type { Deps } from "../../src/activities/deps.ts";
import { rotatorFacts } from "../../src/compose.ts";
import { openPorts, openVaults, type Zone } from "../../src/zone.ts";
import { findConsumer } from "../../src/consumers/index.ts";
import { PinionError } from "../../src/errors.ts";
import { parsePolicy } from "../../src/policy-file.ts";
import type { Arm } from "../../src/azure/arm.ts";
import type { Rotator } from "../../src/rotator.ts";
import type { WithLease } from "../../src/store/leases.ts";
import type { Command, ObjectState } from "../../src/store/types.ts";
import { memoryRecords } from "../review/fakes.ts";
import { outside } from "./process.ts";

// The app's own steps on a real vault, with records, leases and evidence in memory: the life of one object, moved by hand.

/** OpenSSL makes certificates from now on, so these tests live in the present. */
export const start = Math.floor(Date.now() / 1000) * 1000;
export const day = 86_400_000;
export const vaultName = "kv-life";
export const resourceId = `/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/${vaultName}`;

type Vaults = Awaited<ReturnType<typeof startVaults>>;

/** What a test knows of the outside. */
export interface World {
  readonly uri: string;
  /** What its vault, and whoever else serves HTTPS here, presents. */
  readonly tls: Tls;
  readonly clock: { now(): number; advance(milliseconds: number): void };
  readonly certificates: CertificateClient;
  readonly keys: KeyClient;
  readonly secrets: SecretClient;
  /** What the vault does beside its service: how late issuers answer, say. */
  readonly control: Vaults["control"];
  /** Where it keeps everything, sealed. */
  readonly stateDir: string;
  close(): Promise<void>;
}

/** A vault that is seen by its clock only. Anybody may do everything there, unless `authorize` says otherwise. */
export async function openWorld({ authorize }: { readonly authorize?: Authorize } = {}): Promise<World> {
  const dir = mkdtempSync(join(tmpdir(), "pinion-life-"));
  const tls = await ensureTls(join(dir, "tls"), { now: () => Date.now() });
  setDefaultCACertificates([...getCACertificates("default"), tls.ca]);
  let at = start;
  const clock = { now: () => at, advance: (milliseconds: number) => void (at += milliseconds) };
  const vaults = await startVaults({
    clock,
    tls,
    stateDir: join(dir, "vaults"),
    vaults: [{ name: vaultName, resourceId }],
    ...(authorize && { authorize }),
  });
  const uri = vaults.vaults[0]?.url ?? "";
  const options = { disableChallengeResourceVerification: true };
  return {
    uri,
    tls,
    clock,
    certificates: new CertificateClient(uri, credential, options),
    keys: new KeyClient(uri, credential, options),
    secrets: new SecretClient(uri, credential, options),
    control: vaults.control,
    stateDir: join(dir, "vaults"),
    async close() {
      await vaults.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

const credential = { getToken: async () => ({ token: "anybody", expiresOnTimestamp: Date.now() + day }) };

export interface ObjectOptions {
  /** The object as the policy has it, but for id, vault and name. */
  readonly object: Readonly<Record<string, unknown>> & { readonly kind: "certificate" | "key" | "secret" };
  readonly name: string;
  readonly arm?: Arm;
  /** The app's identity, where it is to be told from a person's. */
  readonly identity?: TokenCredential;
  /** A rotator beside those of the app, or in place of one of its kind. */
  readonly rotator?: Rotator<unknown>;
}

export interface Told {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** One object with its records; `app()` is what a process that starts anew makes of it. */
export function openObject(world: World, { object, name, arm, rotator, identity = credential }: ObjectOptions) {
  const { kind } = object;
  const file = {
    version: 1,
    mode: "rotate",
    vaults: { main: { uri: world.uri, resourceId } },
    objects: [{ id: name, vault: "main", name, validity: "P90D", grace: "PT1H", consumers: [], ...object }],
  };
  const find: typeof findRotator = (kind, strategy) => (rotator?.kind === kind ? rotator : findRotator(kind, strategy));
  const registry = { rotators: rotator ? [...rotators, rotator] : rotators, find };
  const parsed = parsePolicy(file, rotatorFacts(registry));
  if (parsed.faults.length > 0) throw new Error(JSON.stringify(parsed.faults));
  const key = `${vaultName}--${kind}--${name}`;
  const { records, commands, now } = memoryRecords();
  const told: Told[] = [];
  const traces: Place[] = [];
  const leave = (name: string, what: unknown): void => {
    const text = typeof what === "string" || Buffer.isBuffer(what) ? what : JSON.stringify(what);
    traces.push({ name, content: Buffer.from(text) });
  };
  const evidence = new Map<string, string>();
  const leases = new Map<string, number>();
  const noArm: Arm = async () => undefined;

  const withLease: WithLease = async (account, work) => {
    // What the account is called differs from life to life.
    const name = account.startsWith("acme ") ? "acme" : account;
    await outside(`lease ${account === key ? "object" : name}`, async () => {
      if ((leases.get(account) ?? 0) > world.clock.now())
        throw new PinionError("LEASE_HELD", "Another step holds it.", { class: "transient" });
      leases.set(account, world.clock.now() + 60_000);
    });
    try {
      return await work();
    } finally {
      leases.delete(account);
    }
  };

  const app = () => {
    const vaults = openVaults(identity);
    const zone: Zone = {
      ...vaults,
      arm: arm ?? noArm,
      ports: { ...openPorts(vaults, identity, arm ?? noArm, withLease), now: world.clock.now },
    };
    const deps: Deps = {
      policy: async () => parsed,
      zone: () => zone,
      records: {
        ...records,
        read: (...args) => outside("table read", () => records.read(...args)),
        write: (...args) => {
          leave("record", args);
          return outside("table write", () => records.write(...args));
        },
      },
      fleet: {
        claim: async () => undefined,
        release: (...args) => outside("fleet release", async () => leave("fleet", args)),
        tell: (...args) => outside("fleet tell", async () => leave("fleet", args)),
        swept: async () => undefined,
        lastSweep: async () => undefined,
        open: async () => ({ active: {}, day: "", started: 0, failures: {} }),
      },
      withLease,
      evidence: {
        getBlockBlobClient: (blob: string) => ({
          upload: (text: string) =>
            outside("evidence", async () => {
              if (evidence.has(blob)) throw Object.assign(new Error("exists"), { statusCode: 409 });
              evidence.set(blob, text);
              leave("evidence", text);
            }),
          exists: () => outside("evidence exists", async () => evidence.has(blob)),
        }),
      } as unknown as Deps["evidence"],
      rotator: find,
      consumer: findConsumer,
      publish(event) {
        leave("event", event);
        return outside("topic", async () => void told.push(event));
      },
      stop: false,
      observe: false,
      now: world.clock.now,
      log: (...line) => leave("log", line),
    };
    return { deps, activities: createActivities(deps) };
  };

  return {
    id: name,
    key,
    told,
    evidence,
    /** All that was ever written outside of vault and target, each piece as it was. */
    traces,
    leave,
    app,
    state: (): ObjectState => now(),
    parsed,
    commands: (): readonly Command[] => commands,
    /** Records a command, as a trigger does. */
    command: (command: Pick<Command, "verb" | "rotationId" | "version">) => {
      const { verb } = command;
      const record: Command = {
        ...command,
        id: `${verb}-${commands.length}`,
        actor: { kind: "person", id: "operator", roles: [] },
        at: new Date(world.clock.now()).toISOString(),
      };
      commands.push(record);
      leave("command", record);
    },
  };
}

export type LifeObject = ReturnType<typeof openObject>;
