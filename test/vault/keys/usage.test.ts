import { expect, test } from "vitest";
import { cryptographyClient, day, failure, start, testVault } from "../support.ts";
import { create, digestOf, encode, rsaJwk, text, use } from "./material.ts";
import type { Ask } from "./material.ts";

// Which version is used, and what its state and its key_ops allow.

const everyUse = ["sign", "verify", "encrypt", "decrypt", "wrapkey", "unwrapkey"] as const;

/** Each use of key `a` with a body that is good in itself: the status and inner code of each. */
async function usesOf(ask: Ask) {
  const digest = encode(digestOf("sha256", text));
  const wrapped = (await use(ask, "whole", "encrypt", { alg: "RSA-OAEP", value: digest })).json.value;
  const outcomes: Record<string, unknown> = {};
  for (const operation of everyUse) {
    const value = operation === "decrypt" || operation === "unwrapkey" ? wrapped : digest;
    const alg = operation === "sign" || operation === "verify" ? "RS256" : "RSA-OAEP";
    const { status, json } = await use(ask, "a", operation, { alg, digest, value });
    outcomes[operation] = status === 200 ? 200 : (json.error.innererror?.code ?? json.error.message);
  }
  return outcomes;
}

test("a version of its own, and the newest without one", async () => {
  const { ask, ca } = await testVault();
  const first = await create(ask, "a", { kty: "EC" });
  const second = await create(ask, "A", { kty: "EC" });
  const signed = async (path: string) =>
    (await ask("POST", path, { body: { alg: "ES256", value: encode(digestOf("sha256", text)) } })).json.kid;
  const version = first.kid.split("/").at(-1)!;
  expect(await signed(`/keys/a/${version}/sign`)).toBe(first.kid);
  expect(await signed("/keys/a/sign")).toBe(second.kid);
  expect(await signed("/keys/a//sign"), "as official clients ask for the newest").toBe(second.kid);
  const newest = await cryptographyClient(first.kid.replace(`/${version}`, ""), ca).signData("ES256", text);
  expect(newest.keyID).toBe(second.kid);
});

test("outside of nbf and exp, with some leeway", async () => {
  const { ask, clock } = await testVault();
  const key = rsaJwk();
  const attributes = { nbf: (start + day) / 1000, exp: (start + 2 * day) / 1000 };
  await ask("PUT", "/keys/whole", { body: { key } });
  await ask("PUT", "/keys/a", { body: { key, attributes } });
  const within = Object.fromEntries(everyUse.map((one) => [one, 200]));
  const outside = (code: string) => ({ ...within, sign: code, encrypt: code, wrapkey: code });
  expect(await usesOf(ask)).toEqual(outside("KeyNotYetValid"));
  const early = await use(ask, "a", "sign", { alg: "RS256", value: encode(digestOf("sha256", text)) });
  expect([early.status, early.json.error]).toEqual([
    403,
    {
      code: "Forbidden",
      message: "Operation sign is not allowed on a key that is not yet valid.",
      innererror: { code: "KeyNotYetValid" },
    },
  ]);
  expect((await ask("GET", "/keys/a")).status, "it can be read all the same").toBe(200);
  clock.advance(day - 5 * 60_000 - 1000);
  expect(await usesOf(ask)).toEqual(outside("KeyNotYetValid"));
  clock.advance(1000);
  expect(await usesOf(ask)).toEqual(within);
  clock.advance(day + 10 * 60_000 - 1000);
  expect(await usesOf(ask)).toEqual(within);
  clock.advance(1000);
  expect(await usesOf(ask)).toEqual(outside("KeyExpired"));
  expect((await ask("GET", "/keys/a")).status).toBe(200);
});

test("only what key_ops has, and nothing when disabled", async () => {
  const { ask } = await testVault();
  const key = rsaJwk();
  await ask("PUT", "/keys/whole", { body: { key } });
  const names = { wrapkey: "wrapKey", unwrapkey: "unwrapKey" } as Record<string, string>;
  for (const allowed of everyUse) {
    const op = names[allowed] ?? allowed;
    await ask("PUT", "/keys/a", { body: { key: { ...key, key_ops: [op] } } });
    const expected = Object.fromEntries(everyUse.map((one) => [one, one === allowed ? 200 : "KeyOperationForbidden"]));
    expect([op, await usesOf(ask)]).toEqual([op, expected]);
  }
  const refused = await use(ask, "a", "sign", { alg: "RS256", value: encode(digestOf("sha256", text)) });
  expect([refused.status, refused.json.error]).toEqual([
    403,
    {
      code: "Forbidden",
      message: "Operation sign is not permitted on this key.",
      innererror: { code: "KeyOperationForbidden" },
    },
  ]);
  await ask("PATCH", "/keys/a", { body: { key_ops: ["sign", "verify"] } });
  expect(await usesOf(ask)).toMatchObject({ sign: 200, verify: 200, encrypt: "KeyOperationForbidden" });
  await ask("PATCH", "/keys/a", { body: { attributes: { enabled: false } } });
  expect(await usesOf(ask)).toEqual(Object.fromEntries(everyUse.map((one) => [one, "KeyDisabled"])));
  const disabled = await use(ask, "a", "sign", { alg: "RS256", value: encode(digestOf("sha256", text)) });
  expect(disabled.json.error.message).toBe("Operation sign is not allowed on a disabled key.");
});

test("official clients see the inner codes", async () => {
  const { keys, ca } = await testVault();
  const made = await keys.createKey("a", "EC", { keyOps: ["verify"] });
  const crypto = cryptographyClient(made.id!, ca);
  // This client itself refuses what the key does not allow, once it has read it.
  await expect(crypto.sign("ES256", digestOf("sha256", text))).rejects.toThrow(
    "Operation sign is not supported on key",
  );
  await keys.updateKeyProperties("a", { enabled: false });
  const verified = crypto.verify("ES256", digestOf("sha256", text), Buffer.alloc(64));
  expect(await failure(verified)).toEqual({ status: 403, code: "Forbidden", inner: "KeyDisabled" });
});
