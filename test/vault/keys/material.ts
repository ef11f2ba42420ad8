import { createHash, generateKeyPairSync } from "node:crypto";
import type { JsonWebKey } from "node:crypto";

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
