import { expect, it } from "vitest";
import { findSubject } from "../../src/activities/deps.ts";
import { parsePolicy } from "../../src/policy-file.ts";
import type { Engine } from "../../src/triggers/engine.ts";
import { requestStart } from "../../src/triggers/request.ts";
import { facts, file, inPlace, object } from "../policy-sample.ts";
import { stage } from "./fakes.ts";

const busy: Engine = {
  start: async (_instance, { rotationId }) => ({ started: true, rotationId }),
  wake: async () => undefined,
  running: async () => ({ rotationId: "r-1", step: "grace", since: "", timeline: [] }),
};

async function ask({ deps }: Pick<ReturnType<typeof stage>, "deps">, version: string, mayFinish = false) {
  const subject = await findSubject(deps, "db");
  if (subject === undefined) throw new Error("no such object");
  const actor = { kind: "key", id: "function key", roles: [] } as const;
  return requestStart(deps, busy, { subject, version, actor, mayFinish, key: "http:1" });
}

it("remembers a request that a step of the running rotation wrote beside", async () => {
  const scene = stage();
  scene.records.become({ phase: "grace", sourceVersion: "v1", publishedVersion: "v2" });
  const { records } = scene.deps;
  let raced = false;
  const write: typeof records.write = async (name, next, etag) => {
    if (!raced) scene.records.touched();
    raced = true;
    return records.write(name, next, etag);
  };
  const reply = await ask({ deps: { ...scene.deps, records: { ...records, write } } }, "v2");
  expect(reply).toMatchObject({ kind: "refused", code: "NO_FREE_SLOT" });
  expect(scene.records.now()).toMatchObject({ phase: "grace", remembered: { version: "v2" } });
});

it("finishes nothing for whoever may not, for another version, or once a rotation is turned back", async () => {
  const grace = { phase: "grace", rotationId: "r-1", sourceVersion: "v1", publishedVersion: "v2" } as const;
  for (const [state, version, mayFinish] of [
    [grace, "v2", false],
    [grace, "v3", true],
    [{ ...grace, phase: "running" }, "v2", true],
    [{ ...grace, phase: "rolling-back" }, "v2", true],
  ] as const) {
    const scene = stage();
    scene.records.become(state);
    expect(await ask(scene, version, mayFinish)).toMatchObject({ kind: "refused", code: "NO_FREE_SLOT" });
    expect(scene.records.commands).toEqual([]);
  }
});

it("remembers the wish before it ends a grace, and starts at once where the rotation ended meanwhile", async () => {
  const scene = stage();
  scene.records.become({ phase: "grace", rotationId: "r-1", sourceVersion: "v1", publishedVersion: "v2" });
  const { records } = scene.deps;
  let reads = 0;
  const read: typeof records.read = async (object, rotationId) => {
    // The command's own look: the rotation has ended by then.
    if (++reads === 2) {
      expect(scene.records.now().remembered).toMatchObject({ version: "v2" });
      scene.records.become({ phase: "idle", outcome: "rotated" });
    }
    return records.read(object, rotationId);
  };
  const reply = await ask({ deps: { ...scene.deps, records: { ...records, read } } }, "v2", true);
  expect(reply).toMatchObject({ kind: "started" });
});

it("rotates no object whose account another one holds too: the other's credential would die with it", async () => {
  const paired = (id: string, other: string) =>
    object(id, { rotator: inPlace("app"), acceptGap: true, format: { type: "plain" }, pairedWith: [other] });
  const parsed = parsePolicy(file([paired("db", "db2"), paired("db2", "db")], { mode: "rotate" }), facts);
  expect(parsed.faults).toEqual([]);
  const scene = stage();
  const reply = await ask({ deps: { ...scene.deps, policy: async () => parsed } }, "v1");
  expect(reply).toMatchObject({ kind: "refused", code: "ACCOUNT_SHARED" });
  expect(scene.records.commands).toEqual([]);
});
