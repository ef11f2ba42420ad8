import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";

/** A status as the management API gives it. */
export interface Status {
  readonly name: string;
  readonly instanceId: string;
  readonly runtimeStatus: string;
  readonly input: unknown;
  readonly customStatus: unknown;
  readonly output: unknown;
  readonly createdTime: string;
  readonly lastUpdatedTime: string;
  readonly historyEvents?: readonly Record<string, unknown>[];
}

/** An answer of the host. `json` is undefined when there is no body. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly json: unknown;
}

/** The management API of a host, and the app's client function; what a scenario uses to look at it. */
export interface Api {
  request(method: string, path: string, body?: string, headers?: Record<string, string>): Promise<Answer>;
  /** Starts an orchestration; the instance's id is new unless given. */
  start(name: string, input?: unknown, id?: string): Promise<string>;
  status(id: string, query?: string): Promise<Status>;
  /** Waits until the instance is in one of the states; the ended ones unless given. */
  until(id: string, ...states: string[]): Promise<Status>;
  /** Waits until the custom status is this one. */
  untilCustom(id: string, customStatus: unknown): Promise<Status>;
  /** Starts and waits for the end. */
  run(name: string, input?: unknown): Promise<Status>;
  raise(id: string, name: string, data: unknown): Promise<Answer>;
  post(id: string, operation: string, query?: string): Promise<Answer>;
  /** Calls a method of the SDK's DurableClient inside the app. */
  client(method: string, ...args: unknown[]): Promise<unknown>;
  readonly url: string;
}

/** One behaviour. `run` throws when the host does not show it. */
export interface Scenario {
  readonly name: string;
  /** Where only the stand-in is meant: the real host hangs, or does more. */
  readonly only?: "stand-in";
  run(api: Api): Promise<void>;
}

export const newId = (): string => `c${randomUUID().replaceAll("-", "")}`;

const ended = ["Completed", "Failed", "Terminated", "Canceled"];
const patience = 30_000;

/** Makes the API of a host. `code` is its `durabletask_extension` system key, where it asks for one. */
export function createApi(url: string, code?: string): Api {
  const send = async (
    method: string,
    target: string,
    body?: string,
    headers: Record<string, string> = {},
  ): Promise<Answer> => {
    const response = await fetch(target, {
      method,
      headers: { ...(body !== undefined && { "Content-Type": "application/json" }), ...headers },
      ...(body !== undefined && { body }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, json: text === "" ? undefined : parsed(text) };
  };

  const api: Api = {
    url,
    request(method, path, body, headers) {
      const target = new URL(`${url}/runtime/webhooks/durabletask/${path}`);
      if (code) target.searchParams.set("code", code);
      return send(method, target.href, body, headers);
    },
    async start(name, input, id = newId()) {
      const answer = await api.request(
        "POST",
        `orchestrators/${name}/${id}`,
        input === undefined ? "" : JSON.stringify(input),
      );
      assert.equal(answer.status, 202, JSON.stringify(answer.json));
      assert.equal((answer.json as { id: string }).id, id);
      return id;
    },
    async status(id, query = "") {
      const answer = await api.request("GET", `instances/${id}${query}`);
      assert.ok([200, 202].includes(answer.status), `status of ${id}: ${answer.status}`);
      return answer.json as Status;
    },
    until: (id, ...states) => {
      const wanted = states.length > 0 ? states : ended;
      return poll(id, ({ runtimeStatus }) => wanted.includes(runtimeStatus), wanted.join(" or "));
    },
    untilCustom: (id, customStatus) => {
      const wanted = JSON.stringify(customStatus);
      return poll(id, (status) => JSON.stringify(status.customStatus) === wanted, `custom status ${wanted}`);
    },
    run: async (name, input) => api.until(await api.start(name, input)),
    raise: (id, name, data) => api.request("POST", `instances/${id}/raiseEvent/${name}`, JSON.stringify(data)),
    post: (id, operation, query = "") => api.request("POST", `instances/${id}/${operation}${query}`),
    async client(method, ...args) {
      const answer = await send("POST", `${url}/api/client/${method}`, JSON.stringify(args));
      const { result, error } = answer.json as { result?: unknown; error?: string };
      if (error !== undefined) throw new Error(error);
      return result;
    },
  };

  const poll = async (id: string, done: (status: Status) => boolean, what: string): Promise<Status> => {
    const until = performance.now() + patience;
    for (;;) {
      const answer = await api.request("GET", `instances/${id}`);
      const status = answer.json as Status | undefined;
      if (status && done(status)) return status;
      if (performance.now() > until) assert.fail(`${id} is not ${what}: ${JSON.stringify(status)}`);
      await delay(25);
    }
  };
  return api;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
