import type { AppFunction, AppLog } from "./app.ts";
import { bindingText } from "./core.ts";
import type { HttpCookie, HttpData, TypedData } from "./core.ts";
import { hasKey } from "./keys.ts";
import type { Keys } from "./keys.ts";
import { compileRoute } from "./routes.ts";
import { describeError } from "./run.ts";
import type { Runner } from "./run.ts";
import type { Handler, RequestHead, Response } from "./server.ts";

/**
 * The app's HTTP triggers. A path or method that no route takes is answered 404 (the real host never says 405), a missing or
 * wrong key 401, a function that throws 500 with an empty body, one that returns nothing 204.
 */
export function httpTriggers(options: {
  readonly functions: Iterable<AppFunction>;
  readonly routePrefix: string;
  readonly keys: Keys;
  readonly runner: Runner;
  readonly log: AppLog;
}): Handler {
  const { keys, runner, log } = options;
  const endpoints = [...options.functions]
    .map((fn) => ({
      fn,
      route: compileRoute(routeTemplate(fn, options.routePrefix)),
      methods: new Set(((fn.trigger["methods"] as string[] | undefined) ?? []).map((method) => method.toUpperCase())),
    }))
    .sort((a, b) => (a.route.precedence < b.route.precedence ? -1 : Number(a.route.precedence > b.route.precedence)));

  return (request) => {
    const path = request.url.pathname.slice(1);
    for (const { fn, route, methods } of endpoints) {
      if (methods.size > 0 && !methods.has(request.method)) continue;
      const params = route.match(path);
      if (!params) continue;
      const accepted = acceptedKeys(fn, keys);
      if (accepted && !hasKey(request.headers, request.url.searchParams, accepted)) return { status: 401 };
      return async (body) => {
        try {
          const traceParent = request.headers["traceparent"];
          const outcome = await runner.once(fn, {
            data: { http: toHttpData(request, body, params) },
            ...(typeof traceParent === "string" && { traceParent }),
          });
          return fromReturnValue(outcome.returnValue);
        } catch (error) {
          log("error", fn.name, `failed: ${describeError(error)}`);
          return { status: 500 };
        }
      };
    }
    return { status: 404 };
  };
}

/** The route of a function with its prefix, without a leading slash. */
export function routeTemplate(fn: AppFunction, routePrefix: string): string {
  const route = bindingText(fn.trigger, "route") ?? fn.name;
  return [routePrefix, route.replace(/^\//, "")].filter(Boolean).join("/");
}

/** Undefined for an anonymous function. */
function acceptedKeys(fn: AppFunction, keys: Keys): readonly string[] | undefined {
  const level = (bindingText(fn.trigger, "authLevel") ?? "anonymous").toLowerCase();
  if (level === "anonymous") return undefined;
  return level === "admin" ? [keys.master] : [keys.function, keys.master];
}

function toHttpData(request: RequestHead, body: Buffer, params: Readonly<Record<string, string>>): HttpData {
  const wrap = (values: Readonly<Record<string, string | string[] | undefined>>) =>
    Object.fromEntries(
      Object.entries(values).map(([name, value]) => [
        name,
        { value: Array.isArray(value) ? value.join(", ") : (value ?? "") },
      ]),
    );
  return {
    method: request.method,
    url: request.url.href,
    nullableHeaders: wrap(request.headers),
    nullableParams: wrap(params),
    // A repeated parameter comes as one, whatever the case of its name.
    nullableQuery: wrap(queryOf(request.url)),
    ...(body.length > 0 && { body: { bytes: body } }),
  };
}

function queryOf(url: URL): Record<string, string> {
  const all = new Map<string, { readonly name: string; readonly values: string[] }>();
  for (const [name, value] of url.searchParams) {
    const known = all.get(name.toLowerCase());
    if (known) known.values.push(value);
    else all.set(name.toLowerCase(), { name, values: [value] });
  }
  return Object.fromEntries([...all.values()].map(({ name, values }) => [name, values.join(",")]));
}

function fromReturnValue(value: TypedData | null | undefined): Response {
  const http = value?.http;
  if (!http) return { status: 204 };
  const cookies = (http.cookies ?? []).map(setCookie);
  return {
    status: Number(http.statusCode ?? 200),
    headers: { ...http.headers, ...(cookies.length > 0 && { "set-cookie": cookies }) },
    body: http.body?.bytes ?? http.body?.string ?? "",
  };
}

function setCookie(cookie: HttpCookie): string {
  const parts = [`${encodeURIComponent(cookie.name)}=${encodeURIComponent(cookie.value)}`];
  if (cookie.expires) parts.push(`expires=${new Date(cookie.expires.value.seconds * 1000).toUTCString()}`);
  if (cookie.maxAge) parts.push(`max-age=${cookie.maxAge.value}`);
  if (cookie.domain) parts.push(`domain=${cookie.domain.value}`);
  if (cookie.path) parts.push(`path=${cookie.path.value}`);
  if (cookie.secure?.value) parts.push("secure");
  if (cookie.sameSite && cookie.sameSite !== "none") {
    parts.push(`samesite=${cookie.sameSite === "explicitNone" ? "none" : cookie.sameSite}`);
  }
  if (cookie.httpOnly?.value) parts.push("httponly");
  return parts.join("; ");
}
