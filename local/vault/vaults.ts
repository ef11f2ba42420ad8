import { mkdirSync } from "node:fs";
import type { Server } from "node:https";
import { createLifecycle } from "./certificates/lifecycle.ts";
import type { VaultControl } from "./controls.ts";
import { createCutter } from "./cut.ts";
import { createDisturbed } from "./disturb.ts";
import { createEvents } from "./events.ts";
import { createFaults } from "./faults.ts";
import { listen, loadPorts, savePorts, stop } from "./listen.ts";
import { createLog } from "./log.ts";
import type { Authorize, Vault, VaultSettings } from "./model.ts";
import { defaultSettings, openVault } from "./open.ts";
import type { OpenVault } from "./open.ts";
import { operations } from "./operations.ts";
import { checkVaults } from "./options.ts";
import type { VaultsOptions } from "./options.ts";
import { createAutoRotation } from "./keys/rotation.ts";
import { refuseServed, stateId } from "./other-server.ts";
import { createSnapshots } from "./snapshots.ts";
import { serveVault } from "./server.ts";
import { createSubscription } from "./throttle.ts";
import { migrateKey, sealingKey } from "./vault-key.ts";
import { createWire, serveOn } from "./wire.ts";

export type { VaultsOptions } from "./options.ts";

/** Running vaults. */
export interface Vaults {
  /** In the order of the options; `url` has no slash at the end. */
  readonly vaults: readonly { readonly name: string; readonly url: string; readonly resourceId: string }[];
  readonly control: VaultControl;
  /** What a vault was opened with, and its firewall as it is now. */
  readonly facts: (name: string) => Pick<Vault, "retentionDays" | "purgeProtection"> & Pick<VaultSettings, "network">;
  /** Cuts all connections. Nothing is lost by not calling it. */
  readonly close: () => Promise<void>;
}

const anyTenant = "https://login.windows.net/00000000-0000-0000-0000-000000000000";

const anyToken: Authorize = (token) =>
  token
    ? { ok: true, caller: "anyone" }
    : {
        ok: false,
        status: 401,
        code: "Unauthorized",
        message: "AKV10000: Request is missing a Bearer or PoP token.",
      };

/**
 * Starts Key Vaults on 127.0.0.1, each over HTTPS on a port of its own. Rejects when a state file is damaged, an option is
 * out of range or a given port is taken.
 */
export async function startVaults(options: VaultsOptions): Promise<Vaults> {
  const { clock, stateDir, tickMs = 50 } = options;
  checkVaults(options.vaults);
  const sealKey = options.key ?? sealingKey();
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  migrateKey(stateDir, sealKey);
  const [faults, log, ports] = [createFaults(), createLog(), loadPorts(stateDir)];
  const since = new Map(options.vaults.map(({ name }) => [name, options.subscribedSince]));
  const disturbed = createDisturbed(options.onEvent ?? (() => undefined));
  const events = createEvents({
    clock,
    tickMs,
    subscribedSince: (vault) => since.get(vault),
    onEvent: disturbed.onEvent,
  });
  const autoRotation = createAutoRotation({ clock, tickMs });
  const lifecycle = createLifecycle({ clock, tickMs, log });
  const subscription = createSubscription();
  const servers: Server[] = [];
  const running: OpenVault[] = [];
  const chosen = (name?: string) => running.filter(({ vault }) => name === undefined || vault.name === name);

  const control: VaultControl = {
    addFault: faults.add,
    clearFaults: faults.clear,
    faults: faults.list,
    log: log.list,
    reset(name) {
      for (const { vault, throttle } of chosen(name)) {
        for (const collection of vault.collections) collection.clear();
        Object.assign(vault.settings, defaultSettings);
        throttle.reset();
      }
      disturbed.disturb({ duplicate: 0, reorder: 0, lose: 0 });
      faults.clear(name);
      log.clear(name);
    },
    set(settings, name) {
      for (const { vault } of chosen(name)) Object.assign(vault.settings, settings);
    },
    subscribe(instant, name) {
      for (const { vault } of chosen(name)) since.set(vault.name, instant);
    },
    disturb: disturbed.disturb,
    setAccessPolicies(name, policies) {
      for (const { vault } of chosen(name)) {
        options.access?.setPolicies(vault.resourceId, policies);
        events.accessChanged(vault);
      }
    },
    state: (name) => stateId(stateDir, name),
    snapshots: createSnapshots({ stateDir, key: sealKey, access: options.access, vaults: () => running }),
    clock,
    access: options.access,
  };
  const close = async () => {
    events.close();
    autoRotation.close();
    lifecycle.close();
    await Promise.all(servers.map(stop));
    await Promise.all(running.map(({ journal }) => journal.close()));
  };

  const parts = {
    clock,
    operations,
    authorize: options.authorize ?? anyToken,
    authority: options.authority ?? anyTenant,
    faults,
    log,
    control,
  };

  try {
    for (const one of options.vaults) {
      const server = createWire(options.tls, options.requestTimeoutMs ?? 30_000);
      const cut = createCutter(server);
      servers.push(server);
      await refuseServed(stateDir, one.name, ports.get(one.name));
      const port = await listen(server, one.port ?? 0, ports.get(one.name));
      ports.set(one.name, port);
      const open = openVault(one, `https://127.0.0.1:${port}`, { stateDir, key: sealKey, events, subscription });
      running.push(open);
      autoRotation.watch(open.vault);
      lifecycle.watch(open.vault);
      serveOn(server, serveVault(open, parts, cut));
    }
  } catch (error) {
    await close();
    throw error;
  }
  savePorts(stateDir, ports);
  return {
    vaults: running.map(({ vault: { name, url, resourceId } }) => ({ name, url, resourceId })),
    control,
    facts(name) {
      const found = running.find(({ vault }) => vault.name === name);
      if (found === undefined) throw new RangeError(`There is no vault ${name}.`);
      const { retentionDays, purgeProtection, settings } = found.vault;
      return { retentionDays, purgeProtection, network: settings.network };
    },
    close,
  };
}
