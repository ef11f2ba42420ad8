import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import type { Tls } from "../tls.ts";
import { createCollection } from "./collection.ts";
import type { AnyCollection, Commit, ObjectRecord } from "./collection.ts";
import type { VaultControl } from "./controls.ts";
import { createEvents } from "./events.ts";
import type { Events, Source } from "./events.ts";
import { createFaults } from "./faults.ts";
import { openJournal } from "./journal.ts";
import type { Journal } from "./journal.ts";
import { createLog } from "./log.ts";
import type { Authorize, KeyVersion, ObjectType, SecretVersion, Vault, VaultEvent, VaultOptions } from "./model.ts";
import { loadKey } from "./seal.ts";
import { secretOperations } from "./secrets.ts";
import { answerGarbage, serveVault } from "./server.ts";

/** Where the vaults live and whom they talk to. */
export interface VaultsOptions {
  readonly clock: Clock;
  /** Folder for `<vault>.journal` (all values sealed), `vault.key` and `ports.json`. */
  readonly stateDir: string;
  readonly tls: Pick<Tls, "cert" | "key">;
  readonly vaults: readonly VaultOptions[];
  /** Absent: any bearer token is taken. */
  readonly authorize?: Authorize;
  /** What the challenge names: `https://login.windows.net/<tenant id>`. */
  readonly authority?: string;
  /** Takes each event over; called again a second later when it rejects, and after a kill. */
  readonly onEvent?: (event: VaultEvent) => void | Promise<void>;
  /** Instant (ms) of the event subscription: only versions created from then on make events. Absent: none do. */
  readonly subscribedSince?: number;
  /** Real milliseconds between two looks at the clock (50). */
  readonly tickMs?: number;
}

/** Running vaults. */
export interface Vaults {
  /** In the order of the options; `url` has no slash at the end. */
  readonly vaults: readonly { readonly name: string; readonly url: string; readonly resourceId: string }[];
  readonly control: VaultControl;
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
  check(options.vaults);
  const [faults, log, ports] = [createFaults(), createLog(), loadPorts(stateDir)];
  const since = new Map(options.vaults.map(({ name }) => [name, options.subscribedSince]));
  const events = createEvents({
    clock,
    tickMs,
    subscribedSince: (vault) => since.get(vault),
    onEvent: options.onEvent ?? (() => undefined),
  });
  const servers: Server[] = [];
  const running: { vault: Vault; journal: Pick<Journal<unknown>, "close"> }[] = [];
  const chosen = (name?: string) => running.filter(({ vault }) => name === undefined || vault.name === name);

  const control: VaultControl = {
    addFault: faults.add,
    clearFaults: faults.clear,
    faults: faults.list,
    log: log.list,
    reset(name) {
      for (const { vault } of chosen(name)) {
        for (const collection of vault.collections) collection.clear();
      }
      faults.clear(name);
      log.clear(name);
    },
    set(settings, name) {
      for (const { vault } of chosen(name)) Object.assign(vault.settings, settings);
    },
    subscribe(instant, name) {
      for (const { vault } of chosen(name)) since.set(vault.name, instant);
    },
  };
  const close = async () => {
    events.close();
    await Promise.all(servers.map(stop));
    for (const { journal } of running) journal.close();
  };

  const parts = {
    clock,
    operations: secretOperations,
    authorize: options.authorize ?? anyToken,
    authority: options.authority ?? anyTenant,
    faults,
    log,
    control,
  };

  try {
    for (const one of options.vaults) {
      const { cert, key } = options.tls;
      const server = createServer({ cert, key, requestTimeout: 30_000, headersTimeout: 15_000 });
      server.on("clientError", answerGarbage);
      servers.push(server);
      const port = await listen(server, one.port ?? 0, ports.get(one.name));
      ports.set(one.name, port);
      const { vault, journal } = open(one, `https://127.0.0.1:${port}`, stateDir, events);
      running.push({ vault, journal });
      server.on("request", serveVault(vault, parts));
    }
  } catch (error) {
    await close();
    throw error;
  }
  savePorts(stateDir, ports);
  return { vaults: running.map(({ vault: { name, url, resourceId } }) => ({ name, url, resourceId })), control, close };
}

function open(options: VaultOptions, url: string, stateDir: string, events: Events) {
  const key = loadKey(stateDir);
  const file = join(stateDir, `${options.name}.journal`);
  const commit: Commit = (changes) => {
    if (changes.length === 0) return;
    journal.append(changes.map(({ record }) => record));
    for (const { apply } of changes) apply();
  };
  const secrets = createCollection<SecretVersion>("secrets", commit);
  const keys = createCollection<KeyVersion>("keys", commit);
  const collections = [secrets, keys];
  const replay = (records: readonly ObjectRecord[]) => {
    for (const record of records) collections.find(({ kind }) => kind === record.kind)?.replay(record);
  };
  const snapshot = (): (readonly ObjectRecord[])[] =>
    collections.flatMap((one) => one.snapshot().map((record) => [record]));
  const journal: Journal<readonly ObjectRecord[]> = openJournal(file, key, replay, snapshot);
  const { name, resourceId, retentionDays = 90, purgeProtection = false } = options;
  const source = (objectType: ObjectType, collection: AnyCollection): Source => ({
    vault: { name, url, resourceId },
    objectType,
    collection,
  });
  const sources = [source("Secret", secrets), source("Key", keys)];
  const vault: Vault = {
    name,
    url,
    resourceId,
    retentionDays,
    purgeProtection,
    secrets,
    keys,
    collections,
    commit,
    key,
    settings: { deleteDelayMs: 0, throttling: false },
    created(type, object, version) {
      const source = sources.find(({ objectType }) => objectType === type);
      if (source) events.created(source, object, version);
    },
  };
  for (const source of sources) events.watch(source);
  return { vault, journal };
}

function check(vaults: readonly VaultOptions[]): void {
  const seen = new Set<string>();
  for (const { name, retentionDays = 90 } of vaults) {
    if (!/^[a-z][a-z0-9-]{1,62}$/i.test(name)) throw new RangeError(`${name} is no name of a vault.`);
    if (seen.has(name.toLowerCase())) throw new RangeError(`There are two vaults ${name}.`);
    seen.add(name.toLowerCase());
    if (!Number.isInteger(retentionDays) || retentionDays < 7 || retentionDays > 90) {
      throw new RangeError(`The retention of vault ${name} must be 7 to 90 days.`);
    }
  }
}

/** Listens on the given port, or on the one of the last run when it is free, so that ids stay the same. */
async function listen(server: Server, port: number, last: number | undefined): Promise<number> {
  const attempt = (at: number) =>
    new Promise<number>((resolve, reject) => {
      server.once("error", reject);
      server.listen(at, "127.0.0.1", () => {
        server.off("error", reject);
        resolve((server.address() as AddressInfo).port);
      });
    });
  if (port || !last) return attempt(port);
  return attempt(last).catch(() => attempt(0));
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function loadPorts(stateDir: string): Map<string, number> {
  try {
    return new Map(Object.entries(JSON.parse(readFileSync(join(stateDir, "ports.json"), "utf8")) as object));
  } catch {
    return new Map();
  }
}

function savePorts(stateDir: string, ports: ReadonlyMap<string, number>): void {
  writeFileSync(join(stateDir, "ports.json"), JSON.stringify(Object.fromEntries(ports)));
}
