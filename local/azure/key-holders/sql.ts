import { fail } from "../arm.ts";
import type { ArmRequest, ArmRoute } from "../arm.ts";
import { isRecord } from "../http.ts";
import type { Reply } from "../http.ts";
import type { Context } from "../key-holders.ts";
import type { Entry, Properties, Resource } from "./resources.ts";

const sqlPath = /^\/subscriptions\/[^/]+\/resourcegroups\/[^/]+\/providers\/microsoft\.sql\/(.+)$/i;
const keyPath = /^(.*\/(?:servers|managedInstances)\/[^/]+)\/keys\/([^/]+)$/i;
const protectorPath = /^(.*\/(?:servers|managedInstances)\/([^/]+))\/encryptionProtector\/current$/i;

/**
 * Microsoft.Sql: any resource can be put, got and listed, as a deployment would; keys and the encryption protector of a server (and of a
 * managed instance) do what Azure's do. A protector whose key the server does not know is refused, and one that a geo-secondary does not
 * know too: `SameKeyMaterialNotFoundOnRemoteServer`, as an operation that fails.
 */
export function sqlRoute(context: Context, { method, path: id, json }: ArmRequest): ArmRoute | undefined {
  const rest = sqlPath.exec(id)?.[1];
  if (rest === undefined) return undefined;
  const parts = rest.split("/");
  const types = parts.filter((_, at) => at % 2 === 0).join("/");
  const operation = `sql.${parts.filter((_, at) => at % 2 === 0).at(-1)}`;
  const action = `Microsoft.Sql/${types}`;
  const isCollection = parts.length % 2 === 1;
  if (method === "GET") {
    const run = isCollection
      ? () => {
          const there = context.resources.children(id).map(({ resource }) => settled(context, resource.id));
          // What is still being made is not listed [unconfirmed].
          const value = there.filter((entry) => entry?.pending === undefined).map((entry) => entry?.resource);
          return { status: 200, body: { value } };
        }
      : async () => {
          await followNewest(context, id);
          return found(id, settled(context, id));
        };
    return { operation: `${operation}.${isCollection ? "list" : "get"}`, action: `${action}/read`, run };
  }
  if (method !== "PUT" || isCollection) return undefined;
  const body = isRecord(json) ? json : {};
  const properties = isRecord(body["properties"]) ? body["properties"] : {};
  const run = () => {
    if (keyPath.test(id)) return putKey(context, id, properties);
    if (protectorPath.test(id)) return protect(context, id, properties);
    const resource = { ...resourceAt(id, `Microsoft.Sql/${types}`, properties), ...location(body) };
    context.resources.put({ resource });
    return { status: 200, body: resource };
  };
  return { operation: `${operation}.put`, action: `${action}/write`, run };
}

const location = ({ location: given }: Properties) => (typeof given === "string" ? { location: given } : {});

const resourceAt = (id: string, type: string, properties: Properties): Resource => ({
  id,
  name: id.split("/").at(-1) ?? "",
  type,
  location: "westeurope",
  properties,
});

const found = (id: string, entry: Entry | undefined): Reply =>
  entry === undefined
    ? fail(404, "ResourceNotFound", `The Resource '${id}' was not found.`)
    : { status: 200, body: entry.resource };

/** The resource as it is by now: an operation that has ended has taken effect. */
function settled({ resources, clock }: Context, id: string): Entry | undefined {
  const entry = resources.get(id);
  if (entry?.pending === undefined || entry.pending.until > clock.now()) return entry;
  const { pending, resource, ...rest } = entry;
  const done = { ...rest, resource: { ...resource, properties: pending.properties } };
  resources.put(done);
  return done;
}

/** 202; the resource becomes what `properties` say when the operation ends, unless it fails. One that takes no time is done at once. */
function accepted(
  { resources, timing, clock }: Context,
  resource: Resource,
  properties: Properties,
  error?: { readonly code: string; readonly message: string },
): Reply {
  if (timing.operationSeconds === 0 && error === undefined) {
    const done = { ...resource, properties };
    resources.put({ resource: done, checkedAt: clock.now() });
    return { status: 200, body: done };
  }
  const { until, async, location: at } = resources.begin(resource.id, error);
  if (error === undefined) resources.put({ resource, pending: { until, properties }, checkedAt: clock.now() });
  const headers = { "azure-asyncoperation": async, location: at, "retry-after": String(timing.retryAfterSeconds) };
  return { status: 202, headers, body: { operation: "UpsertServerKey" } };
}

async function putKey(context: Context, id: string, { uri }: Properties): Promise<Reply> {
  const [, , name] = keyPath.exec(id) ?? [];
  const parts = typeof uri === "string" && URL.canParse(uri) ? new URL(uri) : undefined;
  const [, , key, version] = parts?.pathname.split("/") ?? [];
  const wanted = `${parts?.hostname.split(".")[0]}_${key}_${version}`;
  if (name?.toLowerCase() !== wanted.toLowerCase())
    return fail(400, "InvalidKeyName", `The server key name must be ${wanted}.`);
  if ((await context.ask(String(uri), undefined)) === undefined)
    return fail(400, "AzureKeyVaultKeyNotFound", "The key vault key was not found, or may not be used.");
  const properties = { serverKeyType: "AzureKeyVault", uri, creationDate: new Date(context.clock.now()).toISOString() };
  return accepted(context, resourceAt(id, "Microsoft.Sql/servers/keys", properties), properties);
}

const knows = (context: Context, server: string, key: string): boolean => {
  const entry = settled(context, `${server}/keys/${key}`);
  return entry !== undefined && entry.pending === undefined;
};

/** The servers that hold replicas of this one's databases. */
function secondaries({ resources }: Context, server: string): readonly string[] {
  return resources.children(`${server}/failoverGroups`).flatMap(({ resource: { properties } }) => {
    const { partnerServers, replicationRole } = properties;
    if (replicationRole === "Secondary" || !Array.isArray(partnerServers)) return [];
    return partnerServers.flatMap((partner) => (isRecord(partner) ? String(partner["id"]) : []));
  });
}

function protect(context: Context, id: string, given: Properties): Reply {
  const [, server = "", name = ""] = protectorPath.exec(id) ?? [];
  const { serverKeyName, autoRotationEnabled = false } = given;
  const before = settled(context, id);
  if (before?.pending !== undefined)
    return fail(409, "ConflictingServerOperation", `An operation on the server ${name} is in progress.`);
  const key = settled(context, `${server}/keys/${String(serverKeyName)}`);
  if (key === undefined || key.pending !== undefined)
    return fail(400, "ServerKeyDoesNotExist", `The server ${name} has no key ${String(serverKeyName)}.`);
  const { uri } = key.resource.properties;
  const properties = { serverKeyType: "AzureKeyVault", serverKeyName, uri, autoRotationEnabled };
  const resource = before?.resource ?? resourceAt(id, "Microsoft.Sql/servers/encryptionProtector", {});
  const lacking = secondaries(context, server).find((other) => !knows(context, other, String(serverKeyName)));
  if (lacking === undefined) return accepted(context, resource, properties);
  const message = `Please add the key '${String(uri)}' with the same key material to the server '${lacking}'.`;
  return accepted(context, resource, properties, { code: "SameKeyMaterialNotFoundOnRemoteServer", message });
}

/** With `autoRotationEnabled` the server takes the newest version by itself, some time after it was made. */
async function followNewest(context: Context, id: string): Promise<void> {
  const { resources, clock, timing } = context;
  const [, server] = protectorPath.exec(id) ?? [];
  const entry = settled(context, id);
  if (server === undefined || entry === undefined || entry.resource.properties["autoRotationEnabled"] !== true) return;
  const { checkedAt = 0, resource } = entry;
  if (checkedAt + timing.autoRotateSeconds * 1000 > clock.now()) return;
  const { uri } = resource.properties;
  const newest = await context.ask(String(uri).split("/").slice(0, 5).join("/"), undefined);
  const checked = { ...entry, checkedAt: clock.now() };
  if (newest === undefined || newest === uri) return resources.put(checked);
  const [, , key, version] = new URL(newest).pathname.split("/");
  const serverKeyName = `${new URL(newest).hostname.split(".")[0]}_${key}_${version}`;
  const keyProperties = { serverKeyType: "AzureKeyVault", uri: newest };
  resources.put({
    resource: resourceAt(`${server}/keys/${serverKeyName}`, "Microsoft.Sql/servers/keys", keyProperties),
  });
  resources.put({
    ...checked,
    resource: { ...resource, properties: { ...resource.properties, serverKeyName, uri: newest } },
  });
}
