import { describe, expect, test } from "vitest";
import { hmacSecret as rotator } from "../../rotators/hmac-secret.ts";
import { code, failed, ids, makeScene, once, texts, throughEdge, verifier, useVerifier } from "./bench.ts";
import type { Scene } from "./bench.ts";

useVerifier();

for (const by of ["list", "webhook"] as const) {
  describe(`a verifier with a ${by}`, () => {
    test("goes the whole way: both, then the new one only; no signature ever fails", async () => {
      const at = await makeScene({ by, form: "standard", lag: "PT5M" });
      const seen = await rotator.observe(at.step(), at.old, once);
      expect(failed(seen.proofs)).toEqual([]);
      expect(seen.idle.id).toBe(seen.current.id);
      await rotator.set(at.step(), at.next, at.old);
      expect(new Set(at.list())).toEqual(new Set(texts(at.old, at.next)));
      await expect(rotator.validate(at.step(), at.next, at.old, once)).rejects.toMatchObject({
        code: "NOT_SETTLED",
        class: "transient",
        retryAfterSeconds: 300,
      });
      at.advance(300);
      const proofs = await rotator.validate(at.step(), at.next, at.old, once);
      expect(failed(proofs)).toEqual([]);
      expect(proofs.map(({ name }) => name)).toEqual([
        "the verifier's list has the new secret",
        "the verifier's list has the old secret",
        "it has had it for as long as the verifier may lag behind",
        "a canary signed with the new secret is accepted",
        "a canary signed with the old secret is accepted",
        "a canary signed with a random secret is refused",
      ]);
      await rotator.revoke(at.step(), at.old);
      expect(at.list()).toEqual(texts(at.next));
      expect([await rotator.works(at.step(), at.old), await rotator.works(at.step(), at.next)]).toEqual([false, true]);
      expect(failed((await rotator.observe(at.step(ids.second), at.next, once)).proofs)).toEqual([]);
    });

    test("a candidate that is rolled back is taken out; a late copy does not bring it back", async () => {
      const at = await makeScene({ by });
      await rotator.set(at.step(), at.next, at.old);
      await rotator.revoke(at.step(), at.next);
      expect(at.list()).toEqual(texts(at.old));
      await expect(rotator.set(at.step(), at.next, at.old)).rejects.toMatchObject(code("LEASE_LOST"));
      expect(at.list()).toEqual(texts(at.old));
    });

    test("a rollback before the candidate came keeps it out as well", async () => {
      const at = await makeScene({ by });
      await rotator.revoke(at.step(), at.next);
      await expect(rotator.set(at.step(), at.next, at.old)).rejects.toMatchObject(code("LEASE_LOST"));
      expect(at.list()).toEqual(texts(at.old));
    });

    test("a late copy does nothing after the next rotation, nor to its notes", async () => {
      const at = await makeScene({ by });
      await rotator.set(at.step(), at.next, at.old);
      await rotator.revoke(at.step(), at.old);
      const third = await at.candidate();
      await rotator.set(at.step(ids.second), third, at.next);
      const notes = JSON.stringify([...at.notes.all]);
      for (const late of [
        () => rotator.set(at.step(), at.next, at.old),
        () => rotator.revoke(at.step(), at.old),
        () => rotator.revoke(at.step(), at.next),
      ])
        await expect(late()).rejects.toMatchObject(code("LEASE_LOST"));
      expect(new Set(at.list())).toEqual(new Set(texts(at.next, third)));
      expect(JSON.stringify([...at.notes.all])).toBe(notes);
    });

    test("a third secret leaves no room, before and at the change", async () => {
      const at = await makeScene({ by });
      const third = await at.candidate();
      if (by === "list") verifier.secrets.get(at.name)!.value += ` ${third.material as string}`;
      else verifier.hooks.get(at.name)!.accepted.push(third.material as string);
      await expect(rotator.observe(at.step(), at.old, once)).rejects.toMatchObject(code("NO_FREE_SLOT"));
      await expect(rotator.set(at.step(), at.next, at.old)).rejects.toMatchObject(code("NO_FREE_SLOT"));
      expect(at.list()).toEqual(texts(at.old, third));
    });

    test("after a crash, preflight knows its own candidate", async () => {
      const at = await makeScene({ by });
      await rotator.set(at.step(), at.next, at.old);
      expect(failed((await rotator.observe(at.step(), at.old, once)).proofs)).toEqual([]);
      await expect(rotator.observe(at.step(ids.second), at.old, once)).rejects.toMatchObject(code("NO_FREE_SLOT"));
    });

    test("never takes away the last secret", async () => {
      const at = await makeScene({ by });
      await expect(rotator.revoke(at.step(), at.old)).rejects.toMatchObject(code("SLOT_UNCLEAR"));
      expect(at.list()).toEqual(texts(at.old));
    });

    test("without a probe the list decides", async () => {
      const at = await makeScene({ by, probe: false });
      expect([await rotator.works(at.step(), at.old), await rotator.works(at.step(), at.next)]).toEqual([true, false]);
      await rotator.set(at.step(), at.next, at.old);
      const proofs = await rotator.validate(at.step(), at.next, at.old, once);
      expect([failed(proofs).length, proofs.length]).toEqual([0, 3]);
    });

    test("a connection lost at any message loses nothing and repeats nothing", async () => {
      const steps = [
        [async () => {}, (at) => rotator.set(at.step(), at.next, at.old), 2],
        [(at) => rotator.set(at.step(), at.next, at.old), (at) => rotator.revoke(at.step(), at.old), 1],
      ] as [(at: Scene) => Promise<unknown>, (at: Scene) => Promise<unknown>, number][];
      for (const [before, run, left] of steps) {
        for (let call = 1; call <= 2; call += 1) {
          for (const how of ["before", "after"] as const) {
            const { edge, at } = await throughEdge({ by });
            await before(at);
            const writes = await at.changes();
            void edge.arm({ call, how });
            await expect(run(at)).rejects.toMatchObject(code("TARGET_UNREACHABLE", "transient"));
            await run(at);
            expect((await at.changes()) - writes).toBe(1);
            expect(at.list()).toHaveLength(left);
          }
        }
      }
    });
  });
}
