import { randomUUID, timingSafeEqual } from "node:crypto";
import type { Clock } from "../clock.ts";
import type { Handler, Reply, Request } from "./http.ts";
import type { Identity } from "./identity.ts";
import type { Tokens } from "./tokens.ts";

/** An app registration: an identity that proves itself with a secret. */
export interface Client extends Pick<Identity, "clientId" | "objectId" | "roles"> {
  readonly secret: string;
}

/** Options of `createClientCredentials`. */
export interface ClientCredentialsOptions {
  readonly tokens: Tokens;
  readonly clock: Clock;
  readonly clients: readonly Client[];
}

/** As Entra's own access tokens for apps: an hour, less a second. */
const lifetimeSeconds = 3599;

/**
 * Entra's token endpoint for apps, `POST /{tenant}/oauth2/v2.0/token` (`scope=<resource>/.default`) and the older
 * `/{tenant}/oauth2/token` (`resource=`), grant `client_credentials` with a secret. Error codes and texts: Entra's AADSTS list.
 */
export function createClientCredentials(options: ClientCredentialsOptions): Handler {
  return (request) => {
    const path = /^\/([^/]+)\/oauth2\/(v2\.0\/)?token$/.exec(request.url.pathname);
    if (request.method !== "POST" || !path) return undefined;
    const [, tenant = "", version] = path;
    return { operation: "oauth.token", run: () => answer(options, request, tenant, version !== undefined) };
  };
}

async function answer(
  { tokens, clock, clients }: ClientCredentialsOptions,
  { body, headers }: Request,
  tenant: string,
  version2: boolean,
): Promise<Reply> {
  const fail = (status: number, error: string, code: number, text: string): Reply => ({
    status,
    body: {
      error,
      error_description: `AADSTS${code}: ${text}`,
      error_codes: [code],
      timestamp: new Date(clock.now()).toISOString(),
      trace_id: randomUUID(),
      correlation_id: randomUUID(),
    },
  });
  if (tenant.toLowerCase() !== tokens.tenantId.toLowerCase()) {
    return fail(400, "invalid_request", 90002, `Tenant '${tenant}' not found.`);
  }
  const form = new URLSearchParams(body.toString("utf8"));
  const grant = form.get("grant_type");
  if (!grant) {
    return fail(400, "invalid_request", 900144, "The request body must contain the following parameter: 'grant_type'.");
  }
  if (grant !== "client_credentials") {
    return fail(400, "unsupported_grant_type", 70003, `The app requested an unsupported grant type '${grant}'.`);
  }
  const { id, secret } = credentials(form, headers.authorization);
  const client = clients.find(({ clientId }) => clientId.toLowerCase() === id.toLowerCase());
  if (!client) {
    const text = `Application with identifier '${id}' was not found in the directory '${tenant}'.`;
    return fail(400, "unauthorized_client", 700016, text);
  }
  if (!same(secret, client.secret)) {
    return fail(401, "invalid_client", 7000215, `Invalid client secret provided for app '${id}'.`);
  }
  const audience = version2 ? resourceOf(form.get("scope")) : form.get("resource");
  if (!audience) {
    const text = `The provided value for scope ${form.get("scope") ?? ""} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).`;
    return fail(400, "invalid_scope", 1002012, text);
  }
  const { objectId, clientId: appId, roles } = client;
  const { token, expiresOn } = await tokens.issue({
    audience,
    objectId,
    appId,
    lifetimeSeconds,
    ...(roles ? { roles } : {}),
  });
  const common = { token_type: "Bearer", access_token: token };
  if (version2) {
    return { status: 200, body: { ...common, expires_in: lifetimeSeconds, ext_expires_in: lifetimeSeconds } };
  }
  const times = { expires_in: String(lifetimeSeconds), expires_on: String(expiresOn), resource: audience };
  return { status: 200, body: { ...common, ...times } };
}

/** From the form, or from HTTP Basic. */
function credentials(form: URLSearchParams, authorization: string | undefined): { id: string; secret: string } {
  const basic = /^Basic (.+)$/i.exec(authorization ?? "")?.[1];
  const [id = "", ...rest] = basic ? Buffer.from(basic, "base64").toString("utf8").split(":") : [];
  return {
    id: form.get("client_id") ?? decode(id),
    secret: form.get("client_secret") ?? decode(rest.join(":")),
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** `https://vault.azure.net/.default` asks for `https://vault.azure.net`. */
function resourceOf(scope: string | null): string | undefined {
  return /^(\S+)\/\.default$/.exec((scope ?? "").trim())?.[1];
}

function same(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
