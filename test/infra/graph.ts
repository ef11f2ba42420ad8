import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

// Microsoft Graph v1.0 on this machine, as far as the Entra application needs it: it keeps what it is given and refuses what Graph refuses.

type Json = Record<string, unknown>;
interface Stored extends Json {
  readonly id: string;
  readonly appId: string;
}
interface Reply {
  readonly status: number;
  readonly body?: unknown;
}

const bad = (code: string): Reply => ({ status: 400, body: { error: { code, message: "secret words" } } });
const listOf = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);

export async function startGraph() {
  const applications: Stored[] = [];
  const principals: Stored[] = [];
  const credentials = new Map<string, Json[]>();
  const assigned: Json[] = [];
  /** Who owns what, by the id of an application or service principal. Whoever makes one owns it. */
  const owners = new Map<string, Json[]>();
  /** Whom the token is of: a person, or, without `/me`, an application. */
  const caller: { me: Json | undefined; owner: Json } = { me: undefined, owner: {} };
  caller.me = caller.owner = { id: randomUUID(), displayName: "Ada", userPrincipalName: "ada@contoso.com" };
  const asked: { method: string; path: string; body: Json | undefined }[] = [];
  /** Requests that are refused with 403, as `POST /applications`. */
  const denied = new Set<string>();
  /** How many requests about something new find nothing yet. */
  const lag = { left: 0 };

  const change = (app: Stored, body: Json): Reply => {
    const roles = listOf(body["appRoles"] ?? app["appRoles"]);
    if (new Set(roles.map(({ value }) => value)).size < roles.length) return bad("InvalidAppRole");
    const gone = listOf(app["appRoles"]).filter(
      ({ id, isEnabled }) => isEnabled && !roles.some((one) => one["id"] === id),
    );
    if (gone.length > 0) return bad("CannotDeleteOrUpdateEnabledEntitlement");
    const api = { ...(app["api"] as Json | undefined), ...(body["api"] as Json | undefined) };
    // Both at once is refused too: a client's permissions must be there before.
    const known = listOf((app["api"] as Json | undefined)?.["oauth2PermissionScopes"]).map(({ id }) => id);
    const clients = listOf(api["preAuthorizedApplications"]);
    if (clients.some((client) => (client["delegatedPermissionIds"] as string[]).some((id) => !known.includes(id))))
      return bad("InvalidValue");
    const uris = (body["identifierUris"] ?? []) as string[];
    if (uris.some((uri) => uri !== `api://${app.appId}`)) return bad("HostNameNotOnVerifiedDomain");
    Object.assign(app, body, { api });
    return { status: 204 };
  };

  const route = (method: string, path: string, query: URLSearchParams, body: Json): Reply => {
    const [, kind, key = "", sub, item] =
      /^\/v1\.0\/(\w+)(?:\(appId='([^']+)'\))?(?:\/([^/]+))?(?:\/([^/]+))?(?:\/([^/]+))?$/
        .exec(path)
        ?.filter((part, at) => at < 2 || part !== undefined) ?? [path, ""];
    if (kind === "me") return caller.me === undefined ? bad("BadRequest") : { status: 200, body: caller.me };
    if (sub === "owners") return { status: 200, body: { value: owners.get(key) ?? [] } };
    if (kind === "applications") {
      if (key === "" && method === "GET") {
        const name = /^displayName eq '(.*)'$/.exec(query.get("$filter") ?? "")?.[1]?.replaceAll("''", "'");
        return { status: 200, body: { value: applications.filter(({ displayName }) => displayName === name) } };
      }
      if (key === "") {
        const app = { ...body, id: randomUUID(), appId: randomUUID(), appRoles: [], identifierUris: [], api: {} };
        applications.push(app);
        owners.set(app.id, [caller.owner]);
        return { status: 201, body: app };
      }
      const app = applications.find(({ id, appId }) => id === key || appId === key);
      if (app === undefined || (lag.left > 0 && lag.left-- > 0)) return { status: 404 };
      if (sub === undefined) return change(app, body);
      const own = credentials.get(app.id) ?? [];
      credentials.set(app.id, own);
      if (method === "GET") return { status: 200, body: { value: own } };
      if (method === "POST") {
        if (
          own.some(
            ({ name, subject, issuer }) =>
              name === body["name"] || (subject === body["subject"] && issuer === body["issuer"]),
          )
        )
          return bad("Request_MultipleObjectsWithSameKeyValue");
        own.push({ ...body, id: randomUUID() });
        return { status: 201, body: own.at(-1) };
      }
      const one = own.find(({ id }) => id === item);
      if (one === undefined) return { status: 404 };
      // A name is for ever.
      if (body["name"] !== undefined) return bad("Request_BadRequest");
      Object.assign(one, body);
      return { status: 204 };
    }
    if (kind !== "servicePrincipals") return bad("BadRequest");
    if (key === "") {
      if (!applications.some(({ appId }) => appId === body["appId"]) || (lag.left > 0 && lag.left-- > 0))
        return bad("NoBackingApplicationObject");
      principals.push({ ...body, id: randomUUID() } as unknown as Stored);
      owners.set(principals.at(-1)!.id, [caller.owner]);
      return { status: 201, body: principals.at(-1) };
    }
    const principal = principals.find(({ id, appId }) => id === key || appId === key);
    if (principal === undefined) return { status: 404 };
    if (sub === undefined && method === "GET") return { status: 200, body: principal };
    if (sub === undefined) return (Object.assign(principal, body), { status: 204 });
    if (method === "GET") return { status: 200, body: { value: assigned } };
    assigned.push({ ...body, id: randomUUID() });
    return { status: 201, body: assigned.at(-1) };
  };

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
      const path = decodeURIComponent(pathname);
      const method = request.method ?? "GET";
      const text = Buffer.concat(chunks).toString();
      const body = text === "" ? undefined : (JSON.parse(text) as Json);
      asked.push({ method, path, body });
      const reply =
        request.headers.authorization !== "Bearer good"
          ? { status: 401 }
          : [...denied].some((one) => new RegExp(`^${one}$`).test(`${method} ${path}`))
            ? { status: 403, body: { error: { code: "Authorization_RequestDenied", message: "secret words" } } }
            : route(method, path, searchParams, body ?? {});
      response.writeHead(reply.status, { "content-type": "application/json" });
      response.end(reply.body === undefined ? "" : JSON.stringify(reply.body));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    applications,
    principals,
    credentials,
    assigned,
    owners,
    caller,
    asked,
    denied,
    lag,
    writes: () => asked.filter(({ method }) => method !== "GET").length,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
