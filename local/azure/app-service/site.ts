import { isReference } from "./reference.ts";
import { resolveReference } from "./resolve.ts";
import type { ReferenceState, Resolver } from "./resolve.ts";

/** A site, or a slot of one, as it is declared. */
export interface SiteDeclaration {
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  readonly name: string;
  /** Absent: production. */
  readonly slot?: string;
  readonly location?: string;
  /** The managed identity that reads the vault; absent: none. */
  readonly identity?: { readonly clientId: string; readonly objectId: string };
  /** The settings it begins with; later changes are kept over restarts and win. */
  readonly appSettings: Readonly<Record<string, string>>;
  /** Names of settings that stay with their slot; declared with production, for all slots. */
  readonly slotSettingNames?: readonly string[];
}

/** What is kept of a site. Values of secrets are not: they live in memory only. */
export interface SiteState {
  readonly declaration: SiteDeclaration;
  appSettings: Readonly<Record<string, string>>;
  /** By setting. */
  references: Readonly<Record<string, ReferenceState>>;
  /** Milliseconds since 1970; undefined: never, or none is due. */
  changedAt: number;
  startedAt?: number | undefined;
  restartAt?: number | undefined;
}

/** How a site behaves in time; all waits by the cloud's clock. */
export interface Timing {
  /** From a change until the site's process runs with it. */
  restartLagSeconds: number;
  /** How long a reference without a version keeps its value; 24 h in Azure. */
  cacheSeconds: number;
}

/** What a site needs from outside. */
export interface SitePorts {
  readonly now: () => number;
  readonly timing: Timing;
  readonly resolver: (version?: string) => Resolver;
  readonly save: (state: SiteState) => void;
  /** (Re)starts the site's process with its settings, secrets in clear. */
  readonly onStart: (settings: Readonly<Record<string, string>>) => void | Promise<void>;
}

/** A site that lives. */
export interface Site {
  readonly state: SiteState;
  /** Replaces all settings. A difference refetches every reference and restarts the site. */
  readonly putSettings: (settings: Readonly<Record<string, string>>) => void;
  /** Restarts with the values it has; refetches nothing. */
  readonly restart: () => void;
  /** Asks for every reference again; restarts the site if a value changed. */
  readonly refresh: () => void;
  /** First start in this process: brings back the values of the versions that were in use. */
  readonly boot: () => void;
  /** Does what is due; one call at a time, others return at once. */
  readonly tick: () => Promise<void>;
}

/** What `tick` still has to ask the vault for, by setting. `keep`: on failure the old value stays in use. */
type Wanted = Map<string, { readonly keep: boolean; readonly version?: string }>;

/**
 * One site. Rules (learn.microsoft.com/azure/app-service/app-service-key-vault-references, "Understand rotation", and
 * azure-docs#81588): a changed setting restarts the site and refetches all references; a plain restart refetches none;
 * without a version a value is cached; what cannot be resolved leaves the reference itself as the setting's value.
 */
export function createSite(state: SiteState, ports: SitePorts): Site {
  const { now, timing } = ports;
  const values = new Map<string, string>();
  let wanted: Wanted = new Map();
  let running = false;
  let busy = false;

  const restart = () => {
    state.restartAt = now() + timing.restartLagSeconds * 1000;
    ports.save(state);
  };
  const wantAll = (keep: boolean) => {
    wanted = new Map(Object.keys(state.references).map((name) => [name, { keep }]));
  };

  const fetchOne = async (name: string, { keep, version }: { keep: boolean; version?: string }) => {
    const before = state.references[name];
    if (!before) return;
    const { reference } = before;
    const [after, value] = await resolveReference(reference, ports.resolver(version));
    // The setting may have changed meanwhile; then this answer is for nobody.
    if (state.references[name]?.reference !== reference) return;
    // A restart of the cloud itself (version given) changes nothing for the site, its cache's age included.
    if (version !== undefined && value !== undefined) {
      values.set(name, value);
      return;
    }
    const old = values.get(name);
    const kept = value === undefined && keep && before.activeVersion !== undefined;
    state.references = {
      ...state.references,
      [name]: kept ? { ...after, activeVersion: before.activeVersion } : after,
    };
    if (value !== undefined) values.set(name, value);
    else if (!kept) values.delete(name);
    if (running && keep && value !== undefined && value !== old) restart();
    ports.save(state);
  };

  const due = (): Wanted => {
    const old = now() - timing.cacheSeconds * 1000;
    const all: Wanted = new Map(wanted);
    for (const [name, { secretVersion, fetchedAt }] of Object.entries(state.references)) {
      if (secretVersion === undefined && fetchedAt <= old && !all.has(name)) all.set(name, { keep: true });
    }
    wanted = new Map();
    return all;
  };

  const start = async () => {
    state.restartAt = undefined;
    state.startedAt = now();
    ports.save(state);
    const settings = Object.entries(state.appSettings).map(([name, value]) => [name, values.get(name) ?? value]);
    running = true;
    // [U] The platform shows a site its references and their state in this variable; not confirmed in its documentation.
    const shown = Object.entries(state.references).map(([name, { reference, status }]) => [
      name,
      { rawReference: reference, status },
    ]);
    const platform = { WEBSITE_KEYVAULT_REFERENCES: JSON.stringify(Object.fromEntries(shown)) };
    await ports.onStart({ ...platform, ...Object.fromEntries(settings) });
  };

  return {
    state,
    restart,
    putSettings(settings) {
      if (sameSettings(settings, state.appSettings)) return;
      state.appSettings = settings;
      state.changedAt = now();
      const names = Object.keys(settings).filter((name) => isReference(settings[name] ?? ""));
      state.references = Object.fromEntries(
        names.map((name) => [name, fresh(settings[name]!, state.references[name])]),
      );
      for (const name of values.keys()) if (!(name in state.references)) values.delete(name);
      wantAll(false);
      restart();
    },
    refresh: () => wantAll(true),
    boot() {
      for (const [name, { status, activeVersion }] of Object.entries(state.references)) {
        const again = status !== "Initialized" && activeVersion !== undefined;
        wanted.set(name, again ? { keep: true, version: activeVersion } : { keep: false });
      }
      state.restartAt = now();
    },
    async tick() {
      if (busy) return;
      busy = true;
      try {
        for (const [name, how] of due()) await fetchOne(name, how);
        // A change during the fetch has to be fetched before the process may start with it.
        if (wanted.size === 0 && state.restartAt !== undefined && state.restartAt <= now()) await start();
      } finally {
        busy = false;
      }
    },
  };
}

/** The state of a reference that nobody has asked for yet; an unchanged one keeps what is known until then. */
function fresh(reference: string, before: ReferenceState | undefined): ReferenceState {
  return before?.reference === reference ? before : { reference, status: "Initialized", fetchedAt: 0 };
}

function sameSettings(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
