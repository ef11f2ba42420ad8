// The management API: `/runtime/webhooks/durabletask` and the RPC base alike (the extension's HttpApiHandler).
import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "../../clock.ts";
import type { Engine } from "./engine.ts";
import { event, EventType } from "./history.ts";
import type { DurableRequest, DurableResponse } from "./index.ts";
import { AlreadyExists, isTerminal, runtimeStatuses } from "./instance.ts";
import type { Instance, RuntimeStatus, StartOptions } from "./instance.ts";
import { registered, unknownFunction } from "./names.ts";
import { managementUrls } from "./urls.ts";
import { historyView, statusView } from "./views.ts";

/** What the API needs beside the engine. */
export interface ApiOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly hub: string;
  orchestrators(): ReadonlySet<string>;
}

type Query = ReadonlyMap<string, string>;

const pageSize = 100;

/** Answers one request. It never rejects for what a client sent. */
export async function handle(request: DurableRequest, options: ApiOptions): Promise<DurableResponse> {
  const [kind, ...rest] = request.path.split("/").filter(Boolean).map(decoded);
  const route = `${request.method.toUpperCase()} ${kind?.toLowerCase() ?? ""}`;
  const query: Query = new Map([...request.query].map(([name, value]) => [name.toLowerCase(), value]));
  const context = { ...options, request, query };
  try {
    if (kind?.toLowerCase() === "entities") return message(501, "Entities are not supported here.");
    if (route === "POST orchestrators" && rest[0]) return await start(context, rest[0], rest[1]);
    if (kind?.toLowerCase() !== "instances") return { status: 404 };
    const [id, operation, name] = rest;
    if (id === undefined) {
      if (route === "GET instances") return list(context);
      return route === "DELETE instances" ? await purgeMany(context) : { status: 404 };
    }
    const instance = options.engine.get(id);
    if (operation === undefined) {
      if (route === "GET instances") return instance ? await status(context, instance) : { status: 404 };
      return route === "DELETE instances" ? await purgeOne(context, instance) : { status: 404 };
    }
    return route === "POST instances"
      ? await operate(context, instance, operation.toLowerCase(), name)
      : { status: 404 };
  } catch (error) {
    if (error instanceof BadArgument) {
      return fault(400, "One or more of the arguments submitted is incorrect", error, "System.ArgumentException");
    }
    if (error instanceof AlreadyExists) return message(409, error.message);
    return fault(500, "Something went wrong while processing your request", error, "System.Exception");
  }
}

interface Context extends ApiOptions {
  readonly request: DurableRequest;
  readonly query: Query;
}

class BadArgument extends Error {}

/** Neither the function nor the id is looked at: an instance of a function that is not there starts, and fails. */
async function start(context: Context, name: string, id: string | undefined): Promise<DurableResponse> {
  const { request, query } = context;
  // The SDK's client, when it is given no input, sends an empty string as JSON.
  const input = request.body === "" ? null : json(request.body);
  if (input === undefined) return message(400, "Invalid JSON content");
  return begin(context, { name, input, version: query.get("version") ?? null, ...(id !== undefined && { id }) });
}

async function begin(context: Context, what: StartOptions): Promise<DurableResponse> {
  const { engine, request, query } = context;
  const id = await engine.create(what);
  const [timeout, interval] = [query.get("timeout"), query.get("pollinginterval")].map((text) => Number(text ?? "NaN"));
  if (timeout !== undefined && interval !== undefined && timeout >= 0 && interval >= 0) {
    const ended = await waitFor(engine, id, timeout * 1000);
    if (ended?.status === "Completed") return body(200, JSON.parse(ended.output ?? "null"));
    if (ended) return status(context, ended);
  }
  const { rewindPostUri: _, ...urls } = managementUrls(request.base, id, context.hub, query.get("code"));
  return body(202, urls, { Location: urls.statusQueryGetUri, "Retry-After": "10" });
}

/** Waits real time, as the client does. */
async function waitFor(engine: Engine, id: string, milliseconds: number): Promise<Instance | undefined> {
  const until = performance.now() + milliseconds;
  for (;;) {
    const instance = engine.get(id);
    if (instance && isTerminal(instance.status)) return instance;
    if (performance.now() >= until) return undefined;
    await delay(10);
  }
}

async function status({ engine, request, query }: Context, instance: Instance): Promise<DurableResponse> {
  const showInput = flag(query, "showinput") ?? true;
  const view = statusView(instance, showInput);
  const full =
    flag(query, "showhistory") && instance.status !== "Pending"
      ? {
          ...view,
          historyEvents: historyView(await engine.history(instance.id), {
            output: flag(query, "showhistoryoutput") ?? false,
            input: showInput,
          }),
        }
      : view;
  if (isTerminal(instance.status)) {
    const failed = instance.status === "Failed" && flag(query, "returninternalservererroronfailure");
    return body(failed ? 500 : 200, full);
  }
  const search = request.query.size > 0 ? `?${request.query.toString()}` : "";
  const Location = `${request.base}/${request.path.replace(/^\//, "")}${search}`;
  return body(202, full, { Location, "Retry-After": "5" });
}

function list({ engine, request, query }: Context): DurableResponse {
  const prefix = query.get("instanceidprefix") ?? "";
  const found = select(engine, query)
    .filter(({ id }) => id.startsWith(prefix))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  const token = request.headers["x-ms-continuation-token"];
  const after = token ? Buffer.from(token, "base64url").toString() : "";
  const rest = found.filter(({ id }) => id > after);
  const top = Number(query.get("top") ?? Number.NaN);
  const page = rest.slice(0, Number.isInteger(top) && top > 0 ? top : pageSize);
  const more = page.length < rest.length ? Buffer.from(page.at(-1)!.id).toString("base64url") : "";
  const showInput = flag(query, "showinput") ?? true;
  return body(
    200,
    page.map((instance) => statusView(instance, showInput)),
    { "x-ms-continuation-token": more },
  );
}

/** Instances by `createdTimeFrom`, `createdTimeTo` and `runtimeStatus`; what cannot be read does not filter. */
function select(engine: Engine, query: Query): Instance[] {
  const from = instant(query, "createdtimefrom") ?? -Infinity;
  const to = instant(query, "createdtimeto") ?? Infinity;
  const asked = (query.get("runtimestatus") ?? "").split(",");
  const statuses = asked.filter((text): text is RuntimeStatus => (runtimeStatuses as readonly string[]).includes(text));
  return engine
    .all()
    .filter(
      ({ createdAt, status }) =>
        createdAt >= from && createdAt <= to && (statuses.length === 0 || statuses.includes(status)),
    );
}

async function purgeOne({ engine }: Context, instance: Instance | undefined): Promise<DurableResponse> {
  if (!instance) return { status: 404 };
  await engine.purge(instance.id);
  return body(200, { instancesDeleted: 1 });
}

async function purgeMany({ engine, query }: Context): Promise<DurableResponse> {
  if (instant(query, "createdtimefrom") === undefined) {
    return body(400, "Please provide value for 'createdTimeFrom' parameter.");
  }
  const ended = select(engine, query).filter(({ status }) => isTerminal(status));
  for (const { id } of ended) await engine.purge(id);
  return ended.length === 0 ? { status: 404 } : body(200, { instancesDeleted: ended.length });
}

async function operate(
  context: Context,
  instance: Instance | undefined,
  operation: string,
  name: string | undefined,
): Promise<DurableResponse> {
  const { engine, query, clock } = context;
  if (operation === "restart") return restart(context, instance);
  if (!["terminate", "suspend", "resume", "rewind", "raiseevent"].includes(operation)) return { status: 404 };
  if (!instance) return { status: 404 };
  if (operation === "rewind")
    return message(501, "The rewind operation is not supported by the underlying storage provider.");
  if (isTerminal(instance.status)) return { status: 410 };
  if (operation === "raiseevent") return name ? raise(context, instance, name) : { status: 404 };
  const reason = query.get("reason") ?? null;
  const sent =
    operation === "terminate"
      ? ({ EventType: EventType.ExecutionTerminated, Input: reason } as const)
      : ({
          EventType: operation === "suspend" ? EventType.ExecutionSuspended : EventType.ExecutionResumed,
          Reason: reason ?? "",
        } as const);
  await engine.send(instance.id, event(sent, clock.now()));
  return { status: 202 };
}

async function raise({ engine, request, clock }: Context, instance: Instance, name: string): Promise<DurableResponse> {
  const type = request.headers["content-type"]?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json") return message(400, "Only application/json request content is supported");
  const input = json(request.body);
  if (input === undefined) return message(400, "Invalid JSON content");
  await engine.send(instance.id, event({ EventType: EventType.EventRaised, Name: name, Input: input }, clock.now()));
  return { status: 202 };
}

async function restart(context: Context, instance: Instance | undefined): Promise<DurableResponse> {
  if (!instance) {
    const error = new BadArgument("An orchestration with this instance id was not found.");
    return fault(400, "InstanceId does not match a valid orchestration instance.", error, "System.ArgumentException");
  }
  const sameId = flag(context.query, "restartwithnewinstanceid") === false;
  const { name, input, version } = instance;
  try {
    return await begin(context, { name: known(context, name), input, version, ...(sameId && { id: instance.id }) });
  } catch (error) {
    if (!(error instanceof AlreadyExists)) throw error;
    const type = "DurableTask.Core.Exceptions.OrchestrationAlreadyExistsException";
    return fault(409, "A non-terminal instance with this instance ID already exists.", error, type);
  }
}

function known({ orchestrators }: Context, functionName: string): string {
  const name = registered(orchestrators(), functionName);
  if (name) return name;
  throw new BadArgument(unknownFunction(functionName, "orchestrator", orchestrators()));
}

/** The text in its shortest form; undefined when it is no JSON. */
function json(text: string): string | undefined {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function flag(query: Query, name: string): boolean | undefined {
  const text = query.get(name)?.trim().toLowerCase();
  return text === "true" ? true : text === "false" ? false : undefined;
}

function instant(query: Query, name: string): number | undefined {
  const ms = Date.parse(query.get(name) ?? "");
  return Number.isNaN(ms) ? undefined : ms;
}

function body(status: number, value: unknown, headers: Record<string, string> = {}): DurableResponse {
  return {
    status,
    headers: { "Content-Type": "application/json; charset=utf-8", ...headers },
    body: JSON.stringify(value),
  };
}

function message(status: number, Message: string): DurableResponse {
  return body(status, { Message });
}

function fault(status: number, Message: string, error: unknown, ExceptionType: string): DurableResponse {
  const ExceptionMessage = error instanceof Error ? error.message : String(error);
  return body(status, { Message, ExceptionMessage, ExceptionType, StackTrace: "" });
}
