import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { SignJWT, calculateJwkThumbprint, createLocalJWKSet, exportJWK, importJWK, jwtVerify } from "jose";
import type { ContainerClient } from "@azure/storage-blob";
import { startAzurite } from "../../local/azurite.ts";
import type { Azurite } from "../../local/azurite.ts";
import { graceSeconds, jwtSigningKey, publishedSet, withdrawKey } from "../../rotators/jwt-signing-key.ts";
import type { Proof } from "../../src/rotator.ts";
import { thumbprint } from "../../rotators/shared/jwk.ts";
import { jwksDocument, jwksHeaders } from "../../rotators/shared/jwks/document.ts";
import { accepts, signToken } from "../../rotators/shared/jwks/token.ts";
import { jwksTarget } from "../../rotators/shared/jwks/target.ts";
import { keyPair } from "../private-ca/keys.ts";
import type { KeyWish } from "../private-ca/keys.ts";
import { startEdge } from "../contract/edge.ts";
import type { Edge } from "../contract/edge.ts";
import { appToken, startFront } from "./front.ts";
import { ids, makeScene } from "./scene.ts";

let azurite: Azurite;
let front: Awaited<ReturnType<typeof startFront>>;
let container: ContainerClient;
const edges: Edge[] = [];

beforeAll(async () => {
  azurite = await startAzurite();
  front = await startFront(azurite);
  container = front.service.getContainerClient("jwks");
  await container.create();
});
afterEach(() => {
  front.allow("rw");
  front.faults.length = 0;
});
afterAll(async () => {
  await Promise.all(edges.map((edge) => edge.close()));
  await front.close();
  await azurite.stop();
});

const inBlob = async (more: Parameters<typeof makeScene>[0] = {}) =>
  await makeScene({ origin: `http://127.0.0.1:${front.port}`, container, ...more });
const rotator = jwtSigningKey;
const once = { negativeControl: true };
const kidOf = async (scene: Awaited<ReturnType<typeof makeScene>>, which: "old" | "next" | "third") =>
  thumbprint((await scene.keys.port.get((scene[which].material as { vaultVersion: string }).vaultVersion)).jwk);
const kids = async (scene: Awaited<ReturnType<typeof makeScene>>) =>
  (await publishedSet(scene.step()))?.keys.map(({ kid }) => kid);
const failed = (proofs: readonly Proof[]) => proofs.filter(({ ok }) => !ok);

const keyKinds: readonly KeyWish[] = [
  { type: "EC", curve: "P-256" },
  { type: "EC", curve: "P-384" },
  { type: "EC", curve: "P-521" },
  { type: "RSA", size: 2048 },
];

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
  let served: Awaited<ReturnType<typeof makeScene>> | undefined;
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

describe("the published set", () => {
  for (const key of keyKinds) {
    const name = "size" in key ? `RSA ${key.size}` : key.curve;
    test(`is what jose reads, and its tokens are what jose accepts (${name})`, async () => {
      const scene = await inBlob({ key });
      await rotator.set(scene.step(), scene.next, scene.old);
      const set = await scene.read();
      for (const each of set.keys) {
        expect(each["kid"]).toBe(await calculateJwkThumbprint(each as never));
        expect(Object.keys(each).sort()).toEqual(
          (key.type === "EC"
            ? ["alg", "crv", "kid", "kty", "use", "x", "y"]
            : ["alg", "e", "kid", "kty", "n", "use"]
          ).sort(),
        );
      }
      const { algorithm } = scene.target;
      const url = (scene.next.material as { vaultVersion: string }).vaultVersion;
      const kid = await kidOf(scene, "next");
      const token = await signToken(scene.keys.port, { url, kid, algorithm, now: Date.now() });
      // It is expired on purpose: only as of then is it accepted, and for nobody.
      await expect(jwtVerify(token, createLocalJWKSet(set as never))).rejects.toMatchObject({
        code: "ERR_JWT_EXPIRED",
      });
      const past = { currentDate: new Date(Date.now() - 3_600_000) };
      const { payload } = await jwtVerify(token, createLocalJWKSet(set as never), past);
      expect(payload).toMatchObject({ iss: "pinion", aud: "pinion-self-test" });
      // And ours agrees with jose about what jose signs.
      const signed = await new SignJWT({}).setProtectedHeader({ alg: algorithm, kid }).sign(keyPair(key, 2).privateKey);
      const stranger = await new SignJWT({})
        .setProtectedHeader({ alg: algorithm, kid })
        .sign(keyPair(key, 3).privateKey);
      expect([accepts(set, signed), accepts(set, stranger)]).toEqual([true, false]);
      const own = set.keys.find((each) => each["kid"] === kid)!;
      const sets = [[], [{ ...own, alg: "HS256" }], [{ ...own, use: "enc" }], [{ ...own, alg: undefined }], [own, own]];
      expect(sets.map((keys) => accepts({ keys }, signed))).toEqual(sets.map(() => false));
    });
  }

  test("PS256 too", async () => {
    const scene = await inBlob({ key: { type: "RSA", size: 2048 }, target: { algorithm: "PS256", cacheSeconds: 0 } });
    await rotator.set(scene.step(), scene.next, scene.old);
    expect(failed(await rotator.validate(scene.step(), scene.next, scene.old, once))).toEqual([]);
    const signed = await new SignJWT({})
      .setProtectedHeader({ alg: "PS256", kid: await kidOf(scene, "next") })
      .sign(keyPair({ type: "RSA", size: 2048 }, 2).privateKey);
    expect(accepts(await scene.read(), signed)).toBe(true);
  });

  test("the thumbprint of RFC 7638, 3.1", () => {
    const n =
      "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    expect(thumbprint({ kty: "RSA", n, e: "AQAB", alg: "RS256", kid: "2011-04-29" })).toBe(
      "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
    );
    expect(thumbprint({ kty: "RSA-HSM", n, e: "AQAB" })).toBe(thumbprint({ kty: "RSA", n, e: "AQAB" }));
  });

  test("is served so that caches know how long to keep it", async () => {
    const scene = await inBlob();
    await rotator.set(scene.step(), scene.next, scene.old);
    const properties = await scene.client!.getProperties();
    expect([properties.contentType, properties.cacheControl]).toEqual([
      "application/jwk-set+json",
      "public, max-age=3600",
    ]);
    expect(jwksHeaders({ cacheSeconds: 60 })).toEqual({
      "content-type": "application/jwk-set+json",
      "cache-control": "public, max-age=60",
    });
  });

  test("never holds a private member, whatever the vault shows", () => {
    const { privateKey } = keyPair({ type: "RSA", size: 2048 }, 1);
    const jwk = privateKey.export({ format: "jwk" }) as Record<string, string>;
    const [key] = jwksDocument([{ jwk: { ...jwk, key_ops: "sign" }, url: "https://kv.example/keys/a/1" }], {
      algorithm: "RS256",
    }).keys;
    expect(Object.keys(key!).sort()).toEqual(["alg", "e", "kid", "kty", "n", "use"]);
  });

  test("keeps what others put there, to the letter", async () => {
    const scene = await inBlob({ target: { cacheSeconds: 0 } });
    const foreign = [
      {
        ...(await exportJWK(generateKeyPairSync("ed25519").publicKey)),
        kid: "theirs",
        x5t: "abc",
        nested: { deep: [1] },
      },
      { kty: "oct?", odd: true },
      { ...(await exportJWK(keyPair({ type: "RSA", size: 2048 }, 5).publicKey)), use: "enc" },
    ];
    const old = jwksDocument(
      [await scene.keys.port.get((scene.old.material as { vaultVersion: string }).vaultVersion)],
      scene.target,
    ).keys[0]!;
    await scene.put([foreign[0], old, foreign[1], foreign[2]], { issuer: "https://contoso.com" }, { owner: "them" });
    await rotator.observe(scene.step(), scene.old, once);
    await rotator.set(scene.step(), scene.next, scene.old);
    const between = await scene.read();
    expect(between.keys.slice(0, 4)).toEqual([foreign[0], old, foreign[1], foreign[2]]);
    expect(failed(await rotator.validate(scene.step(), scene.next, scene.old, once))).toEqual([]);
    await rotator.revoke(scene.step(), scene.old);
    const { keys, ...rest } = await scene.read();
    expect(keys.slice(0, 3)).toEqual(foreign);
    expect(keys).toHaveLength(4);
    expect(rest).toEqual({ issuer: "https://contoso.com" });
    expect((await scene.client!.getProperties()).metadata).toMatchObject({ owner: "them" });
  });

  test("another signer's rotation in the same set is no obstacle", async () => {
    const scene = await inBlob();
    const other = await inBlob({ first: 11, target: { blob: scene.target.blob } });
    await rotator.set(scene.step(ids.first), scene.next, scene.old);
    await rotator.set(other.step(ids.second), other.next, other.old);
    await rotator.revoke(scene.step(ids.first), scene.old);
    expect(await kids(scene)).toEqual([
      await kidOf(scene, "next"),
      await kidOf(other, "old"),
      await kidOf(other, "next"),
    ]);
  });

  test("a write of somebody else in between is not lost", async () => {
    const scene = await inBlob();
    await rotator.set(scene.step(), scene.next, scene.old);
    const edge = await startEdge(front.port);
    edges.push(edge);
    const target = { ...scene.target, blob: scene.target.blob!.replace(String(front.port), String(edge.port)) };
    const frozen = edge.arm({ call: 2, how: "freeze" });
    const revoking = rotator.revoke({ ...scene.step(), target }, scene.old);
    await frozen;
    const now = await scene.read();
    await scene.put([...now.keys, { kty: "theirs" }], {}, (await scene.client!.getProperties()).metadata);
    edge.release();
    await revoking;
    expect((await scene.read()).keys).toEqual([now.keys[1], { kty: "theirs" }]);
  });
});

test("its vault makes the key, and no longer by itself", async () => {
  const scene = await inBlob();
  const url = (scene.next.material as { vaultVersion: string }).vaultVersion;
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

describe("refusals", () => {
  const code = (expected: string) => ({ code: expected });

  test("a current key that is not in the set, or not as it should be", async () => {
    const scene = await inBlob();
    await scene.put([]);
    await expect(rotator.observe(scene.step(), scene.old, once)).rejects.toMatchObject(code("CURRENT_LOGIN_FAILED"));
    const { keys } = jwksDocument(
      [await scene.keys.port.get((scene.old.material as { vaultVersion: string }).vaultVersion)],
      scene.target,
    );
    await scene.put([{ ...keys[0], use: "enc" }]);
    await expect(rotator.observe(scene.step(), scene.old, once)).rejects.toMatchObject(code("CURRENT_LOGIN_FAILED"));
    expect(await rotator.works(scene.step(), scene.old)).toBe(false);
  });

  test("another key under our kid is somebody's doing, and is not written over", async () => {
    const scene = await inBlob();
    const stranger = await exportJWK(keyPair({ type: "EC", curve: "P-256" }, 7).publicKey);
    await scene.put([{ ...stranger, kid: await kidOf(scene, "old"), alg: "ES256", use: "sig" }]);
    for (const call of [
      () => rotator.observe(scene.step(), scene.old, once),
      () => rotator.set(scene.step(), scene.next, scene.old),
    ])
      await expect(call()).rejects.toMatchObject(code("OUT_OF_BAND_CHANGE"));
    expect((await scene.read()).keys).toHaveLength(1);
    expect(await rotator.works(scene.step(), scene.old)).toBe(false);
  });

  test("a blob that holds something else is not written over", async () => {
    for (const text of ["not JSON", "[]", '{"keys":{}}', '{"keys":[1]}', "null"]) {
      const scene = await inBlob();
      await scene.client!.upload(text, text.length);
      await expect(rotator.set(scene.step(), scene.next, scene.old)).rejects.toMatchObject(
        code("TARGET_MISCONFIGURED"),
      );
      expect((await scene.client!.downloadToBuffer()).toString()).toBe(text);
    }
  });

  test("an app without the right to write is told so before anything changes", async () => {
    const scene = await inBlob();
    front.allow("r");
    await expect(rotator.observe(scene.step(), scene.old, once)).rejects.toMatchObject({
      code: "TARGET_FORBIDDEN",
      class: "propagation",
    });
    front.allow("");
    await expect(rotator.works(scene.step(), scene.old)).rejects.toMatchObject(code("TARGET_FORBIDDEN"));
  });

  test("a container that does not exist, a service that is busy or down", async () => {
    const scene = await inBlob();
    const nowhere = {
      ...scene.step(),
      target: { ...scene.target, blob: scene.target.blob!.replace("/jwks/", "/nowhere/") },
    };
    await expect(rotator.set(nowhere, scene.next, scene.old)).rejects.toMatchObject(code("TARGET_MISCONFIGURED"));
    front.faults.push({ status: 503, headers: { "retry-after": "7" } });
    await expect(rotator.works(scene.step(), scene.old)).rejects.toMatchObject({
      class: "throttled",
      retryAfterSeconds: 7,
    });
    front.faults.push({ status: 500 });
    await expect(rotator.works(scene.step(), scene.old)).rejects.toMatchObject({
      code: "TARGET_UNREACHABLE",
      class: "transient",
    });
    const dead = {
      ...scene.step(),
      target: { ...scene.target, blob: "http://127.0.0.1:1/devstoreaccount1/jwks/a.json" },
    };
    await expect(rotator.works(dead, scene.old)).rejects.toMatchObject({
      code: "TARGET_UNREACHABLE",
      class: "transient",
    });
  });

  test("the public URL must show both keys, and promise caches no more than the target says", async () => {
    const scene = await inBlob({
      target: { cacheSeconds: 60, url: `http://127.0.0.1:${front.port}/devstoreaccount1/jwks/public.json` },
    });
    const validate = async () =>
      failed(await rotator.validate(scene.step(), scene.next, scene.old, once)).map((proof) => proof.name);
    await rotator.set(scene.step(), scene.next, scene.old);
    scene.advance(60);
    expect(await validate()).toEqual(["a verifier can fetch the set"]);
    const open = container.getBlockBlobClient("public.json");
    const show = async (keys: readonly unknown[], blobCacheControl: string) => {
      const text = JSON.stringify({ keys });
      await open.upload(text, text.length, { blobHTTPHeaders: { blobCacheControl } });
    };
    const { keys } = await scene.read();
    await show([keys[0]], "max-age=60");
    expect(await validate()).toEqual(["a token of the new key is accepted with the published set"]);
    await show([keys[1]], "max-age=60");
    expect(await validate()).toEqual(["a token of the old key is accepted with the published set"]);
    await show(keys, "public, s-maxage=600, max-age=60");
    expect(await validate()).toEqual(["no cache is told to keep it for longer"]);
    await show(keys, "public, max-age=60");
    expect(await validate()).toEqual([]);
  });

  test("a key that cannot sign so, and one that is a text", async () => {
    const scene = await inBlob({ target: { algorithm: "RS256" } });
    await expect(rotator.set(scene.step(), scene.next, scene.old)).rejects.toMatchObject(code("TARGET_MISCONFIGURED"));
    await expect(rotator.works(scene.step(), { id: "x", material: "text" })).rejects.toMatchObject(
      code("TARGET_MISCONFIGURED"),
    );
    await expect(rotator.create(scene.step(), { current: { id: "x" }, idle: { id: "x" } })).rejects.toMatchObject(
      code("TARGET_MISCONFIGURED"),
    );
  });

  test("targets with secrets in them, or without a place", () => {
    const good = {
      algorithm: "RS256",
      cacheSeconds: 60,
      longestTokenLife: "PT1H",
      blob: "https://a.blob.core.windows.net/c/jwks.json",
    };
    expect(jwksTarget.safeParse(good).success).toBe(true);
    const { blob, ...rest } = good;
    for (const bad of [
      rest,
      { ...good, blob: `${blob}?sv=1&sig=abc` },
      { ...good, blob: "http://contoso.com/a" },
      { ...good, url: "https://u:p@contoso.com/" },
      { ...good, more: 1 },
      { ...good, longestTokenLife: "PT0S" },
    ])
      expect(jwksTarget.safeParse(bad).success).toBe(false);
    expect(graceSeconds(jwksTarget.parse(good))).toBe(3600);
  });
});

describe("late copies", () => {
  const throughEdge = async () => {
    const edge = await startEdge(front.port);
    edges.push(edge);
    return { edge, scene: await makeScene({ origin: `http://127.0.0.1:${edge.port}`, container }) };
  };
  type Scene = Awaited<ReturnType<typeof makeScene>>;
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
        const edge = await startEdge(front.port);
        edges.push(edge);
        const scene = await makeScene({
          origin: `http://127.0.0.1:${edge.port}`,
          container,
          target: { cacheSeconds: 0 },
        });
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
    const edge = await startEdge(front.port);
    edges.push(edge);
    const scene = await makeScene({ origin: `http://127.0.0.1:${edge.port}`, container });
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
