import type { AppFunction, AppLog } from "./app.ts";
import { routeTemplate } from "./http.ts";
import { hasKey } from "./keys.ts";
import type { Keys } from "./keys.ts";
import { describeError } from "./run.ts";
import type { Runner } from "./run.ts";
import type { Handler, Response } from "./server.ts";

/**
 * The host's own endpoints below `/admin`, for the master key: `GET host/status`, `GET functions`, and `POST functions/{name}`,
 * which runs a function that HTTP does not trigger (`{"input": "..."}`) and answers 202 at once. `host/ping` needs no key.
 */
export function adminEndpoints(options: {
  readonly functions: ReadonlyMap<string, AppFunction>;
  readonly routePrefix: string;
  readonly origin: string;
  readonly keys: Keys;
  readonly runner: Runner;
  readonly log: AppLog;
}): Handler {
  const { functions, keys, runner, log } = options;
  const started = performance.now();
  return ({ method, url, headers }) => {
    const path = url.pathname.replace(/^\/admin\//, "").replace(/\/$/, "");
    if (path === "host/ping") return { status: 200 };
    if (!hasKey(headers, url.searchParams, [keys.master])) return { status: 401 };
    if (path === "host/status" && method === "GET") {
      return json({
        id: "pinion-local",
        state: "Running",
        version: "4.1037.0",
        versionDetails: "4.1037.0 (stand-in)",
        processUptime: Math.round(performance.now() - started),
      });
    }
    if (path === "functions" && method === "GET") {
      return json([...functions.values()].map((fn) => describe(fn, options.origin, options.routePrefix)));
    }
    const fn = functions.get(decodeURIComponent(/^functions\/([^/]+)$/.exec(path)?.[1] ?? ""));
    if (!fn || method !== "POST" || /^(http|orchestration|activity|entity)trigger$/i.test(fn.trigger.type))
      return { status: 404 };
    return async (body) => {
      const input = inputOf(body);
      if (input === undefined) return { status: 400 };
      runner.withRetry(fn, { data: { string: input } }).catch((error: unknown) => {
        log("error", fn.name, `failed: ${describeError(error)}`);
      });
      return { status: 202 };
    };
  };
}

function describe(fn: AppFunction, origin: string, routePrefix: string): object {
  const http = /^httptrigger$/i.test(fn.trigger.type);
  return {
    name: fn.name,
    href: `${origin}/admin/functions/${encodeURIComponent(fn.name)}`,
    invoke_url_template: http ? `${origin}/${routeTemplate(fn, routePrefix)}` : null,
    language: "node",
    isDisabled: false,
    config: {
      name: fn.name,
      bindings: Object.entries(fn.bindings).map(([name, binding]) => ({ ...binding, name })),
    },
  };
}

/** The `input` of a manual run; a timer's is ignored by most and may be left out. Undefined when the body is no JSON object. */
function inputOf(body: Buffer): string | undefined {
  try {
    const { input } = (body.length === 0 ? {} : JSON.parse(body.toString("utf8"))) as { input?: unknown };
    return typeof input === "string" ? input : JSON.stringify(input ?? {});
  } catch {
    return undefined;
  }
}

function json(value: unknown): Response {
  return { status: 200, headers: { "content-type": "application/json; charset=utf-8" }, body: JSON.stringify(value) };
}
