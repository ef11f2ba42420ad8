import type { AppHost } from "../cloud/app-host.ts";

/** One step that is over, as the status tells of it. */
export interface Told {
  readonly step: string;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly proofs: number;
  readonly fault?: { readonly code: string; readonly message: string };
}

/** What `GET /api/rotations/{id}` shows, as far as the story needs it. */
export interface Shown {
  readonly id: string;
  readonly phase: string;
  readonly strategy: string;
  readonly rotationId?: string;
  readonly outcome?: string;
  readonly message?: string;
  readonly publishedVersion?: string;
  readonly status?: {
    readonly rotationId: string;
    readonly step: string;
    readonly until?: string;
    readonly fault?: { readonly code: string; readonly message: string };
    /** The latest steps; of a long rotation not the first ones. */
    readonly timeline: readonly Told[];
  };
}

/** What `GET /api/evidence/{rotationId}` has, as far as the story needs it. */
export interface Evidence {
  readonly rotationId: string;
  readonly outcome: string;
  /** Every step, in order. */
  readonly steps: readonly (Omit<Told, "proofs"> & {
    readonly proofs: readonly { readonly name: string; readonly ok: boolean }[];
  })[];
}

/** The app's API as its users call it; every reply is kept for the canary scan. */
export interface Api {
  call<T>(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<T>;
  readonly replies: readonly string[];
}

export function openApi(host: AppHost): Api {
  const replies: string[] = [];
  return {
    replies,
    async call<T>(method: string, path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}) {
      const reply = await fetch(`${host.url}/api/${path}`, {
        method,
        headers: { "x-functions-key": host.key, "content-type": "application/json", ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await reply.text();
      if (replies.at(-1) !== text) replies.push(text);
      if (!reply.ok) throw new Error(`${method} /api/${path}: ${reply.status} ${text}`);
      return JSON.parse(text) as T;
    },
  };
}
