import { describe, expect, test } from "vitest";
import { jwtSigningKey as rotator } from "../../rotators/jwt-signing-key.ts";
import { withdrawKey } from "../../rotators/shared/jwks/steps.ts";
import { failed, front, inBlob, kidOf, kids, once, throughEdge, useStorage } from "./bench.ts";
import type { Scene } from "./bench.ts";
import { ids } from "./scene.ts";

useStorage();

describe("late copies", () => {
  const set = (scene: Scene) => rotator.set(scene.step(), scene.next, scene.old);
  const revokeOld = (scene: Scene) => rotator.revoke(scene.step(), scene.old);
  const revokeNext = (scene: Scene) => rotator.revoke(scene.step(), scene.next);
  /** The next rotation, begun and ended. `kept` is what works before it. */
  const another = async (scene: Scene, kept: "old" | "next") => {
    await rotator.set(scene.step(ids.second), scene.third, scene[kept]);
    await rotator.revoke(scene.step(ids.second), scene[kept]);
  };
  const cases: [
    string,
    (scene: Scene) => Promise<unknown>,
    (scene: Scene) => Promise<unknown>,
    (scene: Scene) => Promise<unknown>,
  ][] = [
    ["set, after its rollback", () => Promise.resolve(), set, revokeNext],
    [
      "set, after the next rotation",
      () => Promise.resolve(),
      set,
      async (scene) => (await revokeOld(scene), await another(scene, "next")),
    ],
    ["revoke, after the next rotation", set, revokeOld, (scene) => another(scene, "next")],
    ["rollback, after the next rotation", set, revokeNext, (scene) => another(scene, "old")],
  ];
  test.each(cases)("%s", async (_, before, run, later) => {
    for (let call = 1; call <= 2; call += 1) {
      const { edge, scene } = await throughEdge();
      await before(scene);
      const frozen = edge.arm({ call, how: "freeze" });
      const copy = run(scene).catch((error: unknown) => error);
      await frozen;
      await run(scene);
      await later(scene);
      const state = JSON.stringify(await scene.read());
      edge.release();
      await copy;
      expect(JSON.stringify(await scene.read())).toBe(state);
    }
  });
});

describe("crashes", () => {
  for (const what of ["set", "revoke", "withdraw"] as const) {
    test(`${what}: a connection lost at any message, or a note, loses nothing and repeats nothing`, async () => {
      const prepare = async () => {
        const { edge, scene } = await throughEdge({ target: { cacheSeconds: 0 } });
        if (what !== "set") await rotator.set(scene.step(), scene.next, scene.old);
        const run = async () => {
          if (what === "set") await rotator.set(scene.step(), scene.next, scene.old);
          if (what === "revoke") await rotator.revoke(scene.step(), scene.old);
          if (what === "withdraw") await withdrawKey(scene.step(), await kidOf(scene, "old"));
        };
        return { edge, scene, run };
      };
      const clean = await prepare();
      void clean.edge.arm();
      await clean.run();
      const calls = clean.edge.calls();
      expect(calls).toBeGreaterThanOrEqual(2);
      let broken = 0;
      for (let call = 1; call <= calls; call += 1) {
        for (const how of ["before", "after"] as const) {
          const { edge, scene, run } = await prepare();
          const writes = front.writes();
          void edge.arm({ call, how });
          await run().catch(() => (broken += 1));
          await run();
          expect(front.writes() - writes).toBe(1);
          expect(await kids(scene)).toHaveLength(what === "set" ? 2 : 1);
          if (what === "set")
            expect(failed(await rotator.validate(scene.step(), scene.next, scene.old, once))).toEqual([]);
        }
      }
      expect(broken).toBe(2 * calls);
    });
  }

  test("a crash between the blob and the note makes the wait longer, never shorter", async () => {
    const scene = await inBlob();
    const { notes: _, ...rest } = scene.step();
    const notes = { read: scene.notes.read, write: () => Promise.reject(new Error("the process died")) };
    await expect(rotator.set({ ...rest, notes }, scene.next, scene.old)).rejects.toThrow("died");
    expect(await kids(scene)).toHaveLength(2);
    expect(failed(await rotator.validate(scene.step(), scene.next, scene.old, once))).toHaveLength(1);
    scene.advance(1000);
    await rotator.set(scene.step(), scene.next, scene.old);
    scene.advance(1000);
    await rotator.set(scene.step(), scene.next, scene.old);
    await expect(rotator.validate(scene.step(), scene.next, scene.old, once)).rejects.toMatchObject({
      retryAfterSeconds: 2600,
    });
  });

  test("a candidate that was taken out by others and put back waits anew", async () => {
    const scene = await inBlob();
    await rotator.set(scene.step(), scene.next, scene.old);
    scene.advance(3000);
    const { keys } = await scene.read();
    await scene.put([keys[0]]);
    await rotator.set(scene.step(), scene.next, scene.old);
    await expect(rotator.validate(scene.step(), scene.next, scene.old, once)).rejects.toMatchObject({
      retryAfterSeconds: 3600,
    });
  });

  test("stops at once when the step's signal aborts", async () => {
    const { edge, scene } = await throughEdge();
    const aborter = new AbortController();
    const frozen = edge.arm({ call: 2, how: "freeze" });
    const running = rotator
      .set({ ...scene.step(), signal: aborter.signal }, scene.next, scene.old)
      .catch((error: unknown) => error);
    await frozen;
    aborter.abort(new DOMException("lease lost", "AbortError"));
    expect(await running).toMatchObject({ name: "AbortError" });
  });
});
