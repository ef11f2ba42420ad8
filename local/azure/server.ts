import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { Server } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import { createAppService } from "./app-service.ts";
import type { AppService, AppServiceOptions } from "./app-service.ts";
import { createArm } from "./arm.ts";
import type { ArmRouter } from "./arm.ts";
import { createDnsZones } from "./dns-zones.ts";
import type { DnsZoneDeclaration, DnsZones } from "./dns-zones.ts";
import { createEventGrid } from "./event-grid.ts";
import type { EventGrid, Topic } from "./event-grid.ts";
import type { Subscription } from "./event-grid/subscription.ts";
import { createFaults, faultsHandler } from "./faults.ts";
import type { Faults } from "./faults.ts";
import { listener } from "./http.ts";
import { createKeyHolders } from "./key-holders.ts";
import type { KeyHolders } from "./key-holders.ts";
import { createIdentity } from "./identity.ts";
import type { Identity } from "./identity.ts";
import { createRights, rightsHandler } from "./rights.ts";
import { deliveryMetrics, shownTopics, type SystemTopic } from "./event-grid/shown.ts";
import { createShows } from "./shown.ts";
import type { Shown, Shows } from "./shown.ts";
import type { Rights } from "./rights.ts";
import { readOrMake, writeWhole } from "./store.ts";
import { createTokens } from "./tokens.ts";
import type { Tokens } from "./tokens.ts";

/** Options of `startAzure`. */
export interface AzureOptions extends Pick<
  AppServiceOptions,
  "sites" | "vaults" | "onStart" | "restartLagSeconds" | "cacheSeconds"
> {
  /** Folder for what has to outlive the process. */
  readonly stateDir: string;
  readonly clock: Clock;
  /** From `ensureTls`; `ca` is what calls to the vaults trust. */
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string };
  readonly tenantId: string;
  readonly identities: readonly Identity[];
  readonly topics?: readonly Topic[];
  readonly subscriptions?: readonly Subscription[];
  readonly systemTopics?: readonly SystemTopic[];
  /** The ARM id of the storage account that subscriptions deliver into. */
  readonly storageId?: string;
  /** Resources that ARM shows beside those that are played here; asked for at each read. */
  readonly shown?: () => readonly Shown[];
  readonly dnsZones?: readonly DnsZoneDeclaration[];
  /** Factor on the waits between deliveries of events, default 1. */
  readonly timeFactor?: number;
  /** Ports on 127.0.0.1; absent: those of the last run, else free ones. */
  readonly port?: number;
  readonly identityPort?: number;
}

/** The running stand-ins for Azure's control plane, Entra and Event Grid. */
export interface Azure {
  /** `https://127.0.0.1:<port>`: ARM, Event Grid topics, OpenID metadata, `/_emulator` controls. */
  readonly url: string;
  readonly port: number;
  /** What an app gets as IDENTITY_ENDPOINT (plain HTTP, as App Service's own) and IDENTITY_HEADER. */
  readonly identityEndpoint: string;
  readonly identityHeader: string;
  readonly tokens: Tokens;
  readonly eventGrid: EventGrid;
  readonly appService: AppService;
  readonly keyHolders: KeyHolders;
  readonly dnsZones: DnsZones;
  readonly faults: Faults;
  readonly rights: Rights;
  readonly pretend: Shows["pretend"];
  /** Where the custom topic's publisher sends. */
  readonly topicEndpoint: (name: string) => string;
  readonly stop: () => Promise<void>;
}

/** Starts everything in this folder on 127.0.0.1. Sites start when `appService.start()` is called, once the vaults are up. */
export async function startAzure(options: AzureOptions): Promise<Azure> {
  const { stateDir, clock, tls, tenantId, identities } = options;
  mkdirSync(stateDir, { recursive: true });
  const tokens = createTokens({ stateDir, clock, tenantId });
  const faults = createFaults();
  const rights = createRights(clock);
  const identityHeader = readOrMake(join(stateDir, "identity-header"), () => randomBytes(24).toString("hex"));
  let url = "";
  const eventGrid = createEventGrid({
    stateDir,
    clock,
    tokens,
    topics: options.topics ?? [],
    subscriptions: options.subscriptions ?? [],
    baseUrl: () => url,
    ...(options.timeFactor === undefined ? {} : { timeFactor: options.timeFactor }),
  });
  const appService = createAppService({ ...options, tokens, ca: tls.ca });
  const { vaults } = options;
  const keyHolders = createKeyHolders({ stateDir, clock, tokens, ca: tls.ca, vaults, baseUrl: () => url });
  const dnsZones = createDnsZones(stateDir, options.dnsZones ?? []);
  const { systemTopics = [], storageId = "", shown = () => [] } = options;
  const topics = () => shownTopics(systemTopics, eventGrid.subscriptions(), storageId);
  const shows = createShows(() => [...topics(), ...shown()], deliveryMetrics(eventGrid));
  const routes: ArmRouter = (request) =>
    shows.route(request) ?? appService.route(request) ?? keyHolders.route(request) ?? dnsZones.route(request);
  const arm = createArm({ tokens, rights, routes });
  const controls = [faultsHandler(faults), rightsHandler(rights), appService.controlHandler];
  const handlers = [eventGrid.handler, tokens.handler, ...controls, arm];
  const identity = createIdentity({ tokens, header: identityHeader, identities });

  const https = createHttpsServer({ cert: tls.cert, key: tls.key }, listener(handlers, faults));
  const http = createHttpServer(listener([identity], faults));
  const last = readPorts(join(stateDir, "ports.json"));
  const port = await listen(https, options.port, last.port);
  const identityPort = await listen(http, options.identityPort, last.identityPort);
  writeWhole(join(stateDir, "ports.json"), JSON.stringify({ port, identityPort }));
  url = `https://127.0.0.1:${port}`;

  return {
    url,
    port,
    identityEndpoint: `http://127.0.0.1:${identityPort}/msi/token`,
    identityHeader,
    tokens,
    eventGrid,
    appService,
    keyHolders,
    dnsZones,
    faults,
    rights,
    pretend: shows.pretend,
    topicEndpoint: (name) => `${url}/topics/${name}/api/events`,
    async stop() {
      await Promise.all([eventGrid.stop(), appService.stop()]);
      for (const server of [https, http]) server.closeAllConnections();
      await Promise.all([https, http].map((server) => new Promise((resolve) => void server.close(resolve))));
    },
  };
}

/** Listens on the wanted port and nowhere else; without a wish on the last one, or a free one when that is taken. */
async function listen(server: Server, wanted: number | undefined, last: number | undefined): Promise<number> {
  if (wanted !== undefined) return listenOn(server, wanted);
  return last === undefined ? listenOn(server, 0) : listenOn(server, last).catch(() => listenOn(server, 0));
}

function listenOn(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function readPorts(file: string): { readonly port?: number; readonly identityPort?: number } {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as { port: number; identityPort: number };
  } catch {
    return {};
  }
}
