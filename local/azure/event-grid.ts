import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import { createAgreements } from "./event-grid/agreements.ts";
import { createDeliveries } from "./event-grid/delivery.ts";
import type { Controls, Deliveries } from "./event-grid/delivery.ts";
import { matches, parseEvents, vaultEvent } from "./event-grid/event.ts";
import type { Published, Schema, VaultEvent } from "./event-grid/event.ts";
import type { Subscription } from "./event-grid/subscription.ts";
import { failure, isRecord, parseJson } from "./http.ts";
import type { Handler, Reply, Request } from "./http.ts";
import type { Tokens } from "./tokens.ts";

/** A custom topic: `POST /topics/{name}/api/events`. */
export interface Topic {
  readonly name: string;
  readonly inputSchema: Schema;
  /** Access key for `aeg-sas-key`; absent: only Entra tokens are accepted. */
  readonly key?: string;
}

/** Options of `createEventGrid`. */
export interface EventGridOptions {
  readonly stateDir: string;
  readonly clock: Clock;
  readonly tokens: Tokens;
  readonly topics: readonly Topic[];
  readonly subscriptions: readonly Subscription[];
  /** URL of the server that serves `handler`. */
  readonly baseUrl: () => string;
  /** Factor on the waits between delivery attempts, default 1. */
  readonly timeFactor?: number;
}

/** The Event Grid stand-in: system topics of vaults, custom topics, and the delivery of their events. */
export interface EventGrid extends Pick<Deliveries, "control" | "setTimeFactor" | "log" | "pending" | "stop"> {
  /** Adds a subscription, or replaces the one of that name. Events published before are not for it. */
  readonly subscribe: (subscription: Subscription) => void;
  readonly subscriptions: () => readonly Subscription[];
  /** An event of a vault's system topic; on disk for each subscription when this returns. */
  readonly publishVaultEvent: (event: VaultEvent) => void;
  /** What was published to a custom topic, oldest first, over restarts too. */
  readonly received: (topic: string) => readonly Record<string, unknown>[];
  readonly handler: Handler;
}

const audience = "https://eventgrid.azure.net";

/** Opens Event Grid with what its state folder holds: pending deliveries go on. */
export function createEventGrid(options: EventGridOptions): EventGrid {
  const { stateDir, clock, tokens } = options;
  mkdirSync(stateDir, { recursive: true });
  const subscriptions = new Map(options.subscriptions.map((one) => [one.name, one]));
  const agreements = createAgreements(options);
  const { agreed } = agreements;
  const timeFactor = options.timeFactor ?? 1;
  const subscription = (name: string) => subscriptions.get(name);
  const deliveries = createDeliveries({ stateDir, clock, timeFactor, subscription, agreed });

  const publish = (topic: string, published: Published) => {
    for (const one of subscriptions.values()) {
      if (one.topic === topic && matches(published, one.filters)) deliveries.add(one, published);
    }
  };
  const file = (topic: string) => join(stateDir, `event-grid-received-${topic}.jsonl`);
  const received = (topic: string) => (existsSync(file(topic)) ? readLines(file(topic)) : []);

  const accept = async (topic: Topic, { headers, body }: Request): Promise<Reply> => {
    const key = headers["aeg-sas-key"];
    const byKey = topic.key !== undefined && key === topic.key;
    if (!byKey) {
      const checked = await tokens.verifyHeader(headers.authorization, audience);
      if ("fault" in checked) return unauthorized(key === undefined ? checked.fault : "key");
    }
    const now = clock.now();
    const events = parseEvents(parseJson(body), topic.inputSchema, topicId(topic.name), now);
    if (typeof events === "string") {
      const details = [{ code: "InputJsonInvalid", message: events }];
      return { status: 400, body: { error: { ...failure("BadRequest", events).error, details } } };
    }
    appendFileSync(file(topic.name), events.map(({ event }) => `${JSON.stringify(event)}\n`).join(""));
    for (const event of events) publish(topic.name, event);
    return { status: 200 };
  };

  const topicHandler: Handler = (request) => {
    const [, name, rest] = /^\/topics\/([^/]+)\/(api\/events|received)$/.exec(request.url.pathname) ?? [];
    if (!name) return undefined;
    const topic = options.topics.find((one) => one.name.toLowerCase() === decodeURIComponent(name).toLowerCase());
    if (!topic)
      return { operation: "events.publish", run: () => ({ status: 404, body: failure("NotFound", "No such topic.") }) };
    if (rest === "received" && request.method === "GET") {
      return { operation: "_emulator.received", run: () => ({ status: 200, body: received(topic.name) }) };
    }
    if (rest !== "api/events" || request.method !== "POST") return undefined;
    return { operation: "events.publish", run: () => accept(topic, request) };
  };

  return {
    ...deliveries,
    subscribe: (one) => void subscriptions.set(one.name, one),
    subscriptions: () => [...subscriptions.values()],
    publishVaultEvent: (event) => publish(event.vaultName, vaultEvent(event, clock.now())),
    received,
    handler: (request) => topicHandler(request) ?? agreements.handler(request) ?? controlHandler(deliveries, request),
  };
}

/** `GET /_emulator/events` is the log of deliveries; `POST {duplicate?, reorder?, lose?, timeFactor?}` disturbs the next. */
function controlHandler(deliveries: Deliveries, { method, url, body }: Request): ReturnType<Handler> {
  if (url.pathname !== "/_emulator/events") return undefined;
  return {
    operation: "_emulator.events",
    run() {
      if (method === "GET") return { status: 200, body: { pending: deliveries.pending(), log: deliveries.log() } };
      const value = parseJson(body);
      if (!isRecord(value) || Object.values(value).some((one) => typeof one !== "number" || one < 0)) {
        return { status: 400, body: "Expected {duplicate?, reorder?, lose?, timeFactor?}, all numbers." };
      }
      const { timeFactor, ...controls } = value as Controls & { timeFactor?: number };
      if (timeFactor !== undefined) deliveries.setTimeFactor(timeFactor);
      deliveries.control(controls);
      return { status: 204 };
    },
  };
}

function topicId(name: string): string {
  return `/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/local/providers/Microsoft.EventGrid/topics/${name}`;
}

function unauthorized(why: string): Reply {
  const message = `The request authorization is not valid (${why}). Send an Authorization header with a token for ${audience}, or aeg-sas-key.`;
  return { status: 401, body: failure("Unauthorized", message) };
}

function readLines(file: string): Record<string, unknown>[] {
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}
