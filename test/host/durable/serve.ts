import { createServer } from "node:http";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Clock } from "../../../local/clock.ts";
import { loadApp } from "../../../local/host/app.ts";
import type { LoadedApp } from "../../../local/host/app.ts";
import type { TypedData } from "../../../local/host/core.ts";
import { createDurable } from "../../../local/host/durable/index.ts";
import type { Durable, DurableOptions, Store } from "../../../local/host/durable/index.ts";

export const appFolder = join(import.meta.dirname, "../conformance/app");

let app: Promise<LoadedApp> | undefined;

/** The conformance app, loaded once for this process. */
export function conformanceApp(): Promise<LoadedApp> {
  app ??= loadApp(appFolder);
  return app;
}

/** How the Durable stand-in gets at an app's functions; what the host's worker half does, in short. */
export function workerOf(
  loaded: LoadedApp,
): Pick<DurableOptions, "orchestrators" | "activities" | "invokeOrchestrator" | "invokeActivity"> {
  const named = (type: string) =>
    new Set([...loaded.functions.values()].filter(({ trigger }) => trigger.type === type).map(({ name }) => name));
  const [orchestrators, activities] = [named("orchestrationTrigger"), named("activityTrigger")];
  const invoke = async (name: string, data: TypedData) => {
    const trigger = loaded.functions.get(name)!.trigger.name;
    const { returnValue } = await loaded.invoke(name, { inputs: { [trigger]: data } });
    return valueOf(returnValue);
  };
  return {
    orchestrators: () => orchestrators,
    activities: () => activities,
    invokeOrchestrator: (name, payload) => invoke(name, { string: payload }),
    invokeActivity: (name, input) => invoke(name, input === null ? {} : { string: input }),
  };
}

function valueOf(data: TypedData | null | undefined): unknown {
  if (!data) return undefined;
  if (data.json !== undefined) return JSON.parse(data.json) as unknown;
  return data.string ?? data.int ?? data.double;
}

export interface Served {
  readonly url: string;
  readonly durable: Durable;
  stop(): Promise<void>;
}

export type ServeOptions = {
  readonly clock: Clock;
  readonly store: Store;
  readonly port?: number;
} & Partial<DurableOptions>;

/** Serves the conformance app over HTTP: its management API, and its HTTP functions that use the durable client. */
export async function serve(options: ServeOptions): Promise<Served> {
  const loaded = await conformanceApp();
  const durable = createDurable({
    hub: "conformance",
    defaultVersion: "1.0",
    log: () => {},
    ...workerOf(loaded),
    ...options,
  });
  await durable.start();
  const server = createServer((request, response) => {
    void answer(request, loaded, durable, `http://127.0.0.1:${(server.address() as AddressInfo).port}`).then(
      ({ status, headers, body }) => response.writeHead(status, { ...headers }).end(body),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    durable,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await durable.stop();
    },
  };
}

const web = "/runtime/webhooks/durabletask";
const rpc = "/durabletask";

async function answer(request: IncomingMessage, loaded: LoadedApp, durable: Durable, origin: string) {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks).toString();
  const url = new URL(request.url!, origin);
  const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
  for (const root of [web, rpc]) {
    if (!url.pathname.startsWith(`${root}/`)) continue;
    const path = url.pathname.slice(root.length);
    return durable.handle({
      method: request.method!,
      path,
      query: url.searchParams,
      body,
      headers,
      base: `${origin}${web}`,
    });
  }
  process.env["WEBSITE_HOSTNAME"] = url.host;
  const [, , route, parameter] = url.pathname.split("/");
  const name = route === "client" ? "client" : "checkStatus";
  const found = loaded.functions.get(name)!;
  const client = Object.keys(found.bindings).find((binding) => found.bindings[binding]!.type === "durableClient")!;
  const binding = durable.clientBinding({ web: `${origin}${web}`, rpc: `${origin}${rpc}`, key: "K" });
  const params = { [route === "client" ? "call" : "id"]: { value: parameter! } };
  const http = {
    method: request.method!,
    url: url.href,
    headers,
    nullableParams: params,
    body: { bytes: Buffer.from(body) },
  };
  const { returnValue, outputs } = await loaded.invoke(name, {
    inputs: { [found.trigger.name]: { http }, [client]: { string: binding } },
  });
  const given = (returnValue ?? Object.values(outputs)[0])?.http;
  return {
    status: Number(given?.statusCode ?? 200),
    headers: given?.headers,
    body: Buffer.from(given?.body?.bytes ?? []),
  };
}
