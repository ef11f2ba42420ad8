import { constants, createPublicKey, privateDecrypt, publicEncrypt, randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { cryptographyClient, testVault } from "../support.ts";
import { encode, privateKeyOf, rsaJwk, use } from "./material.ts";

// Encryption and wrapping: both ways against node:crypto.

test("encrypts and wraps, both ways against node:crypto", { timeout: 60_000 }, async () => {
  const { ask, ca } = await testVault();
  const jwk = rsaJwk();
  const privateKey = privateKeyOf(jwk);
  const publicKey = createPublicKey(privateKey);
  const { json } = await ask("PUT", "/keys/a", { body: { key: jwk } });
  const crypto = cryptographyClient(json.key.kid, ca);
  const oaep = (oaepHash: string) => ({ padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash });
  for (const [alg, options, most] of [
    ["RSA-OAEP", oaep("sha1"), 214],
    ["RSA-OAEP-256", oaep("sha256"), 190],
    ["RSA1_5", { padding: constants.RSA_PKCS1_PADDING }, 245],
  ] as const) {
    for (const length of [0, 1, 32, most]) {
      const plain = randomBytes(length);
      for (const [there, back] of [
        ["encrypt", "decrypt"],
        ["wrapkey", "unwrapkey"],
      ] as const) {
        const made = await use(ask, "a", there, { alg, value: encode(plain) });
        expect([made.status, made.json.kid]).toEqual([200, json.key.kid]);
        const cipher = Buffer.from(made.json.value, "base64url");
        expect([alg, privateDecrypt({ key: privateKey, ...options }, cipher)]).toEqual([alg, plain]);
        const outside = publicEncrypt({ key: publicKey, ...options }, plain);
        const read = await use(ask, "a", back, { alg, value: encode(outside) });
        expect([alg, read.json]).toEqual([alg, { kid: json.key.kid, value: encode(plain) }]);
      }
    }
    const secret = randomBytes(32);
    const encrypted = await crypto.encrypt({ algorithm: alg, plaintext: secret });
    expect(Buffer.from((await crypto.decrypt({ algorithm: alg, ciphertext: encrypted.result })).result)).toEqual(
      secret,
    );
    const wrapped = await crypto.wrapKey(alg, secret);
    expect(Buffer.from((await crypto.unwrapKey(alg, wrapped.result)).result)).toEqual(secret);
    const tooLong = await use(ask, "a", "encrypt", { alg, value: encode(randomBytes(most + 1)) });
    expect([tooLong.status, tooLong.json.error.code]).toEqual([400, "BadParameter"]);
    for (const wrong of [
      randomBytes(256),
      randomBytes(255),
      Buffer.alloc(0),
      Buffer.alloc(256, 0xff),
      Buffer.alloc(256),
    ]) {
      const refused = await use(ask, "a", "decrypt", { alg, value: encode(wrong) });
      expect([alg, refused.status, refused.json.error]).toEqual([
        alg,
        400,
        {
          code: "BadParameter",
          message: alg === "RSA1_5" ? "The parameter is incorrect.\r\n" : "Error occurred while decoding OAEP padding.",
        },
      ]);
    }
  }
});

test("RSA1_5 needs 8 bytes of padding, none of them zero", async () => {
  const { ask } = await testVault();
  const jwk = rsaJwk();
  const { json } = await ask("PUT", "/keys/a", { body: { key: jwk } });
  const publicKey = createPublicKey(privateKeyOf(jwk));
  const decrypted = async (padding: number) => {
    const block = Buffer.concat([Buffer.from([0, 2]), Buffer.alloc(padding, 1), Buffer.alloc(254 - padding)]);
    const value = encode(publicEncrypt({ key: publicKey, padding: constants.RSA_NO_PADDING }, block));
    return use(ask, "a", "decrypt", { alg: "RSA1_5", value });
  };
  expect((await decrypted(8)).json).toEqual({ kid: json.key.kid, value: encode(Buffer.alloc(245)) });
  expect((await decrypted(7)).status).toBe(400);
  expect((await decrypted(254)).status, "no end to it").toBe(400);
});
