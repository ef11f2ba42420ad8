import type { Clock } from "../clock.ts";
import { adminEndpoints } from "./admin.ts";
import { loadApp } from "./app.ts";
import type { AppFunction, AppLog } from "./app.ts";
import { eventGridWebhook } from "./event-grid.ts";
import { httpTriggers } from "./http.ts";
import { hasKey, openKeys } from "./keys.ts";
import { startQueues } from "./queues.ts";
import { createRunner, describeError, isDurableClient, unsupportedBinding, wait } from "./run.ts";
import { listen, notRunning } from "./server.ts";
import type { Handler } from "./server.ts";
import { readHostSettings, readLocalSettings } from "./settings.ts";
import type { Env } from "./settings.ts";
import { startTimers } from "./timers.ts";

/** What a host runs, and where. */
export interface HostOptions {
  /** The app's folder, absolute. */
  readonly app: string;
  /** 0: a free one. */
  readonly port: number;
  /** Folder for keys and timer status; one app of its own each. */
  readonly state: string;
  /** A local.settings.json, whose `Values` are read into the environment. */
  readonly settings?: string;
  readonly clock: Clock;
  /** The environment that the app sees; WEBSITE_HOSTNAME is written into it before the app loads. */
  readonly env: Env;
  /** Seconds until a queue message that a crash left behind is seen again; 30 when absent. */
  readonly queueLockSeconds?: number;
  readonly log: AppLog;
}

/** A host that runs. */
export interface Host {
  readonly url: string;
  /** How many functions the app registered. */
  readonly functions: number;
  /** Takes no more work, gives what runs up to 10 seconds to end, and runs the app's own `appTerminate` hooks. */
  stop(): Promise<void>;
}

/** Milliseconds for the triggers' functions to end, and again for durable work to reach its checkpoint. */
const patience = 5_000;

/** Loads the app and starts its triggers; resolves when all of them listen. Rejects when the app cannot be loaded or served. */
export async function startHost(options: HostOptions): Promise<Host> {
  const { clock, env, log } = options;
  const keys = openKeys(options.state);
  const server = await listen(options.port, (error) => log("error", "-", describeError(error)));
  const origin = `http://127.0.0.1:${server.port}`;
  if (options.settings) readLocalSettings(options.settings, env);
  env["WEBSITE_HOSTNAME"] = `127.0.0.1:${server.port}`;

  const settings = readHostSettings(options.app, env);
  const app = await loadApp(options.app, log);
  for (const fn of app.functions.values()) refuseUnsupported(fn, log);
  const active = [...app.functions.values()].filter(({ name }) => env[`AzureWebJobs.${name}.Disabled`] !== "true");
  const ofType = (type: string) => active.filter((fn) => fn.trigger.type.toLowerCase() === type.toLowerCase());

  const { functionTimeout, routePrefix } = settings;
  // Loaded only for apps that need it: it brings the storage libraries with it.
  const durable = usesDurable(active)
    ? (await import("./durable-extension.ts")).durableExtension({
        app,
        functions: active,
        settings: settings.durable,
        functionTimeout,
        clock,
        env,
        keys,
        origin,
        log,
      })
    : undefined;
  const runner = createRunner({ app, functionTimeout, log, ...(durable && { durableClient: durable.clientBinding }) });
  const shared = { env, runner, log };
  const http = httpTriggers({ functions: ofType("httpTrigger"), routePrefix, keys, ...shared });
  const admin = adminEndpoints({
    functions: new Map(active.map((fn) => [fn.name, fn])),
    routePrefix,
    origin,
    keys,
    ...shared,
  });
  const events = eventGridWebhook({ functions: ofType("eventGridTrigger"), ...shared });
  const eventsWithKey: Handler = (head) =>
    hasKey(head.headers, head.url.searchParams, [keys.system.eventgrid_extension, keys.master])
      ? events(head)
      : { status: 401 };

  // What runs may start orchestrations until it ends, and what is durable may do so from the start.
  const rpcOnly: Handler = (head) =>
    durable && head.url.pathname.startsWith(durable.rpcPath) ? durable.rpc(head) : notRunning;
  server.serve(rpcOnly);
  await durable?.start();
  server.serve((head) => {
    const path = head.url.pathname;
    if (path.startsWith("/admin/")) return admin(head);
    if (path === "/runtime/webhooks/eventgrid") return eventsWithKey(head);
    if (path.startsWith("/runtime/webhooks/durabletask/")) return durable?.webhook(head) ?? { status: 404 };
    if (durable && path.startsWith(durable.rpcPath)) return durable.rpc(head);
    return http(head);
  });
  const stopTimers = startTimers({ functions: ofType("timerTrigger"), clock, state: options.state, ...shared });
  const stopQueues = startQueues({
    functions: ofType("queueTrigger"),
    settings: settings.queues,
    lockSeconds: options.queueLockSeconds ?? 30,
    ...shared,
  });

  return {
    url: origin,
    functions: app.functions.size,
    async stop() {
      server.serve(rpcOnly);
      runner.stop();
      await Promise.race([Promise.all([stopTimers(), stopQueues(), runner.idle(patience)]), wait(patience)]);
      await Promise.race([Promise.all([durable?.stop() ?? Promise.resolve(), server.close(patience)]), wait(patience)]);
      await app.stop();
    },
  };
}

function usesDurable(functions: readonly AppFunction[]): boolean {
  return functions.some(
    (fn) =>
      /^(orchestration|activity|entity)trigger$/i.test(fn.trigger.type) ||
      Object.values(fn.bindings).some(({ type }) => isDurableClient(type)),
  );
}

function refuseUnsupported(fn: AppFunction, log: AppLog): void {
  const unsupported = unsupportedBinding(fn);
  if (unsupported) throw new Error(`The function "${fn.name}" uses ${unsupported}, which this host does not serve.`);
  if (fn.retry && !/^timertrigger$/i.test(fn.trigger.type)) {
    log(
      "warning",
      fn.name,
      `has a retry policy, which Functions do not support for a ${fn.trigger.type}; it is ignored.`,
    );
  }
}
