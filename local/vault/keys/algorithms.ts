import { createPrivateKey, createPublicKey } from "node:crypto";
import type { JsonWebKey } from "node:crypto";
import { curveOf } from "./curves.ts";
import { ecdsaSign, ecdsaVerify } from "./ecdsa.ts";
import { toNumber } from "./numbers.ts";
import {
  oaepDecrypt,
  oaepEncrypt,
  pkcs1Decrypt,
  pkcs1Encrypt,
  pkcs1Sign,
  pkcs1Verify,
  pssSign,
  pssVerify,
} from "./rsa.ts";
import type { Hash, RsaKey } from "./rsa.ts";

// The algorithms of software keys: https://learn.microsoft.com/azure/key-vault/keys/about-keys-details.

/** Signs and verifies digests. */
export interface SignatureAlgorithm {
  readonly kty: "RSA" | "EC";
  /** Of an EC algorithm: the only curve it can be used with. */
  readonly crv?: string;
  /** Absent: any length that the key has room for. */
  readonly digestBytes?: number;
  readonly sign: (jwk: JsonWebKey, digest: Buffer) => Buffer;
  readonly verify: (jwk: JsonWebKey, digest: Buffer, signature: Buffer) => boolean;
}

/** Encrypts and wraps; undefined for what cannot be decrypted. */
export interface EncryptionAlgorithm {
  /** What is said of a cipher that is none of this key. */
  readonly refusal: string;
  /** By how many bytes a text must be shorter than the modulus. */
  readonly overhead: number;
  readonly encrypt: (jwk: JsonWebKey, text: Buffer) => Buffer;
  readonly decrypt: (jwk: JsonWebKey, cipher: Buffer) => Buffer | undefined;
}

/** What is padded for RSNULL has no DigestInfo, so it must leave room for the padding only. */
export const rsnullOverhead = 11;

const rsaKeys = new WeakMap<JsonWebKey, RsaKey>();

/** The parsed key; kept as long as its version is, since parsing takes longer than using it. */
export function rsaKeyOf(jwk: JsonWebKey): RsaKey {
  const kept = rsaKeys.get(jwk);
  if (kept) return kept;
  const privateKey = createPrivateKey({ key: jwk, format: "jwk" });
  const bytes = (privateKey.asymmetricKeyDetails?.modulusLength ?? 0) / 8;
  const key: RsaKey = { privateKey, publicKey: createPublicKey(privateKey), bytes };
  rsaKeys.set(jwk, key);
  return key;
}

const secretOf = ({ d = "" }: JsonWebKey): bigint => toNumber(Buffer.from(d, "base64url"));

const pkcs1 = (hash?: Hash, digestBytes?: number): SignatureAlgorithm => ({
  kty: "RSA",
  ...(digestBytes === undefined ? {} : { digestBytes }),
  sign: (jwk, digest) => pkcs1Sign(rsaKeyOf(jwk), hash, digest),
  verify: (jwk, digest, signature) => pkcs1Verify(rsaKeyOf(jwk), hash, digest, signature),
});

const pss = (hash: Hash, digestBytes: number): SignatureAlgorithm => ({
  kty: "RSA",
  digestBytes,
  sign: (jwk, digest) => pssSign(rsaKeyOf(jwk), hash, digest),
  verify: (jwk, digest, signature) => pssVerify(rsaKeyOf(jwk), hash, digest, signature),
});

const ecdsa = (crv: string, digestBytes: number): SignatureAlgorithm => ({
  kty: "EC",
  crv,
  digestBytes,
  sign: (jwk, digest) => ecdsaSign(curveOf(jwk), secretOf(jwk), digest),
  verify: (jwk, digest, signature) => ecdsaVerify(curveOf(jwk), secretOf(jwk), digest, signature),
});

const oaep = (hash: "sha1" | "sha256", hashBytes: number): EncryptionAlgorithm => ({
  refusal: "Error occurred while decoding OAEP padding.",
  overhead: 2 * hashBytes + 2,
  encrypt: (jwk, text) => oaepEncrypt(rsaKeyOf(jwk), hash, text),
  decrypt: (jwk, cipher) => oaepDecrypt(rsaKeyOf(jwk), hash, cipher),
});

/** By `alg`. */
export const signatureAlgorithms: ReadonlyMap<string, SignatureAlgorithm> = new Map([
  ["RS256", pkcs1("sha256", 32)],
  ["RS384", pkcs1("sha384", 48)],
  ["RS512", pkcs1("sha512", 64)],
  ["RSNULL", pkcs1()],
  ["PS256", pss("sha256", 32)],
  ["PS384", pss("sha384", 48)],
  ["PS512", pss("sha512", 64)],
  ["ES256", ecdsa("P-256", 32)],
  ["ES384", ecdsa("P-384", 48)],
  ["ES512", ecdsa("P-521", 64)],
  ["ES256K", ecdsa("P-256K", 32)],
]);

/** By `alg`; all are for RSA keys. */
export const encryptionAlgorithms: ReadonlyMap<string, EncryptionAlgorithm> = new Map([
  ["RSA-OAEP", oaep("sha1", 20)],
  ["RSA-OAEP-256", oaep("sha256", 32)],
  [
    "RSA1_5",
    {
      refusal: "The parameter is incorrect.\r\n",
      overhead: 11,
      encrypt: (jwk, text) => pkcs1Encrypt(rsaKeyOf(jwk), text),
      decrypt: (jwk, cipher) => pkcs1Decrypt(rsaKeyOf(jwk), cipher),
    },
  ],
]);
