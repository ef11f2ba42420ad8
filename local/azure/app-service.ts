import { join } from "node:path";
import type { Clock } from "../clock.ts";
import type { ArmRouter } from "./arm.ts";
import { createSite } from "./app-service/site.ts";
import type { Site, SiteDeclaration, SiteState, Timing } from "./app-service/site.ts";
import { isReference } from "./app-service/reference.ts";
import { controlRoute, resourceId, siteRoutes } from "./app-service/routes.ts";
import type { Handler } from "./http.ts";
import { openFolder } from "./store.ts";
import type { Tokens } from "./tokens.ts";

/** Options of `createAppService`. */
export interface AppServiceOptions {
  readonly stateDir: string;
  readonly clock: Clock;
  readonly tokens: Tokens;
  /** PEM of the authority that the vaults' certificates come from. */
  readonly ca: string;
  /** URLs of the vaults by name, asked for at each fetch. */
  readonly vaults: () => Readonly<Record<string, string>>;
  readonly sites: readonly SiteDeclaration[];
  /** (Re)starts the site's process with these settings, secrets in clear. Never called twice at once for a site. */
  readonly onStart?: (site: SiteDeclaration, settings: Readonly<Record<string, string>>) => void | Promise<void>;
  /** From a change until the site's process runs with it, in the cloud's time; default 5 s. */
  readonly restartLagSeconds?: number;
  /** How long a reference without a version keeps its value; default 24 h, as in Azure. */
  readonly cacheSeconds?: number;
}

/** The App Service stand-in. */
export interface AppService {
  /** Starts every site; call it when the vaults are up. */
  readonly start: () => void;
  readonly route: ArmRouter;
  /** `GET /_emulator/sites`: how the sites stand, no values. `POST {restartLagSeconds?, cacheSeconds?}`: changes the waits. */
  readonly controlHandler: Handler;
  readonly stop: () => Promise<void>;
}

const poll = 50;
const vaultAudience = "https://vault.azure.net";

/** Opens the sites with what the state folder holds of them. */
export function createAppService(options: AppServiceOptions): AppService {
  const { clock, tokens, ca, vaults } = options;
  const timing: Timing = {
    restartLagSeconds: options.restartLagSeconds ?? 5,
    cacheSeconds: options.cacheSeconds ?? 86_400,
  };
  const disk = openFolder<SiteState>(join(options.stateDir, "sites"));
  const kept = new Map(disk.all().map((state) => [resourceId(state.declaration).toLowerCase(), state]));
  const fileName = ({ name, slot }: SiteDeclaration) => (slot === undefined ? name : `${name}--${slot}`);

  const open = (declaration: SiteDeclaration): Site => {
    const { identity } = declaration;
    const token = async () => {
      if (!identity) return undefined;
      const { objectId, clientId: appId } = identity;
      return (await tokens.issue({ audience: vaultAudience, objectId, appId })).token;
    };
    const old = kept.get(resourceId(declaration).toLowerCase());
    const state: SiteState = old ? { ...old, declaration } : newState(declaration, clock.now());
    return createSite(state, {
      timing,
      now: () => clock.now(),
      resolver: (version) => ({ vaults, token, ca, now: clock.now(), ...(version === undefined ? {} : { version }) }),
      save: (next) => disk.put(fileName(declaration), next),
      onStart: (settings) => options.onStart?.(declaration, settings),
    });
  };
  const sites = options.sites.map(open);

  const ticks = new Set<Promise<void>>();
  const tick = () => {
    for (const site of sites) {
      const work = site
        .tick()
        .catch((error: unknown) => process.emitWarning(`Site ${site.state.declaration.name}: ${String(error)}`))
        .finally(() => ticks.delete(work));
      ticks.add(work);
    }
  };
  let timer: NodeJS.Timeout | undefined;

  return {
    start() {
      for (const site of sites) site.boot();
      timer = setInterval(tick, poll);
      timer.unref();
      tick();
    },
    route: (request) => siteRoutes(sites, request),
    controlHandler: (request) => controlRoute(sites, timing, request),
    async stop() {
      clearInterval(timer);
      await Promise.allSettled(ticks);
    },
  };
}

function newState(declaration: SiteDeclaration, now: number): SiteState {
  const { appSettings } = declaration;
  const references = Object.entries(appSettings).filter(([, value]) => isReference(value));
  const fresh = references.map(
    ([name, reference]) => [name, { reference, status: "Initialized", fetchedAt: 0 }] as const,
  );
  return { declaration, appSettings, references: Object.fromEntries(fresh), changedAt: now };
}
