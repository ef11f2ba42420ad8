import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { importJWK } from "jose";
import { jwtSigningKey as rotator } from "../../rotators/jwt-signing-key.ts";
import { PinionError } from "../../src/errors.ts";
import { publishedSet } from "../../rotators/shared/jwks/publication.ts";
import { withdrawKey } from "../../rotators/shared/jwks/steps.ts";
import { jwksHeaders } from "../../rotators/shared/jwks/document.ts";
import { failed, front, inBlob, kidOf, kids, once, urlOf, useStorage } from "./bench.ts";
import type { Scene } from "./bench.ts";
import { appToken } from "./front.ts";
import { ids, makeScene } from "./scene.ts";

useStorage();

for (const where of ["blob", "app"] as const) {
  /** Where the app serves, a server stands in for its function. */
  const makeHere = async () => {
    if (where === "blob") return await inBlob();
    const server = createServer((_, response) => {
      const scene = served;
      void publishedSet(scene!.step()).then((set) =>
        response.writeHead(200, jwksHeaders(scene!.target)).end(JSON.stringify(set)),
      );
    });
    server.listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    served = await makeScene({ target: { url: `http://127.0.0.1:${port}/api/jwks/signer` } });
    return served;
  };
  let served: Scene | undefined;
  describe(`a signing key published by the ${where}`, () => {
    test("goes its whole way: published, waited for, proven, retired", async () => {
      const scene = await makeHere();
      const [old, next] = [await kidOf(scene, "old"), await kidOf(scene, "next")];
      const seen = await rotator.observe(scene.step(), scene.old, once);
      expect(failed(seen.proofs)).toEqual([]);
      expect(seen.idle.id).toBe(seen.current.id);
      expect(await kids(scene)).toBeUndefined();
      await rotator.set(scene.step(), scene.next, scene.old);
      expect(await kids(scene)).toEqual([old, next]);
      expect([await rotator.works(scene.step(), scene.old), await rotator.works(scene.step(), scene.next)]).toEqual([
        true,
        true,
      ]);
      {
        await expect(rotator.validate(scene.step(), scene.next, scene.old, once)).rejects.toMatchObject({
          code: "NOT_SETTLED",
          class: "transient",
          retryAfterSeconds: 3600,
        });
        scene.advance(3599);
        await expect(rotator.validate(scene.step(), scene.next, scene.old, once)).rejects.toMatchObject({
          retryAfterSeconds: 1,
        });
        scene.advance(1);
        const proofs = await rotator.validate(scene.step(), scene.next, scene.old, once);
        expect(failed(proofs)).toEqual([]);
        expect(proofs.map(({ name }) => name)).toEqual([
          "the new key has been published for as long as caches keep a set",
          "a verifier can fetch the set",
          "no cache is told to keep it for longer",
          "a token of the new key is accepted with the published set",
          "a token of the old key is accepted with the published set",
          "a forged token is refused",
        ]);
        expect(await rotator.validate(scene.step(), scene.next, scene.old, { negativeControl: false })).toEqual(
          proofs.slice(0, -1),
        );
      }
      await rotator.revoke(scene.step(), scene.old);
      expect(await kids(scene)).toEqual([next]);
      expect([await rotator.works(scene.step(), scene.old), await rotator.works(scene.step(), scene.next)]).toEqual([
        false,
        true,
      ]);
      expect(failed((await rotator.observe(scene.step(ids.second), scene.next, once)).proofs)).toEqual([]);
    });

    test("a candidate that is rolled back is taken out, and the old key stays", async () => {
      const scene = await makeHere();
      await rotator.set(scene.step(), scene.next, scene.old);
      await rotator.revoke(scene.step(), scene.next);
      await rotator.revoke(scene.step(), scene.next);
      expect(await kids(scene)).toEqual([await kidOf(scene, "old")]);
      // A late copy adds nothing any more, that of the next rotation does.
      await expect(rotator.set(scene.step(), scene.next, scene.old)).rejects.toMatchObject({ code: "LEASE_LOST" });
      await rotator.set(scene.step(ids.second), scene.third, scene.old);
      await expect(rotator.revoke(scene.step(), scene.old)).rejects.toMatchObject({ code: "LEASE_LOST" });
      expect(await kids(scene)).toEqual([await kidOf(scene, "old"), await kidOf(scene, "third")]);
    });

    test("a rollback before the candidate came keeps it out as well", async () => {
      const scene = await makeHere();
      await rotator.set(scene.step(), scene.next, scene.old);
      await rotator.revoke(scene.step(), scene.next);
      await rotator.revoke(scene.step(ids.second), scene.third);
      await expect(rotator.set(scene.step(ids.second), scene.third, scene.old)).rejects.toMatchObject({
        code: "LEASE_LOST",
      });
      expect(await kids(scene)).toEqual([await kidOf(scene, "old")]);
    });

    test("a withdrawn key goes at once and never comes back", async () => {
      const scene = await makeHere();
      await rotator.set(scene.step(), scene.next, scene.old);
      const old = await kidOf(scene, "old");
      const proofs = await withdrawKey(scene.step(), old);
      expect(proofs).toMatchObject([{ ok: true, detail: `${old}; 1 left in the set` }]);
      await withdrawKey(scene.step(), old);
      expect(await kids(scene)).toEqual([await kidOf(scene, "next")]);
      expect(await rotator.works(scene.step(), scene.old)).toBe(false);
      await rotator.set(scene.step(), scene.next, scene.old);
      await rotator.set(scene.step(ids.second), scene.third, scene.old);
      expect(await kids(scene)).toEqual([await kidOf(scene, "next"), await kidOf(scene, "third")]);
      await withdrawKey(scene.step(), await kidOf(scene, "next"));
      await expect(rotator.set(scene.step(ids.second), scene.next, scene.third)).rejects.toMatchObject({
        code: "TARGET_REFUSED",
      });
      // Without a key of ours all tokens fail; that is what was asked for.
      await withdrawKey(scene.step(), await kidOf(scene, "third"));
      expect(await kids(scene)).toEqual([]);
    });

    test("never takes away the last key", async () => {
      const scene = await makeHere();
      await rotator.set(scene.step(), scene.next, scene.old);
      await rotator.revoke(scene.step(), scene.old);
      await expect(rotator.revoke(scene.step(), scene.next)).rejects.toMatchObject({ code: "SLOT_UNCLEAR" });
      expect(await kids(scene)).toEqual([await kidOf(scene, "next")]);
    });

    test("steps at the same time are one", async () => {
      const scene = await makeHere();
      const writes = front.writes();
      await Promise.all([1, 2, 3].map(() => rotator.set(scene.step(), scene.next, scene.old)));
      await Promise.all([1, 2, 3].map(() => rotator.set(scene.step(), scene.next, scene.old)));
      expect(await kids(scene)).toHaveLength(2);
      if (where === "blob") expect(front.writes() - writes).toBe(1);
      await Promise.all([1, 2, 3].map(() => rotator.revoke(scene.step(), scene.old)));
      expect(await kids(scene)).toHaveLength(1);
      if (where === "blob") expect(front.writes() - writes).toBe(2);
    });
  });
}

test("a key that was disabled in its vault stops neither the others nor the emergency, where the app serves the set", async () => {
  const scene = await makeScene();
  await rotator.set(scene.step(), scene.next, scene.old);
  const [old, next] = [await kidOf(scene, "old"), await kidOf(scene, "next")];
  const { get } = scene.keys.port;
  const disable = () => {
    scene.keys.port.get = async (url) => {
      if (url === urlOf(scene.old)) throw new PinionError("SECRET_DISABLED", "The key is disabled.");
      return await get(url);
    };
  };
  disable();
  expect(await kids(scene)).toEqual([next]);
  // It is only left out: the set is written meanwhile, and the key is there again once it is enabled.
  await withdrawKey(scene.step(), "another");
  await rotator.set(scene.step(), scene.third, scene.next);
  scene.keys.port.get = get;
  expect(await kids(scene)).toEqual([old, next, await kidOf(scene, "third")]);
  disable();
  await withdrawKey(scene.step(), old);
  scene.keys.port.get = get;
  expect(await kids(scene)).toEqual([next, await kidOf(scene, "third")]);
});

for (const where of ["blob", "app"] as const) {
  test(`an old key that somebody disables during the grace still goes out of the set, published by the ${where}`, async () => {
    const scene = where === "blob" ? await inBlob() : await makeScene();
    const [old, next] = [await kidOf(scene, "old"), await kidOf(scene, "next")];
    await rotator.set(scene.step(), scene.next, scene.old);
    const { get } = scene.keys.port;
    scene.keys.port.get = async (url) => {
      if (url === urlOf(scene.old)) throw new PinionError("SECRET_DISABLED", "The key is disabled.");
      return await get(url);
    };
    // It is in the set, and cannot show that it signs: neither dead nor alive.
    await expect(rotator.works(scene.step(), scene.old)).rejects.toMatchObject({ code: "SECRET_DISABLED" });
    expect(await rotator.withdrawn!(scene.step(), scene.old)).toBe(false);
    expect(await rotator.revoke(scene.step(), scene.old)).toMatchObject([{ ok: true, detail: old }]);
    expect(await rotator.works(scene.step(), scene.old)).toBe(false);
    scene.keys.port.get = get;
    expect(await kids(scene)).toEqual([next]);
    // Of what no rotation has published nothing is known.
    scene.keys.port.get = () => Promise.reject(new PinionError("SECRET_DISABLED", "The key is disabled."));
    await expect(rotator.revoke(scene.step(), scene.third)).rejects.toMatchObject({ code: "SECRET_DISABLED" });
  });
}

test("its vault makes the key, and no longer by itself", async () => {
  const scene = await inBlob();
  const url = urlOf(scene.next);
  const calls: string[] = [];
  const keySlot = {
    make: async () => {
      calls.push("make");
      return await scene.keys.port.get(url);
    },
    keepPolicy: async () => calls.push("keepPolicy") > 0,
  };
  const step = { ...scene.step(), keySlot };
  const made = await rotator.create(step, { current: { id: "1" }, idle: { id: "1" } });
  expect(made).toEqual({ id: url.split("/").at(-1), material: { vaultVersion: url } });
  await rotator.set(step, made, scene.old);
  expect(calls).toEqual(["make", "keepPolicy"]);
});

test("no token and no material in what is written, noted, returned or thrown", async () => {
  const scene = await inBlob({ target: { cacheSeconds: 0 } });
  const outputs: unknown[] = [await rotator.observe(scene.step(), scene.old, once)];
  outputs.push(await rotator.set(scene.step(), scene.next, scene.old));
  outputs.push(await rotator.validate(scene.step(), scene.next, scene.old, once));
  front.faults.push({ status: 403 });
  const error: unknown = await rotator.works(scene.step(), scene.old).catch((thrown: unknown) => thrown);
  outputs.push(String((error as Error).stack), await rotator.revoke(scene.step(), scene.old), [...scene.notes.all]);
  const text = JSON.stringify(outputs);
  expect(text).not.toContain(appToken);
  expect(text).not.toMatch(/eyJ/);
  expect(front.written()).not.toMatch(/eyJ/);
  expect(await importJWK((await scene.read()).keys[0]!, "ES256")).toBeDefined();
});
