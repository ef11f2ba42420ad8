import type { HttpRequest, InvocationContext } from "@azure/functions";
import { expect, test } from "vitest";
import type { Config } from "../../src/config.ts";
import type { Deps } from "../../src/activities/deps.ts";
import { type ErrorCode, PinionError, type PinionErrorOptions } from "../../src/errors.ts";
import { route } from "../../src/triggers/api/route.ts";

/** What a caller gets and what the log has when a handler throws. */
async function thrown(error: unknown) {
  const logged: string[] = [];
  const context = { functionName: "jwks", error: (line: string) => logged.push(line) } as unknown as InvocationContext;
  const app = { ok: true, deps: {} as Deps, config: {} as Config } as const;
  const handler = route(
    app,
    () => undefined as never,
    async () => {
      throw error;
    },
    "read",
  );
  const { status, headers, body } = await handler({ headers: new Headers() } as HttpRequest, context);
  return { status, headers: headers as Record<string, string>, logged, body: JSON.stringify(body) };
}

test.each<[ErrorCode, number, PinionErrorOptions?]>([
  ["LEASE_HELD", 409],
  ["OUT_OF_BAND_CHANGE", 409],
  ["WINDOW_CLOSED", 409, { class: "throttled", retryAfterSeconds: 90.2 }],
  ["SECRET_NOT_FOUND", 404],
  ["TARGET_MISCONFIGURED", 422],
  ["VAULT_FORBIDDEN", 503],
  ["VAULT_THROTTLED", 503, { class: "throttled", retryAfterSeconds: 17 }],
  ["VAULT_UNAVAILABLE", 503],
  ["STORAGE_UNAVAILABLE", 503],
])(
  "%s is answered with %i and its own sentence; what is the app's own trouble is in the log",
  async (code, status, options) => {
    const reply = await thrown(new PinionError(code, "Do this.", options));
    expect([reply.status, reply.body]).toEqual([status, expect.stringContaining("Do this.")]);
    const wait = options?.retryAfterSeconds;
    expect(reply.headers["retry-after"]).toBe(wait === undefined ? undefined : String(Math.ceil(wait)));
    expect(reply.logged).toEqual(status >= 500 ? [`${code} in jwks: Do this.`] : []);
  },
);

test("an answer that did not come in time is 503; what nobody expected shows nothing of itself", async () => {
  expect((await thrown(AbortSignal.timeout(0).reason ?? new DOMException("canary", "TimeoutError"))).status).toBe(503);
  const reply = await thrown(new TypeError("canary"));
  expect([reply.status, reply.logged]).toEqual([500, ["unexpected TypeError in jwks"]]);
  expect(reply.body).not.toContain("canary");
});

test("a code that stands for a fault in the app is 500, and in the log all the same", async () => {
  const reply = await thrown(new PinionError("OLD_STILL_WORKS", "canary"));
  expect([reply.status, reply.logged]).toEqual([500, ["OLD_STILL_WORKS in jwks: canary"]]);
});
