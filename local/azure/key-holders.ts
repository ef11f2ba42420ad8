import { join } from "node:path";
import type { Clock } from "../clock.ts";
import { fail } from "./arm.ts";
import type { ArmRequest, ArmRoute, ArmRouter } from "./arm.ts";
import { isRecord } from "./http.ts";
import type { Reply } from "./http.ts";
import { type AskKey, type AskOptions, askVaults } from "./key-holders/ask.ts";
import { type Entry, openResources, type Properties, type Resources, type Timing } from "./key-holders/resources.ts";
import { type Service, services } from "./key-holders/services.ts";
import { sqlRoute } from "./key-holders/sql.ts";

/** Options of `createKeyHolders`. */
export interface KeyHolderOptions extends AskOptions {
  readonly stateDir: string;
  readonly clock: Clock;
  /** Where ARM is, for the URLs of operations. */
  readonly baseUrl: () => string;
}

/** The stand-ins of services whose data is encrypted with a key of a vault. A PUT makes a resource, as a deployment would. */
export interface KeyHolders {
  readonly route: ArmRouter;
  /** May be changed while it runs. */
  readonly timing: Timing;
  /** Forgets every resource. */
  readonly clear: () => void;
}

export function createKeyHolders(options: KeyHolderOptions): KeyHolders {
  const { clock } = options;
  const timing: Timing = { operationSeconds: 1, rewrapSeconds: 2, autoRotateSeconds: 3600, retryAfterSeconds: 1 };
  const resources = openResources(join(options.stateDir, "key-holders"), clock, timing, options.baseUrl);
  const context = { clock, timing, resources, ask: askVaults(options) };
  return {
    timing,
    clear: resources.clear,
    route: (request) => resources.route(request) ?? sqlRoute(context, request) ?? serviceRoute(context, request),
  };
}

/** What every stand-in of this folder works with. */
export interface Context {
  readonly clock: Clock;
  readonly timing: Timing;
  readonly resources: Resources;
  readonly ask: AskKey;
}

const resourcePath = /^\/subscriptions\/[^/]+\/resourcegroups\/[^/]+\/providers\/([^/]+\/[^/]+)\/([^/]+)$/i;

function serviceRoute(context: Context, request: ArmRequest): ArmRoute | undefined {
  const { method, path: id, json } = request;
  const [, type, name] = resourcePath.exec(id) ?? [];
  const service = services.find((one) => one.type.toLowerCase() === type?.toLowerCase());
  if (service === undefined || name === undefined) return undefined;
  const does = (verb: string, right: string, run: () => Promise<Reply>): ArmRoute => ({
    operation: `${service.operation}.${verb}`,
    action: `${service.type}/${right}`,
    run,
  });
  const body = isRecord(json) ? json : {};
  const found = async (use: (entry: Entry) => Reply | Promise<Reply>): Promise<Reply> => {
    const entry = await settle(context, service, id);
    return entry === undefined
      ? fail(404, "ResourceNotFound", `The Resource '${service.type}/${name}' was not found.`)
      : use(entry);
  };
  switch (method) {
    case "GET":
      return does("get", "read", () => found(({ resource }) => ({ status: 200, body: resource })));
    case "PUT":
      return does("put", "write", () => create(context, service, { id, name }, body));
    case "PATCH":
      return does("patch", "write", () => found((entry) => patch(context, service, entry, body)));
    default:
      return undefined;
  }
}

const propertiesOf = (body: Properties): Properties => (isRecord(body["properties"]) ? body["properties"] : {});

async function create(
  { ask, clock, resources }: Context,
  service: Service,
  { id, name }: { readonly id: string; readonly name: string },
  { identity, sku, tags, ...body }: Properties,
): Promise<Reply> {
  const given = propertiesOf(body);
  const taken = await take(ask, service, given, identity, clock.now());
  if ("status" in taken) return taken;
  const properties = { ...taken.properties, provisioningState: "Succeeded" };
  const more = { ...(identity === undefined ? {} : { identity }), ...(sku ? { sku } : {}), ...(tags ? { tags } : {}) };
  const resource = { id, name, type: service.type, location: "westeurope", ...more, properties };
  resources.put({ resource, checkedAt: clock.now() });
  return { status: 200, body: resource };
}

/** The properties with their keys, each of which the vault must have, enabled. */
async function take(
  ask: AskKey,
  service: Service,
  properties: Properties,
  identity: unknown,
  now: number,
): Promise<{ readonly properties: Properties } | (Reply & { status: number })> {
  const answers = await Promise.all(service.keys(properties).map((url) => ask(url, identity)));
  if (answers.includes(undefined)) return fail(400, service.keyMissing, "The key was not found, or may not be used.");
  const [first] = answers;
  return { properties: first === undefined ? properties : service.use(properties, first, new Date(now).toISOString()) };
}

async function patch(context: Context, service: Service, entry: Entry, body: Properties): Promise<Reply> {
  const { ask, clock, resources, timing } = context;
  const { resource } = entry;
  if (resource.properties["provisioningState"] !== "Succeeded")
    return fail(409, "Conflict", "Another change of the resource is in progress.");
  const { tags = resource.tags, sku = resource.sku } = body;
  const merged = service.merge(resource.properties, propertiesOf(body));
  const taken = await take(ask, service, merged, resource.identity, clock.now());
  if ("status" in taken) return taken;
  const next = { ...resource, ...(tags ? { tags } : {}), ...(sku ? { sku } : {}) };
  if (service.answers === "at once" || (timing.operationSeconds === 0 && !service.rewraps)) {
    const changed = { ...next, properties: taken.properties };
    resources.put({ ...entry, resource: changed });
    return { status: 200, body: changed };
  }
  const { until, async, location } = resources.begin(resource.id);
  const updating = { ...next, properties: { ...resource.properties, provisioningState: "Updating" } };
  resources.put({ ...entry, resource: updating, pending: { until, properties: taken.properties } });
  const retry = { "retry-after": String(timing.retryAfterSeconds) };
  const headers = {
    accepted: {},
    location: { location, ...retry },
    "async operation": { "azure-asyncoperation": async, location, ...retry },
  }[service.answers];
  return { status: 202, headers, body: updating };
}

/** The resource as it is by now: operations that have ended, data that is wrapped anew, newer versions that the service found by itself. */
async function settle(context: Context, service: Service, id: string): Promise<Entry | undefined> {
  const { ask, clock, resources, timing } = context;
  let entry = resources.get(id);
  if (entry === undefined) return undefined;
  const now = clock.now();
  const become = (next: Entry): void => {
    entry = next;
    resources.put(next);
  };
  const change = ({ resource, checkedAt = now }: Entry, properties: Properties, at: number): Entry => {
    const rewrapUntil = at + timing.rewrapSeconds * 1000;
    const done = { ...properties, provisioningState: "Succeeded" };
    if (!service.rewraps) return { resource: { ...resource, properties: done }, checkedAt };
    const wrapping = { ...properties, previousKeys: [resource.properties["activeKey"]], provisioningState: "Updating" };
    return { resource: { ...resource, properties: wrapping }, checkedAt, rewrapUntil };
  };
  if (entry.pending !== undefined && entry.pending.until <= now)
    become(change(entry, entry.pending.properties, entry.pending.until));
  if (entry.rewrapUntil !== undefined && entry.rewrapUntil <= now) {
    const { rewrapUntil: _, ...rest } = entry;
    const properties = { ...rest.resource.properties, previousKeys: [], provisioningState: "Succeeded" };
    become({ ...rest, resource: { ...rest.resource, properties } });
  }
  const { resource, checkedAt = 0, pending } = entry;
  const [key] = service.keys(resource.properties);
  const due = checkedAt + timing.autoRotateSeconds * 1000 <= now;
  if (key === undefined || pending !== undefined || !due || !service.follows(resource.properties)) return entry;
  const newest = await ask(withoutVersion(key), resource.identity);
  const checked = { ...entry, checkedAt: now };
  if (newest === undefined || newest.endsWith(`/${service.uses(resource.properties)}`)) become(checked);
  else become(change(checked, service.use(resource.properties, newest, new Date(now).toISOString()), now));
  return entry;
}

const withoutVersion = (key: string): string => key.split("/").slice(0, 5).join("/");
