import { randomUUID, timingSafeEqual } from "node:crypto";
import type { Handler, Reply, Request } from "./http.ts";
import type { Tokens } from "./tokens.ts";

/** A managed identity that the endpoint hands out tokens for. */
export interface Identity {
  readonly clientId: string;
  readonly objectId: string;
  /** ARM id of a user-assigned identity, for requests by `mi_res_id`. */
  readonly resourceId?: string;
  /** The one used when a request names none; absent everywhere: such a request is refused, as in Azure. */
  readonly systemAssigned?: boolean;
  readonly roles?: readonly string[];
}

/** Options of `createIdentity`. */
export interface IdentityOptions {
  readonly tokens: Tokens;
  /** What callers send as `X-IDENTITY-HEADER` (their `IDENTITY_HEADER` variable). */
  readonly header: string;
  readonly identities: readonly Identity[];
}

const apiVersion = "2019-08-01";

/**
 * App Service's token endpoint, `GET /msi/token?resource=...&api-version=2019-08-01[&client_id=...]`, as @azure/identity
 * asks it. Shapes: learn.microsoft.com/azure/app-service/overview-managed-identity, "REST endpoint reference".
 */
export function createIdentity(options: IdentityOptions): Handler {
  return (request) => {
    if (request.method !== "GET" || request.url.pathname.replace(/\/$/, "") !== "/msi/token") return undefined;
    return { operation: "identity.token", run: () => answer(options, request) };
  };
}

async function answer({ tokens, header, identities }: IdentityOptions, { url, headers }: Request): Promise<Reply> {
  const query = url.searchParams;
  if (!same(headers["x-identity-header"], header)) return refuse(401, "The X-IDENTITY-HEADER is missing or wrong.");
  if (query.get("api-version") !== apiVersion) return refuse(400, `The api-version is missing or not ${apiVersion}.`);
  const resource = query.get("resource");
  if (!resource) return refuse(400, "The parameter 'resource' is missing.");
  const identity = choose(identities, query);
  if (!identity) return refuse(400, "Unable to load the proper Managed Identity.");
  const { clientId, objectId, roles } = identity;
  const { token, expiresOn } = await tokens.issue({
    audience: resource,
    objectId,
    appId: clientId,
    ...(roles ? { roles } : {}),
  });
  return {
    status: 200,
    body: {
      access_token: token,
      expires_on: String(expiresOn),
      resource,
      token_type: "Bearer",
      client_id: clientId,
    },
  };
}

/** The identity that the query names, or the one for requests that name none. */
export function choose(identities: readonly Identity[], query: URLSearchParams): Identity | undefined {
  const clientId = query.get("client_id");
  const objectId = query.get("object_id") ?? query.get("principal_id");
  const resourceId = query.get("mi_res_id") ?? query.get("msi_res_id");
  if (clientId !== null) return identities.find((identity) => identity.clientId === clientId);
  if (objectId !== null) return identities.find((identity) => identity.objectId === objectId);
  if (resourceId !== null)
    return identities.find((identity) => identity.resourceId?.toLowerCase() === resourceId.toLowerCase());
  return identities.find((identity) => identity.systemAssigned);
}

function same(given: string | string[] | undefined, expected: string): boolean {
  const [a, b] = [Buffer.from(String(given)), Buffer.from(expected)];
  return given !== undefined && a.length === b.length && timingSafeEqual(a, b);
}

function refuse(statusCode: number, message: string): Reply {
  return { status: statusCode, body: { statusCode, message, correlationId: randomUUID() } };
}
