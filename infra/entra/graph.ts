import { PinionError } from "../../src/errors.ts";

/** A request to Microsoft Graph v1.0, and what it is for. */
export interface Ask {
  /** As the person reads it: `make the application`. */
  readonly does: string;
  readonly method: "GET" | "POST" | "PATCH";
  /** From `/applications...`. */
  readonly path: string;
  readonly body?: unknown;
  /** What the caller must hold, for the sentence when Graph refuses. */
  readonly needs: string;
  /** What it is about was made a moment ago: a replica that has not heard of it answers 404, or 400. */
  readonly fresh?: boolean;
  /** Nothing there is an answer: undefined. */
  readonly mayBeAbsent?: boolean;
}

/** One request; undefined where Graph has nothing to say. */
export type Graph = (ask: Ask) => Promise<unknown>;

export interface GraphOptions {
  /** Without a slash at its end. */
  readonly url: string;
  readonly token: string;
  /** Milliseconds before the first repeat; it doubles. */
  readonly pause?: number;
}

const attempts = 6;

/**
 * Opens Graph with a token. A request that Graph asks to wait with, or that comes before what it is about, is tried again. Graph's own code of an error is shown, its text never.
 */
export function openGraph({ url, token, pause = 2000 }: GraphOptions): Graph {
  return async (ask) => {
    for (let attempt = 1; ; attempt += 1) {
      const reply = await send(url, token, ask);
      const text = await reply.text();
      if (reply.ok) return text === "" ? undefined : (JSON.parse(text) as unknown);
      if (reply.status === 404 && ask.mayBeAbsent === true) return undefined;
      const later = [429, 503, 504].includes(reply.status) || (ask.fresh === true && [400, 404].includes(reply.status));
      if (!later || attempt === attempts) throw refusal(ask, reply.status, codeOf(text));
      const asked = Number(reply.headers.get("retry-after")) * 1000;
      await new Promise((resolve) => setTimeout(resolve, Math.max(asked || 0, pause * 2 ** (attempt - 1))));
    }
  };
}

async function send(url: string, token: string, { method, path, body, does }: Ask): Promise<Response> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const payload = body === undefined ? {} : { body: JSON.stringify(body) };
  const signal = AbortSignal.timeout(60_000);
  try {
    return await fetch(`${url}/v1.0${path}`, { method, headers, redirect: "error", signal, ...payload });
  } catch (cause) {
    throw new PinionError("INTERNAL", `${new URL(url).host} did not answer when asked to ${does}: try again.`, {
      cause,
    });
  }
}

function refusal({ does, needs }: Ask, status: number, code: string): PinionError {
  if (status === 401)
    return new PinionError(
      "UNAUTHORIZED",
      `Graph refused the token of az (401) when asked to ${does}: run \`az login\`.`,
    );
  if (status === 403)
    return new PinionError(
      "FORBIDDEN",
      `Graph does not let you ${does} (403): it takes ${needs}. Ask for it, or give an administrator the commands of --print.`,
    );
  return new PinionError("INTERNAL", `Graph could not ${does} (${status}${code}).`);
}

/** Graph's own code, such as ` Request_BadRequest`. */
function codeOf(text: string): string {
  const code = /"code"\s*:\s*"([A-Za-z0-9_]{1,80})"/.exec(text)?.[1];
  return code === undefined ? "" : ` ${code}`;
}

/** What a caller needs who only reads. */
export const reads =
  "the right to read applications (a pipeline's identity: the Graph permission Application.Read.All)";

/** All pages of a list. */
export async function list<T>(graph: Graph, does: string, path: string, fresh = false): Promise<readonly T[]> {
  const found: T[] = [];
  for (let next: string | undefined = path; next !== undefined;) {
    const page = (await graph({ does, method: "GET", path: next, needs: reads, fresh })) as {
      readonly value: readonly T[];
      readonly "@odata.nextLink"?: string;
    };
    found.push(...page.value);
    // Only its path: the token goes where it went first.
    const link = page["@odata.nextLink"];
    next = link && new URL(link).pathname.replace(/^\/v1\.0/, "") + new URL(link).search;
  }
  return found;
}
