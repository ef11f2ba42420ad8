import type { HttpRequest, HttpResponseInit } from "@azure/functions";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Deps } from "../../src/activities/deps.ts";
import type { Config } from "../../src/config.ts";
import { type ErrorClass, type ErrorCode, PinionError } from "../../src/errors.ts";
import type { PublicDocument, Rotator } from "../../src/rotator.ts";
import { serveJwks, withdrawJwk } from "../../src/triggers/api/jwks.ts";
import { problem } from "../../src/triggers/api/problem.ts";
import type { ApiHandler, Call } from "../../src/triggers/api/route.ts";
import { stage } from "../review/fakes.ts";

// What strangers may ask the app for, and the emergency, on a rotator that answers as a test says.

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

let count = 0;
const headers = { "content-type": "application/jwk-set+json", "cache-control": "public, max-age=600" };
const vault429 = () => new PinionError("VAULT_THROTTLED", "kv-orders answered 429.", { class: "throttled" });

function open(changes: Partial<Rotator<unknown>> = {}, more: Omit<Partial<Deps>, "policy"> = {}) {
  const id = `signer-${(count += 1)}`;
  const seen = { looks: 0, answer: async (): Promise<PublicDocument | undefined> => ({ headers, body: `${id} 1` }) };
  const scene = stage({ object: { id }, ...more });
  const rotator = {
    ...scene.deps.rotator("db", "in-place"),
    document: () => {
      seen.looks += 1;
      return seen.answer();
    },
    ...changes,
  } as Rotator<unknown>;
  const deps: Deps = { ...scene.deps, rotator: () => rotator };
  const ask = async (handler: ApiHandler, given: string, body: unknown, by: Deps): Promise<HttpResponseInit> => {
    const arrayBuffer = async () => Buffer.from(JSON.stringify(body));
    const call = {
      request: { params: { id: given }, headers: new Headers(), arrayBuffer } as unknown as HttpRequest,
      deps: by,
      config: { operatorRole: "Pinion.Operator" } as Config,
      engine: undefined as unknown as Call["engine"],
      actor: { kind: "person", id: "operator", roles: ["Pinion.Operator"] },
    } satisfies Call;
    return await handler(call).catch(problem);
  };
  return {
    id,
    seen,
    scene,
    deps,
    get: (given = id, by = deps) => ask(serveJwks, given, {}, by),
    withdraw: (by = deps) => ask(withdrawJwk, id, { kid: "k1", reason: "It leaked." }, by),
  };
}

const later = () => vi.advanceTimersByTime(5_001);

describe("the published keys", () => {
  test("many who ask at once cost one look, and those of the next 5 seconds none", async () => {
    const { get, seen } = open();
    const replies = await Promise.all([get(), get(), get()]);
    for (const reply of replies) expect(reply).toMatchObject({ status: 200, headers });
    await get();
    expect(seen.looks).toBe(1);
    later();
    await get();
    expect(seen.looks).toBe(2);
  });

  test("a look that takes long is not begun again meanwhile", async () => {
    const { get, seen } = open();
    let go = (_found: PublicDocument) => {};
    seen.answer = () => new Promise((resolve) => (go = resolve));
    const first = get();
    await vi.advanceTimersByTimeAsync(15_000);
    const second = get();
    await vi.advanceTimersByTimeAsync(0);
    go({ headers, body: "late" });
    expect([(await first).body, (await second).body]).toEqual(["late", "late"]);
    expect(seen.looks).toBe(1);
  });

  test("whatever publishes nothing here answers in the same words", async () => {
    const none = open();
    none.seen.answer = async () => undefined;
    const other = open({ document: undefined as never });
    const { deps } = other;
    const { policy } = await deps.policy();
    const fault = { path: "objects[1]", object: "broken", message: "is wrong", expected: "right" };
    const faulty: Deps = { ...deps, policy: async () => ({ policy, faults: [fault] }) };
    const replies = [
      await none.get(),
      await other.get(),
      await other.get("nobody"),
      await other.get("broken", faulty),
      await other.get("__proto__"),
    ];
    expect(new Set(replies.map(({ body }) => body)).size).toBe(1);
    expect(replies[0]).toMatchObject({ status: 404 });
    await none.get();
    expect(none.seen.looks).toBe(1);
  });

  test("the last ones while the vault fails, and a look every 5 seconds", async () => {
    const { get, seen } = open();
    const good = await get();
    seen.answer = () => Promise.reject(vault429());
    later();
    expect(await get()).toEqual(good);
    await get();
    expect(seen.looks).toBe(2);
    later();
    expect(await get()).toEqual(good);
  });

  test("503 where there were never any: without a word of the vault, and one look in 5 seconds", async () => {
    const { get, seen } = open();
    seen.answer = () => Promise.reject(vault429());
    const reply = await get();
    expect(reply).toMatchObject({ status: 503, headers: { "retry-after": "5" } });
    expect(JSON.stringify(reply.body)).not.toContain("kv-orders");
    await get();
    expect(seen.looks).toBe(1);
  });

  test.each([
    ["an emergency of another process", "VAULT_THROTTLED", "throttled", { "jwks-withdrawn": "k1" }],
    ["a key that was disabled by hand", "SECRET_DISABLED", "permanent", undefined],
  ] as const)("not the last ones after %s", async (_what, code: ErrorCode, kind: ErrorClass, notes) => {
    const { get, seen, scene } = open();
    await get();
    if (notes) scene.records.become({ notes });
    seen.answer = () => Promise.reject(new PinionError(code, "No.", { class: kind }));
    later();
    expect(await get()).toMatchObject({ status: 503 });
  });

  test("the last ones while the policy cannot be read", async () => {
    const { id, get, deps } = open();
    const good = await get();
    const unread: Deps = { ...deps, policy: async () => ({ policy: undefined, faults: [] }) };
    expect(await get(id, unread)).toEqual(good);
    expect(await get("another", unread)).toMatchObject({ status: 503 });
  });
});

describe("an emergency", () => {
  const withdraw = async () => [{ name: "gone", ok: true }];
  /** A lease that somebody holds for some tries. */
  const heldFor = (tries: number) => {
    let left = tries;
    const withLease: Deps["withLease"] = async (_account, work) => {
      if (left-- > 0) throw new PinionError("LEASE_HELD", "Another step holds it.", { class: "transient" });
      return await work();
    };
    return { withLease };
  };

  test("waits for a step that holds the set", async () => {
    const { withdraw: call } = open({ withdraw }, heldFor(10));
    const reply = call();
    await vi.advanceTimersByTimeAsync(12_000);
    expect(await reply).toMatchObject({ status: 200 });
  });

  test("says that it is recorded, and to be repeated, where that one does not let go", async () => {
    const recorded: string[] = [];
    const { withdraw: call, deps } = open({ withdraw }, heldFor(1_000));
    const records: Deps["records"] = {
      ...deps.records,
      command: async (_key, { verb }) => recorded.push(verb) > 0,
    };
    const reply = call({ ...deps, records });
    await vi.advanceTimersByTimeAsync(25_000);
    const { status, body } = await reply;
    expect([status, recorded]).toEqual([409, ["withdraw"]]);
    expect(JSON.stringify(body)).toMatch(/is recorded.*still published.*Repeat/);
  });

  test("nobody gets the former set from memory afterwards", async () => {
    const { get, withdraw: call, seen } = open({ withdraw });
    await get();
    seen.answer = async () => ({ headers, body: "without k1" });
    await call();
    expect((await get()).body).toBe("without k1");
  });
});
