import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { fileURLToPath } from "node:url";
import { appSettings } from "../../local/cloud/app-host.ts";
import { type Cloud, startCloud } from "../../local/cloud/cloud.ts";
import { seed, sites, vault } from "../../local/cloud/scenario.ts";
import { findRotator, rotators } from "../../rotators/index.ts";
import { checks } from "../../src/doctor/checks.ts";
import { type ContextOptions, openContext } from "../../src/doctor/context.ts";
import { examine } from "../../src/doctor/examine.ts";
import type { Finding } from "../../src/doctor/finding.ts";
import { assignRoles } from "./deployed.ts";
import type { Engine } from "../../src/triggers/engine.ts";
import { openStorage } from "../../src/store/storage.ts";
import { parseConfig } from "../../src/config.ts";
import { appIdentity } from "../../src/azure/identity.ts";

/** The doctor in this process, with the app's identity and the roles that a deployment gives it, on a local cloud of its own. */
export interface Clinic {
  readonly cloud: Cloud;
  readonly dir: string;
  readonly policy: Awaited<ReturnType<typeof seed>>["policy"];
  readonly settings: Readonly<Record<string, string>>;
  /** Gives the identities what a deployment for a policy gives them, by default for the cloud's own. */
  assign(policy?: unknown, change?: Parameters<typeof assignRoles>[2]): void;
  examine(patient?: Patient): Promise<readonly Finding[]>;
  close(): Promise<void>;
}

/** What is otherwise than in a sound cloud. */
export interface Patient extends Partial<Omit<ContextOptions, "env">> {
  /** Settings on top of the cloud's; `undefined` takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Runs all checks but this one. */
  readonly without?: string;
}

/** A vault that no object is in, for candidates. */
export const stagingVault = "kv-contoso-stage-dev";

/** An engine that runs nothing, and says so. */
const idle = { running: async () => undefined } as unknown as Engine;
export const registry = { rotators, find: findRotator };
export const root = fileURLToPath(new URL("../../", import.meta.url));

export async function openClinic(): Promise<Clinic> {
  const dir = mkdtempSync(join(tmpdir(), "pinion-doctor-"));
  const cloud = await startCloud({ dir, vaults: [vault, stagingVault], sites, restartLagSeconds: 0.2 });
  setDefaultCACertificates([...getCACertificates("default"), cloud.tls.ca]);
  const { policy } = await seed(cloud);
  await cloud.putPolicy(policy);
  assignRoles(cloud, policy);
  const settings = appSettings(cloud);
  const identity = { IDENTITY_ENDPOINT: settings["IDENTITY_ENDPOINT"], IDENTITY_HEADER: settings["IDENTITY_HEADER"] };
  Object.assign(process.env, identity);
  await openStorage(parseConfig(settings).storage, appIdentity(undefined)).ready();
  return {
    cloud,
    dir,
    policy,
    settings,
    assign: (given = policy, change) => assignRoles(cloud, given, change),
    async examine({ env = {}, without, ...options } = {}) {
      const context = openContext({
        place: "app",
        folder: root,
        registry,
        engine: idle,
        now: cloud.clock.now,
        ...options,
        env: { ...settings, ...env },
      });
      return examine(
        checks.filter(({ id }) => id !== without),
        context,
      );
    },
    async close() {
      for (const name of Object.keys(identity)) delete process.env[name];
      await cloud.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
