import type { IncomingMessage } from "node:http";
import { isObject } from "./attributes.ts";
import type { Operation } from "./model.ts";
import { Refusal, badParameter } from "./refusal.ts";

/** A request line, taken apart. */
export interface Target {
  /** Decoded, without empty ones: `//` counts as `/`, and a slash at the end for nothing. */
  readonly segments: readonly string[];
  /** Names in lower case; of several values the first. */
  readonly query: ReadonlyMap<string, string>;
}

const latestApiVersion = "2026-04-01";
const apiVersions = /^(7\.[0-6](-preview(\.\d)?)?|2025-06-01-preview|2025-07-01|2026-\d\d-01-preview|2026-04-01)$/;
const maxBody = 1024 * 1024;
/** What a request without a body has. */
export const noBody = Buffer.alloc(0);

/** Takes a request target apart; refuses escapes that are not UTF-8. */
export function parseTarget(target: string): Target {
  const relative = target.startsWith("/") ? target : target.replace(/^https?:\/\/[^/?]*/i, "");
  const mark = relative.indexOf("?");
  const path = mark < 0 ? relative : relative.slice(0, mark);
  const query = mark < 0 ? new Map<string, string>() : parseQuery(relative.slice(mark + 1));
  try {
    const segments = path.split("/").filter(Boolean);
    return { segments: path.includes("%") ? segments.map(decodeURIComponent) : segments, query };
  } catch {
    throw badParameter("The request URI is not well encoded.");
  }
}

/** The one query that most requests have, as the official clients write it. */
const usualQuery = /^api(?:-|%2D)version=([\d.a-z-]+)$/;

function parseQuery(text: string): Map<string, string> {
  const usual = usualQuery.exec(text)?.[1];
  if (usual !== undefined) return new Map([["api-version", usual]]);
  const query = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(text)) {
    const key = name.toLowerCase();
    if (!query.has(key)) query.set(key, value);
  }
  return query;
}

/** The api-version, which every request must name. */
export function readApiVersion({ query }: Target): string {
  const version = query.get("api-version");
  if (!version) throw badParameter("The query parameter api-version is missing.");
  if (apiVersions.test(version)) return version;
  throw badParameter(
    `The specified version (${version}) is not recognized. Consider using the latest supported version (${latestApiVersion}).`,
  );
}

/** An operation with the variables of its path. */
export interface Match {
  readonly operation: Operation;
  readonly name: string;
  readonly version: string;
}

/** Finds the operation of a request; literal segments are compared without case, as everything in an id. */
export type Router = (method: string, target: Target) => Match | undefined;

/** Makes a router, whatever the order of `operations`. */
export function createRouter(operations: readonly Operation[]): Router {
  const routes = new Map<string, { readonly operation: Operation; readonly parts: readonly string[] }[]>();
  const bucket = (method: string, segments: readonly string[]) =>
    `${method} ${segments.length} ${segments[0]?.toLowerCase()}`;
  for (const operation of operations) {
    const parts = operation.path.split("/");
    const key = bucket(operation.method, parts);
    routes.set(key, [...(routes.get(key) ?? []), { operation, parts }]);
  }
  const variables = ({ parts }: { readonly parts: readonly string[] }) =>
    parts.map((part) => (part.startsWith(":") ? 1 : 0)).join("");
  for (const some of routes.values()) some.sort((a, b) => variables(a).localeCompare(variables(b)));

  return (method, { segments }) => {
    for (const { operation, parts } of routes.get(bucket(method, segments)) ?? []) {
      const found = { operation, name: "", version: "" };
      let at = 0;
      for (; at < parts.length; at += 1) {
        const [part, segment] = [parts[at], segments[at]!];
        if (part === ":name") found.name = segment;
        else if (part === ":version") found.version = segment.toLowerCase();
        else if (part !== segment.toLowerCase()) break;
      }
      if (at === parts.length) return found;
    }
    return undefined;
  };
}

/** Refuses names and versions that no object can have. */
export function checkMatch({ name, version }: Match): void {
  if (name && !/^[0-9a-zA-Z-]{1,127}$/.test(name)) {
    throw badParameter(`The request URI contains an invalid name: ${name}`);
  }
  if (version && !/^[0-9a-f]{32}$/.test(version)) {
    throw badParameter(`The request URI contains an invalid version: ${version}`);
  }
}

/** True while a body is still to come: one that was announced and is not read to its end. */
export function isUnread(request: IncomingMessage): boolean {
  return !request.complete && announcesBody(request);
}

/** Whether a body comes with the request. */
export function announcesBody({ headers }: IncomingMessage): boolean {
  const length = headers["content-length"];
  return (length !== undefined && length !== "0") || headers["transfer-encoding"] !== undefined;
}

/** Reads the body up to 1 MiB; refuses more with 413 (the rest is not waited for). Rejects when the client goes away. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  if (!announcesBody(request)) return noBody;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBody) throw new Refusal(413, "RequestEntityTooLarge", "The request body is larger than 1 MiB.");
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

/** The body as JSON; refuses anything else with 400. */
export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw badParameter("The request body is not valid JSON.");
  }
}

/** The body as a JSON object; refuses anything else with 400. */
export function parseBody(body: Buffer): Readonly<Record<string, unknown>> {
  const parsed = parseJson(body);
  if (!isObject(parsed)) throw badParameter("The request body is not a JSON object.");
  return parsed;
}
