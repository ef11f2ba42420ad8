import { constants, privateEncrypt, publicDecrypt, randomBytes, sign, verify } from "node:crypto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { curves } from "../../../local/vault/keys/curves.ts";
import { cryptographyClient, testVault } from "../support.ts";
import { create, digestOf, ecJwk, encode, privateKeyOf, rsaJwk, text, use } from "./material.ts";

// Signatures: what the vault signed is checked by node:crypto outside of it, and the reverse.

const rsaKeys = [2048, 3072, 4096];
const hashes = { 256: "sha256", 384: "sha384", 512: "sha512" } as const;
const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };

test.each(rsaKeys)("RSA signatures of %i bits", { timeout: 60_000 }, async (key_size) => {
  const { ask, ca } = await testVault();
  const { kid, publicKey } = await create(ask, "a", { kty: "RSA", key_size });
  const crypto = cryptographyClient(kid, ca);
  for (const size of [256, 384, 512] as const) {
    for (const [alg, padding] of [
      [`RS${size}`, {}],
      [`PS${size}`, pss],
    ] as const) {
      const hash = hashes[size];
      const { result, keyID, algorithm } = await crypto.sign(alg, digestOf(hash, text));
      expect([keyID, algorithm, result.length * 8]).toEqual([kid, alg, key_size]);
      const isGood = (signature: Uint8Array) => verify(hash, text, { key: publicKey, ...padding }, signature);
      expect([alg, isGood(result)]).toEqual([alg, true]);
      expect((await crypto.signData(alg, text)).result.length * 8).toBe(key_size);
      expect(isGood((await crypto.signData(alg, text)).result)).toBe(true);
      expect((await crypto.verify(alg, digestOf(hash, text), result)).result).toBe(true);
      const remote = (digest: Buffer, value: Uint8Array) =>
        use(ask, "a", "verify", { alg, digest: encode(digest), value: encode(value) });
      expect((await remote(digestOf(hash, text), result)).json).toEqual({ value: true });
      expect((await remote(digestOf(hash, Buffer.from("other")), result)).json).toEqual({ value: false });
      const broken = Buffer.from(result);
      broken[broken.length - 1]! ^= 1;
      for (const wrong of [broken, result.subarray(1), Buffer.alloc(0), Buffer.alloc(key_size / 8, 0xff)]) {
        expect((await remote(digestOf(hash, text), wrong)).json).toEqual({ value: false });
      }
    }
  }
});

test("signatures that node:crypto made are good, PSS with another salt is not", async () => {
  const { ask, keys } = await testVault();
  const jwk = rsaJwk();
  const privateKey = privateKeyOf(jwk);
  expect((await ask("PUT", "/keys/a", { body: { key: jwk } })).status).toBe(200);
  const value = async (alg: string, signature: Buffer) =>
    (await use(ask, "a", "verify", { alg, digest: encode(digestOf("sha256", text)), value: encode(signature) })).json
      .value;
  expect(await value("RS256", sign("sha256", text, privateKey))).toBe(true);
  expect(await value("PS256", sign("sha256", text, { key: privateKey, ...pss }))).toBe(true);
  expect(await value("RS256", sign("sha256", text, { key: privateKey, ...pss }))).toBe(false);
  expect(await value("PS256", sign("sha256", text, privateKey))).toBe(false);
  expect(await value("PS256", sign("sha256", text, { key: privateKey, ...pss, saltLength: 20 }))).toBe(false);
  expect(await value("PS256", sign("sha256", text, { key: privateKey, ...pss, saltLength: 0 }))).toBe(false);
  expect((await keys.getKey("a")).keyType).toBe("RSA");
});

test("a PSS encoding must be right in every byte", async () => {
  const { ask } = await testVault();
  const jwk = rsaJwk();
  await ask("PUT", "/keys/a", { body: { key: jwk } });
  const digest = digestOf("sha256", text);
  const hash = (...parts: Buffer[]) => digestOf("sha256", Buffer.concat(parts));
  type Spoil = (bytes: Buffer) => void;
  const nothing: Spoil = () => undefined;
  const flip =
    (at: number, bits: number): Spoil =>
    (bytes) =>
      void (bytes[at]! ^= bits);
  /** EMSA-PSS of RFC 8017, 9.1.1, for 2048 bits; the block may be spoilt before it is masked, the message at the end. */
  const encoded = (spoilBlock: Spoil, spoilMessage: Spoil) => {
    const salt = randomBytes(32);
    const h = hash(Buffer.alloc(8), digest, salt);
    const block = Buffer.concat([Buffer.alloc(190), Buffer.from([1]), salt]);
    spoilBlock(block);
    const mask = Buffer.concat([0, 1, 2, 3, 4, 5, 6].map((count) => hash(h, Buffer.from([0, 0, 0, count]))));
    const masked = Buffer.from(block.map((byte, index) => byte ^ mask[index]!));
    masked[0]! &= 0x7f;
    const message = Buffer.concat([masked, h, Buffer.from([0xbc])]);
    spoilMessage(message);
    return message;
  };
  const isGood = async (message: Buffer) => {
    const value = encode(privateEncrypt({ key: privateKeyOf(jwk), padding: constants.RSA_NO_PADDING }, message));
    return (await use(ask, "a", "verify", { alg: "PS256", digest: encode(digest), value })).json.value;
  };
  expect(await isGood(encoded(nothing, nothing))).toBe(true);
  expect(await isGood(encoded(nothing, flip(255, 1))), "the last byte").toBe(false);
  expect(await isGood(encoded(nothing, flip(230, 1))), "the hash").toBe(false);
  expect(await isGood(encoded(flip(190, 3), nothing)), "the byte before the salt").toBe(false);
  expect(await isGood(encoded(flip(100, 1), nothing)), "a byte of the padding").toBe(false);
  expect(await isGood(encoded(flip(191, 1), nothing)), "the salt").toBe(false);
  // The highest bit is not the encoding's. With it the number must still be below the modulus, which has that bit too.
  let message = encoded(nothing, nothing);
  while (message[0] !== 0) message = encoded(nothing, nothing);
  message[0] = 0x80;
  expect(Buffer.compare(message, Buffer.from(jwk.n!, "base64url"))).toBe(-1);
  expect(await isGood(message), "the highest bit").toBe(false);
});

test("a signature is as long as its key, zeros before its numbers included", async () => {
  const { ask } = await testVault();
  for (const [alg, jwk, at] of [
    ["RS256", rsaJwk(), 0],
    ["ES256", ecJwk(), 32],
  ] as const) {
    await ask("PUT", "/keys/a", { body: { key: jwk } });
    const key = { key: privateKeyOf(jwk), dsaEncoding: "ieee-p1363" as const };
    for (let count = 0; ; count++) {
      const data = Buffer.from(String(count));
      const signature = sign("sha256", data, key);
      if (signature[at] !== 0) continue;
      const short = Buffer.concat([signature.subarray(0, at), signature.subarray(at + 1)]);
      const value = async (of: Buffer) =>
        (await use(ask, "a", "verify", { alg, digest: encode(digestOf("sha256", data)), value: encode(of) })).json
          .value;
      expect([alg, await value(signature), await value(short)]).toEqual([alg, true, false]);
      break;
    }
  }
});

test("the numbers of an EC signature are below the order of the curve", async () => {
  const { ask } = await testVault();
  const crv = "P-521";
  const jwk = ecJwk(crv);
  await ask("PUT", "/keys/a", { body: { key: jwk } });
  const signature = sign("sha512", text, { key: privateKeyOf(jwk), dsaEncoding: "ieee-p1363" });
  const { order } = curves.find(({ name }) => name === crv)!;
  const s = BigInt(`0x${signature.subarray(66).toString("hex")}`) + order;
  const same = Buffer.concat([signature.subarray(0, 66), Buffer.from(s.toString(16).padStart(132, "0"), "hex")]);
  for (const [value, good] of [
    [signature, true],
    [same, false],
  ] as const) {
    const body = { alg: "ES512", digest: encode(digestOf("sha512", text)), value: encode(value) };
    expect((await use(ask, "a", "verify", body)).json.value).toBe(good);
  }
});

test("RSNULL pads what it is given", async () => {
  const { ask } = await testVault();
  const { publicKey } = await create(ask, "a", { kty: "RSA" });
  for (const length of [0, 36, 245]) {
    const data = randomBytes(length);
    const signed = await use(ask, "a", "sign", { alg: "RSNULL", value: encode(data) });
    expect(publicDecrypt(publicKey, Buffer.from(signed.json.value, "base64url"))).toEqual(data);
    const body = { alg: "RSNULL", digest: encode(data), value: signed.json.value };
    expect((await use(ask, "a", "verify", body)).json).toEqual({ value: true });
  }
  const long = encode(randomBytes(246));
  for (const [operation, body] of [
    ["sign", { alg: "RSNULL", value: long }],
    ["verify", { alg: "RSNULL", digest: long, value: long }],
  ] as const) {
    const { status, json } = await use(ask, "a", operation, body);
    expect([status, json.error.code]).toEqual([400, "BadParameter"]);
  }
});

test("EC signatures are r and s side by side", { timeout: 60_000 }, async () => {
  const { ask, ca } = await testVault();
  for (const [alg, crv, hash, bytes] of [
    ["ES256", "P-256", "sha256", 64],
    ["ES384", "P-384", "sha384", 96],
    ["ES512", "P-521", "sha512", 132],
    ["ES256K", "P-256K", "sha256", 64],
  ] as const) {
    const { kid, publicKey } = await create(ask, crv, { kty: "EC", crv });
    const crypto = cryptographyClient(kid, ca);
    const dsaEncoding = "ieee-p1363";
    const isGood = (signature: Uint8Array, of = text) => verify(hash, of, { key: publicKey, dsaEncoding }, signature);
    for (let round = 0; round < 5; round++) {
      const { result } = await crypto.sign(alg, digestOf(hash, text));
      expect([alg, result.length, isGood(result), isGood(result, Buffer.from("other"))]).toEqual([
        alg,
        bytes,
        true,
        false,
      ]);
      expect((await crypto.verify(alg, digestOf(hash, text), result)).result).toBe(true);
      const broken = Buffer.from(result);
      broken[bytes - 1]! ^= 1;
      for (const wrong of [broken, result.subarray(1), Buffer.alloc(bytes), Buffer.alloc(bytes, 0xff)]) {
        expect((await crypto.verify(alg, digestOf(hash, text), wrong)).result).toBe(false);
      }
    }
    expect(isGood((await crypto.signData(alg, text)).result)).toBe(true);
    expect((await crypto.verifyData(alg, text, (await crypto.signData(alg, text)).result)).result).toBe(true);

    const jwk = ecJwk(crv);
    await ask("PUT", `/keys/${crv}`, { body: { key: jwk } });
    const outside = sign(hash, text, { key: privateKeyOf(jwk), dsaEncoding });
    const checked = { alg, digest: encode(digestOf(hash, text)), value: encode(outside) };
    expect((await use(ask, crv, "verify", checked)).json).toEqual({ value: true });
  }
});

test("any digest: node:crypto and the vault agree", { timeout: 60_000 }, async () => {
  const { ask } = await testVault();
  const seed = 20_260_115;
  const rsa = await create(ask, "rsa", { kty: "RSA" });
  const ec = await create(ask, "ec", { kty: "EC" });
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 200 }),
      fc.constantFrom("RS256", "PS256", "ES256"),
      async (data, alg) => {
        const [name, key] = alg === "ES256" ? (["ec", ec.publicKey] as const) : (["rsa", rsa.publicKey] as const);
        const digest = digestOf("sha256", Buffer.from(data));
        const { json } = await use(ask, name, "sign", { alg, value: encode(digest) });
        const extra = alg === "PS256" ? pss : { dsaEncoding: "ieee-p1363" as const };
        expect(verify("sha256", data, { key, ...extra }, Buffer.from(json.value, "base64url"))).toBe(true);
      },
    ),
    { seed, numRuns: 150 },
  );
});
