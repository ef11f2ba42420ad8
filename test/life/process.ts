import { AsyncLocalStorage } from "node:async_hooks";
import { EventEmitter } from "node:events";
import http from "node:http";
import type { ClientRequest, IncomingMessage } from "node:http";
import https from "node:https";

// One life of the app's process, inside this one: everything that it calls outside is seen, and it can die at any of those calls. What
// the dead one still waits for is never answered, and it never calls anybody again.

/** When a process dies: the call never leaves it; the work is done and no reply comes; the reply has come. */
export type Phase = "before" | "work" | "after";
export const phases = ["before", "work", "after"] as const;

export interface Call {
  /** What it asks for, without values: `PUT /secrets/db`, `table write`. */
  readonly name: string;
  /** How many of this name there were before it, in all lives, plus one. */
  readonly nth: number;
}

export interface Point extends Call {
  readonly phase: Phase;
}

export interface Life {
  /** Runs work as this process does: rejects with {@link Died} at the moment of death, whatever the work still waits for. */
  live<T>(work: () => Promise<T>): Promise<T>;
}

export class Died extends Error {}

/** Counts the outside calls of all lives, and ends one of them at a point. */
export interface Fate {
  readonly calls: readonly Call[];
  /** Whether the point was come by. */
  readonly struck: () => boolean;
  begin(): Life;
}

interface Process {
  dead: boolean;
  die(): void;
  pass(name: string): Passage;
}

interface Passage {
  /** False: the process is dead before the call leaves it. */
  readonly leaves: boolean;
  /** Called when the work is done; false: the process is dead, and no reply comes. */
  done(): boolean;
  /** Called when the reply was taken. */
  taken(): void;
}

const current = new AsyncLocalStorage<Process>();
const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

export function newFate(point?: Point): Fate {
  const calls: Call[] = [];
  const seen = new Map<string, number>();
  let struck = false;

  const begin = (): Life => {
    const death = Promise.withResolvers<never>();
    death.promise.catch(() => undefined);
    const process: Process = {
      dead: false,
      die() {
        process.dead = true;
        death.reject(new Died("the process died"));
      },
      pass(name) {
        const dying = { leaves: false, done: () => false, taken: () => undefined };
        if (process.dead) return dying;
        const nth = (seen.get(name) ?? 0) + 1;
        seen.set(name, nth);
        calls.push({ name, nth });
        const here =
          point !== undefined && !struck && point.name === name && point.nth === nth ? point.phase : undefined;
        if (here !== undefined) struck = true;
        if (here === "before") {
          process.die();
          return dying;
        }
        return {
          leaves: true,
          done() {
            if (here === "work") process.die();
            return !process.dead;
          },
          taken() {
            if (here === "after") process.die();
          },
        };
      },
    };
    return { live: async (work) => await Promise.race([current.run(process, work), death.promise]) };
  };
  return { calls, struck: () => struck, begin };
}

/** An outside call that is no HTTP request of its own: storage in memory, say. */
export async function outside<T>(name: string, work: () => Promise<T>): Promise<T> {
  const process = current.getStore();
  if (process === undefined) return await work();
  const passage = process.pass(name);
  if (!passage.leaves) return await never();
  const result = await work();
  if (!passage.done()) return await never();
  passage.taken();
  return result;
}

/** Sees every request of node:https and node:http and every fetch of a life. Returns what undoes it. */
export function watchNetwork(nameOf: (method: string, url: URL) => string): () => void {
  const unwatch = [watchModule(https, nameOf), watchModule(http, nameOf)];
  const { fetch } = globalThis;
  globalThis.fetch = async (input, init) => {
    const process = current.getStore();
    if (process === undefined) return await fetch(input, init);
    const url = new URL(input instanceof Request ? input.url : input);
    const passage = process.pass(nameOf(init?.method ?? "GET", url));
    if (!passage.leaves) return await never();
    const reply = await fetch(input, init);
    if (!passage.done()) return await never();
    passage.taken();
    return reply;
  };
  return () => {
    for (const undo of unwatch) undo();
    globalThis.fetch = fetch;
  };
}

function watchModule(module: Pick<typeof https, "request">, nameOf: (method: string, url: URL) => string): () => void {
  const { request } = module;
  module.request = ((options: https.RequestOptions, callback?: (reply: IncomingMessage) => void) => {
    const process = current.getStore();
    if (process === undefined || typeof options === "string" || options instanceof URL)
      return request(options as URL, callback as never);
    const url = new URL(`https://${options.hostname ?? options.host}:${options.port ?? 443}${options.path ?? "/"}`);
    const passage = process.pass(nameOf(options.method ?? "GET", url));
    if (!passage.leaves) return silent();
    return request(options, (reply) => {
      if (passage.done()) {
        callback?.(reply);
        reply.once("end", () => passage.taken());
      } else reply.resume();
    });
  }) as typeof https.request;
  return () => void (module.request = request);
}

/** A request that goes nowhere. */
function silent(): ClientRequest {
  const nothing = new EventEmitter() as ClientRequest & Record<string, unknown>;
  for (const name of [
    "write",
    "end",
    "destroy",
    "setTimeout",
    "setHeader",
    "abort",
    "removeHeader",
    "flushHeaders",
    "cork",
    "uncork",
  ])
    nothing[name as "end"] = (() => nothing) as never;
  return nothing;
}
