import { failure, parseJson } from "./http.ts";
import type { Handler, Match, Reply, Request } from "./http.ts";
import type { Rights } from "./rights.ts";
import type { TokenFault, Tokens } from "./tokens.ts";

/** A request to a resource, as the resource provider sees it. */
export interface ArmRequest {
  readonly method: string;
  /** The path as it came, without a trailing slash. ARM compares paths without regard to case. */
  readonly path: string;
  /** The body as JSON; undefined when it is not. */
  readonly json: unknown;
  readonly headers: Request["headers"];
  readonly query: URLSearchParams;
}

/** What a resource provider does with a request: the action that the caller needs a right for, and the work. */
export interface ArmRoute extends Match {
  readonly action: string;
}

/** A resource provider: undefined when the request is none of its own. */
export type ArmRouter = (request: ArmRequest) => ArmRoute | undefined;

/** Options of `createArm`. */
export interface ArmOptions {
  readonly tokens: Tokens;
  readonly rights: Rights;
  readonly routes: ArmRouter;
}

const audiences = ["https://management.azure.com", "https://management.core.windows.net"];

/** Azure Resource Manager: checks token, api-version and rights, in this order, then asks the resource provider. */
export function createArm(options: ArmOptions): Handler {
  return (request) => {
    if (!request.url.pathname.toLowerCase().startsWith("/subscriptions/")) return undefined;
    const path = request.url.pathname.replace(/\/+$/, "");
    const route = options.routes({
      method: request.method,
      path,
      json: parseJson(request.body),
      headers: request.headers,
      query: request.url.searchParams,
    });
    const other = ownPermissions.test(path) ? "permissions.list" : "arm.unknown";
    return { operation: route?.operation ?? other, run: () => answer(options, request, path, route) };
  };
}

async function answer(
  { tokens, rights }: ArmOptions,
  { method, headers, url }: Request,
  path: string,
  route: ArmRoute | undefined,
): Promise<Reply> {
  const caller = await tokens.verifyHeader(headers.authorization, audiences);
  if ("fault" in caller) return unauthorized(caller.fault, caller.found, tokens.tenantId);
  const version = url.searchParams.get("api-version");
  if (version === null) {
    return fail(
      400,
      "MissingApiVersionParameter",
      "The api-version query parameter (?api-version=) is required for all requests.",
    );
  }
  if (!/^\d{4}-\d\d-\d\d(-preview)?$/.test(version)) {
    return fail(400, "InvalidApiVersionParameter", `The api-version '${version}' is invalid.`);
  }
  const at = method === "GET" ? ownPermissions.exec(path)?.[1] : undefined;
  if (at !== undefined && rights.permits(caller.objectId, "Microsoft.Authorization/permissions/read", at)) {
    const value = rights
      .permissions(caller.objectId, at)
      .map(({ actions, notActions, dataActions, notDataActions }) => ({
        actions,
        notActions,
        dataActions,
        notDataActions,
      }));
    return { status: 200, body: { value } };
  }
  if (!route && at === undefined) return fail(404, "NotFound", `The resource or operation '${path}' was not found.`);
  const action = route?.action ?? "Microsoft.Authorization/permissions/read";
  if (!route || !rights.allowed(caller.objectId, "arm") || !rights.permits(caller.objectId, action, path)) {
    const who = `The client '${caller.appId}' with object id '${caller.objectId}'`;
    const what = `does not have authorization to perform action '${action}' over scope '${path}' or the scope is invalid.`;
    return fail(
      403,
      "AuthorizationFailed",
      `${who} ${what} If access was recently granted, please refresh your credentials.`,
    );
  }
  return route.run();
}

/** What the caller may do at a scope. */
const ownPermissions = /^(\/subscriptions\/[^/]+(?:\/.+)?)\/providers\/Microsoft\.Authorization\/permissions$/i;

const tokenFaults: Readonly<Record<TokenFault, readonly [code: string, message: string]>> = {
  missing: ["AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."],
  malformed: ["InvalidAuthenticationToken", "The access token is invalid."],
  expired: ["ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than current UTC time."],
  audience: ["InvalidAuthenticationTokenAudience", "The access token has been obtained for wrong audience or resource"],
};

function unauthorized(fault: TokenFault, found: string | undefined, tenantId: string): Reply {
  const [code, message] = tokenFaults[fault];
  const whole =
    found === undefined ? message : `${message} '${found}'. It should exactly match '${audiences.join("/','")}/'.`;
  const challenge = `Bearer authorization_uri="https://login.windows.net/${tenantId}", error="invalid_token", error_description="${message}"`;
  return { ...fail(401, code, whole), headers: { "www-authenticate": challenge } };
}

/** An error reply in ARM's form. */
export function fail(status: number, code: string, message: string): Reply {
  return { status, body: failure(code, message) };
}
