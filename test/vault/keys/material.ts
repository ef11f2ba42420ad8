import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import type { JsonWebKey, KeyObject } from "node:crypto";
import { expect } from "vitest";
import type { Answer, Asked } from "../support.ts";

/** The bytes in base64url, as the wire has them. */
export const encode = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");

export const digestOf = (hash: string, of: Uint8Array | string): Buffer => createHash(hash).update(of).digest();

/** A private key as an import has it, RSA of 2048 bits. */
export function rsaJwk(): JsonWebKey {
  return generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" });
}

/** A private key as an import has it, on the curve with this name of the wire. */
export function ecJwk(crv = "P-256"): JsonWebKey {
  const namedCurve = crv === "P-256K" ? "secp256k1" : crv;
  return { ...generateKeyPairSync("ec", { namedCurve }).privateKey.export({ format: "jwk" }), crv };
}

/** What most tests sign. */
export const text = Buffer.from("what is signed");

/** A private key of the wire, as node:crypto has it. */
export const privateKeyOf = (jwk: JsonWebKey): KeyObject =>
  createPrivateKey({ key: jwk.crv === "P-256K" ? { ...jwk, crv: "secp256k1" } : jwk, format: "jwk" });

/** The public key of a bundle, as node:crypto has it. */
export function publicKeyOf({ json }: Answer): KeyObject {
  const { kty, n, e, crv, x, y } = json.key;
  const jwk: JsonWebKey = kty === "RSA" ? { kty, n, e } : { kty, crv: crv === "P-256K" ? "secp256k1" : crv, x, y };
  return createPublicKey({ key: jwk, format: "jwk" });
}

export type Ask = (method: string, path: string, asked?: Asked) => Promise<Answer>;

/** Makes a key as `body` says. */
export async function create(ask: Ask, name: string, body: unknown) {
  const made = await ask("POST", `/keys/${name}/create`, { body });
  expect(made.status).toBe(200);
  return { kid: made.json.key.kid as string, publicKey: publicKeyOf(made) };
}

/** Has something done with a key: `sign`, `wrapkey` ... */
export const use = async (ask: Ask, name: string, operation: string, body: unknown) =>
  ask("POST", `/keys/${name}/${operation}`, { body });
