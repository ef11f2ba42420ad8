import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { exportJWK } from "jose";
import { graceSeconds, jwtSigningKey as rotator } from "../../rotators/jwt-signing-key.ts";
import { jwksDocument } from "../../rotators/shared/jwks/document.ts";
import { jwksTarget } from "../../rotators/shared/jwks/target.ts";
import { keyPair } from "../private-ca/keys.ts";
import { container, failed, front, inBlob, kidOf, once, urlOf, useStorage } from "./bench.ts";
import { start } from "./scene.ts";

useStorage();

describe("refusals", () => {
  const code = (expected: string) => ({ code: expected });

  test("a current key that is not in the set, or not as it should be", async () => {
    const scene = await inBlob();
    await scene.put([]);
    await expect(rotator.observe(scene.step(), scene.old, once)).rejects.toMatchObject(code("CURRENT_LOGIN_FAILED"));
    const { keys } = jwksDocument([await scene.keys.port.get(urlOf(scene.old))], scene.target);
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

  test("a set that caches may serve stale, or by its Expires, is waited for before the new key signs", async () => {
    const cases: readonly [headers: Record<string, string>, kept: number][] = [
      [{ "cache-control": "public, max-age=60, stale-while-revalidate=600" }, 660],
      [{ "cache-control": 'max-age=30, STALE-WHILE-REVALIDATE="90"' }, 120],
      [{ expires: "Thu, 26 Nov 2026 13:00:00 GMT", date: "Thu, 26 Nov 2026 12:30:00 GMT" }, 1800],
      [{ expires: "Thu, 26 Nov 2026 13:00:00 GMT", "cache-control": "s-maxage=30, stale-while-revalidate=5" }, 3605],
      // Where there is a max-age nobody goes by Expires; one that is no date has passed (RFC 9111, 5.3).
      [{ expires: "Thu, 26 Nov 2026 13:00:00 GMT", "cache-control": "max-age=60" }, 60],
      [{ expires: "0" }, 60],
    ];
    for (const [headers, kept] of cases) {
      const { scene, validate } = await servedWith(headers);
      scene.advance(60);
      if (kept > 60) {
        const wait = { code: "NOT_SETTLED", class: "transient", retryAfterSeconds: kept - 60 };
        await expect(validate()).rejects.toMatchObject(wait);
        scene.advance(kept - 61);
        await expect(validate()).rejects.toMatchObject({ ...wait, retryAfterSeconds: 1 });
        scene.advance(1);
      }
      const proofs = await validate();
      expect(failed(proofs)).toEqual([]);
      expect(proofs[0]).toMatchObject({ detail: `${kept} s` });
    }
  });

  test("a time that nobody would wait for is told", async () => {
    for (const headers of [
      { "cache-control": "max-age=60, stale-while-revalidate=31536000" },
      { expires: "Thu, 01 Dec 2037 16:00:00 GMT", date: "Thu, 26 Nov 2026 12:00:00 GMT" },
    ]) {
      const { scene, validate } = await servedWith(headers);
      scene.advance(60);
      expect(failed(await validate())).toMatchObject([{ name: "no cache is told to keep it for longer" }]);
    }
  });

  /** A set whose public URL answers with these headers, a minute's caching in the policy, and its new key just published. */
  async function servedWith(headers: Readonly<Record<string, string>>) {
    let read: () => Promise<unknown>;
    const server = createServer((_, response) => {
      response.sendDate = false;
      void read().then((set) =>
        response.writeHead(200, { date: new Date(start).toUTCString(), ...headers }).end(JSON.stringify(set)),
      );
    });
    server.listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const scene = await inBlob({ target: { cacheSeconds: 60, url: `http://127.0.0.1:${port}/jwks.json` } });
    read = scene.read;
    await rotator.set(scene.step(), scene.next, scene.old);
    return { scene, validate: async () => await rotator.validate(scene.step(), scene.next, scene.old, once) };
  }

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
