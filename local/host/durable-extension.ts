import { randomBytes } from "node:crypto";
import type { Clock } from "../clock.ts";
import type { AppFunction, AppLog, LoadedApp } from "./app.ts";
import type { TypedData } from "./core.ts";
import { createDurable, createTableStore } from "./durable/index.ts";
import { hasKey } from "./keys.ts";
import type { Keys } from "./keys.ts";
import { createRunner } from "./run.ts";
import type { Handler, RequestHead } from "./server.ts";
import { connectionString } from "./settings.ts";
import type { Env, HostSettings } from "./settings.ts";

/** The Durable stand-in as the host sees it. */
export interface DurableExtension {
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
  /** The management API at `/runtime/webhooks/durabletask`, for the system key or the master key. */
  readonly webhook: Handler;
  /** The app's own way in, without a key: below `rpcPath`, which only this process knows. */
  readonly rpc: Handler;
  readonly rpcPath: string;
  /** The text of a `durableClient` input. */
  readonly clientBinding: () => string;
}

const webPath = "/runtime/webhooks/durabletask";

/** Joins the Durable stand-in with the worker and the server. */
export function durableExtension(options: {
  readonly functions: Iterable<AppFunction>;
  readonly settings: HostSettings["durable"];
  readonly clock: Clock;
  readonly env: Env;
  readonly keys: Keys;
  readonly origin: string;
  readonly app: LoadedApp;
  readonly functionTimeout: number;
  readonly log: AppLog;
}): DurableExtension {
  const { settings, keys, origin, log } = options;
  const { hub, connection, ...versions } = settings;
  const ofType = (type: string) =>
    new Map(
      [...options.functions]
        .filter((fn) => fn.trigger.type.toLowerCase() === type)
        .map((fn) => [fn.name.toLowerCase(), fn] as const),
    );
  const orchestrators = ofType("orchestrationtrigger");
  const activities = ofType("activitytrigger");
  const names = (functions: ReadonlyMap<string, AppFunction>) =>
    new Set([...functions.values()].map(({ name }) => name));
  const find = (functions: ReadonlyMap<string, AppFunction>, name: string) => {
    const fn = functions.get(name.toLowerCase());
    if (!fn) throw new Error(`The app has no durable function "${name}".`);
    return fn;
  };

  const durable = createDurable({
    clock: options.clock,
    store: createTableStore({ connectionString: connectionString(connection, options.env), hub }),
    hub,
    ...versions,
    orchestrators: () => names(orchestrators),
    activities: () => names(activities),
    async invokeOrchestrator(name, payload) {
      const { returnValue } = await runner.once(find(orchestrators, name), { data: { string: payload } });
      return fromTypedData(returnValue);
    },
    async invokeActivity(name, input, { instanceId }) {
      const data = input === null ? {} : { json: input };
      const metadata = { instanceId: { json: JSON.stringify(instanceId) }, data };
      const { returnValue } = await runner.once(find(activities, name), { data, metadata });
      return fromTypedData(returnValue);
    },
    log: (level, message) => log(level === "info" ? "information" : level, "durable", message),
  });

  // The real extension listens on loopback for whoever is there. Here a web page or another user on this machine may reach
  // the port too, so that the path holds what they cannot know.
  const rpcPath = `/durabletask/${randomBytes(24).toString("base64url")}/`;
  const handle =
    (prefix: string): Handler =>
    (head) =>
    async (body) => {
      const answer = await durable.handle({
        method: head.method,
        path: head.url.pathname.slice(prefix.length),
        query: head.url.searchParams,
        body: body.toString("utf8"),
        headers: flat(head),
        base: origin + webPath,
      });
      return { status: answer.status, headers: answer.headers ?? {}, body: answer.body ?? "" };
    };
  const authorised = [keys.system.durabletask_extension, keys.master];
  const clientBinding = () =>
    durable.clientBinding({ web: origin + webPath, rpc: origin + rpcPath, key: keys.system.durabletask_extension });
  // A runner of its own: what the triggers run ends with the host, what is durable goes on at its next start.
  const runner = createRunner({ ...options, durableClient: clientBinding });
  return {
    start: () => durable.start(),
    stop: () => durable.stop(),
    webhook: (head) =>
      hasKey(head.headers, head.url.searchParams, authorised) ? handle(webPath)(head) : { status: 401 },
    rpc: handle(rpcPath),
    rpcPath,
    clientBinding,
  };
}

function flat(head: RequestHead): Record<string, string> {
  return Object.fromEntries(Object.entries(head.headers).map(([name, value]) => [name, String(value)]));
}

/** A function's value; null when it returned none. */
function fromTypedData(data: TypedData | null | undefined): unknown {
  if (!data) return null;
  if (data.json !== undefined) return JSON.parse(data.json);
  if (data.bytes !== undefined) return Buffer.from(data.bytes).toString("base64");
  return data.string ?? data.int ?? data.double ?? null;
}
