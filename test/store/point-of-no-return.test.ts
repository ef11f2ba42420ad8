import type { HttpRequest } from "@azure/functions";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Deps } from "../../src/activities/deps.ts";
import { createRevoke } from "../../src/activities/revoke.ts";
import type { Config } from "../../src/config.ts";
import { PinionError } from "../../src/errors.ts";
import { emptyState, openRecords } from "../../src/store/records.ts";
import type { ObjectState } from "../../src/store/types.ts";
import { command } from "../../src/triggers/api/command.ts";
import { scriptedTable } from "./table.ts";

// A rollback command and the revocation, request by request in any order, on the real handler and the real step: whoever is told that
// the rotation will be rolled back keeps the old credential, and once it is being revoked nobody is told so any more.

const key = "kv--secret--db";
const rotationId = "r-1";
const state: ObjectState = {
  ...emptyState,
  phase: "grace",
  rotationId,
  sourceVersion: "v1",
  publishedVersion: "v2",
  step: "verify",
};

/** The app around both, with a table whose requests wait for `pause`; `revoked` counts what can never be undone. */
function openApp(pause: () => Promise<unknown>) {
  const table = scriptedTable(pause);
  const json = JSON.stringify(state);
  table.rows.set(`${key}\nstate`, { partitionKey: key, rowKey: "state", json, etag: `W/"0"` });
  const seen = { revoked: 0, woken: 0 };
  const proof = { name: "done", ok: true };
  const vault = {
    latest: async () => ({
      version: "v2",
      value: "new",
      tags: {},
      enabled: true,
      at: new Date(0),
      name: "db",
      createdOn: new Date(0),
    }),
    value: async () => "old",
    url: (name: string, version: string) => `https://kv/secrets/${name}/${version}`,
    disable: async () => undefined,
  };
  const object = {
    id: "db",
    vault: "kv",
    endpoints: [],
    kind: "secret",
    name: "db",
    consumers: [],
    format: { type: "plain" },
    mode: "rotate",
    rotator: { kind: "fake", strategy: "alternating", target: {} },
  };
  const deps = {
    policy: async () => ({
      policy: { vaults: { kv: { uri: "https://kv", resourceId: "/x/kv" } }, objects: [object] },
      faults: [],
    }),
    zone: () => ({ vault: () => vault, keys: () => undefined, certificates: () => undefined }),
    records: openRecords(table),
    withLease: (_account: string, work: () => Promise<unknown>) => work(),
    rotator: () => ({
      kind: "fake",
      strategy: "alternating",
      soleAccount: () => "db",
      account: () => "db",
      works: async (_step: unknown, { material }: { material: string }) => material === "new" || seen.revoked === 0,
      revoke: async () => (seen.revoked++, [proof]),
    }),
    publish: async () => undefined,
    now: () => 0,
    log: () => undefined,
  } as unknown as Deps;
  const revoke = createRevoke(deps);
  const retirement = { old: { id: "db" }, oldVersion: "v1", keptVersion: "v2", suspended: false };
  const rollback = command("rollback");
  return {
    seen,
    table,
    revoke: () => revoke({ objectId: "db", rotationId, turningBack: false, instanceId: key, ...retirement } as never),
    /** What its sender is told. */
    rollback: async () => {
      const text = new TextEncoder().encode(JSON.stringify({ rotationId }));
      try {
        const reply = await rollback({
          request: {
            params: { id: "db" },
            headers: new Headers(),
            arrayBuffer: async () => text.buffer,
          } as unknown as HttpRequest,
          deps,
          config: { commandAuthority: "keys", operatorRole: "x" } as Config,
          engine: { wake: async () => void seen.woken++, running: async () => ({}) } as never,
          actor: { kind: "key", id: "function key", roles: [] },
        });
        return reply.status === 202 ? "accepted" : "odd";
      } catch (error) {
        return error instanceof PinionError ? error.code : String(error);
      }
    },
  };
}

test("in both plain orders", async () => {
  const first = openApp(async () => undefined);
  expect(await first.rollback()).toBe("accepted");
  expect(await first.revoke()).toEqual({ ok: false, interrupted: "rollback" });
  expect(first.seen).toMatchObject({ revoked: 0, woken: 1 });

  const second = openApp(async () => undefined);
  expect(await second.revoke()).toMatchObject({ ok: true });
  expect(await second.rollback()).toBe("POINT_OF_NO_RETURN");
  expect(second.seen).toMatchObject({ revoked: 1, woken: 0 });
});

test("in thousands of orders: never both, and always one", async () => {
  const outcomes = { accepted: 0, refused: 0, contended: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 2 }),
      async (s, senders, copies) => {
        const app = openApp(() => s.schedule(Promise.resolve()));
        const told = Promise.all(Array.from({ length: senders }, () => app.rollback()));
        const steps = Promise.all(Array.from({ length: copies }, () => app.revoke()));
        await s.waitFor(Promise.all([told, steps]));
        const [answers, replies] = [await told, await steps];
        const accepted = answers.includes("accepted");
        for (const answer of answers) expect(["accepted", "POINT_OF_NO_RETURN"]).toContain(answer);
        expect(accepted && app.seen.revoked > 0).toBe(false);
        if (accepted) {
          expect(app.seen).toMatchObject({ revoked: 0 });
          expect(answers).not.toContain("POINT_OF_NO_RETURN");
        } else expect(app.seen.revoked).toBeGreaterThan(0);
        // The step that lost reads the command at its next try.
        if (accepted && replies.some((reply) => "fault" in reply)) {
          outcomes.contended++;
          expect(await s.waitFor(app.revoke())).toEqual({ ok: false, interrupted: "rollback" });
          expect(app.seen.revoked).toBe(0);
        }
        outcomes[accepted ? "accepted" : "refused"]++;
      },
    ),
    { numRuns: 3000 },
  );
  // The orders were really mixed.
  for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(50);
}, 120_000);
