import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { SignJWT, calculateJwkThumbprint, createLocalJWKSet, exportJWK, jwtVerify } from "jose";
import { jwtSigningKey as rotator } from "../../rotators/jwt-signing-key.ts";
import { thumbprint } from "../../rotators/shared/jwk.ts";
import { jwksDocument, jwksHeaders } from "../../rotators/shared/jwks/document.ts";
import { accepts, signToken } from "../../rotators/shared/jwks/token.ts";
import { keyPair } from "../private-ca/keys.ts";
import type { KeyWish } from "../private-ca/keys.ts";
import { failed, front, inBlob, kidOf, kids, once, urlOf, useStorage, throughEdge } from "./bench.ts";
import { ids } from "./scene.ts";

useStorage();

const keyKinds: readonly KeyWish[] = [
  { type: "EC", curve: "P-256" },
  { type: "EC", curve: "P-384" },
  { type: "EC", curve: "P-521" },
  { type: "RSA", size: 2048 },
];

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
      const url = urlOf(scene.next);
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
    const old = jwksDocument([await scene.keys.port.get(urlOf(scene.old))], scene.target).keys[0]!;
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
    const { edge } = await throughEdge();
    const target = { ...scene.target, blob: scene.target.blob!.replace(`:${front.port}/`, `:${edge.port}/`) };
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
