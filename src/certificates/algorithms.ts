import { constants, createPublicKey, type KeyObject, verify } from "node:crypto";
import type { AlgorithmIdentifier } from "@peculiar/asn1-x509";
import { fromBER } from "asn1js";
import type { PublicKeyFacts } from "./read.ts";

/** How something was signed: by what type of key, and over which hash. */
export interface SignatureFacts {
  readonly type: "RSA" | "EC" | "other";
  readonly hash: Hash | "none";
  /** PSS padding (RFC 4055); else PKCS #1 v1.5 for RSA. */
  readonly pss?: true;
  readonly oid: string;
}

export type Hash = "MD5" | "SHA-1" | "SHA-224" | "SHA-256" | "SHA-384" | "SHA-512";

/** RFC 3279, 4055, 5758. */
const signatures: Readonly<Record<string, readonly ["RSA" | "EC", Hash]>> = {
  "1.2.840.113549.1.1.4": ["RSA", "MD5"],
  "1.2.840.113549.1.1.5": ["RSA", "SHA-1"],
  "1.2.840.113549.1.1.14": ["RSA", "SHA-224"],
  "1.2.840.113549.1.1.11": ["RSA", "SHA-256"],
  "1.2.840.113549.1.1.12": ["RSA", "SHA-384"],
  "1.2.840.113549.1.1.13": ["RSA", "SHA-512"],
  "1.2.840.10045.4.1": ["EC", "SHA-1"],
  "1.2.840.10045.4.3.1": ["EC", "SHA-224"],
  "1.2.840.10045.4.3.2": ["EC", "SHA-256"],
  "1.2.840.10045.4.3.3": ["EC", "SHA-384"],
  "1.2.840.10045.4.3.4": ["EC", "SHA-512"],
};

const hashes: Readonly<Record<string, Hash>> = {
  "1.2.840.113549.2.5": "MD5",
  "1.3.14.3.2.26": "SHA-1",
  "2.16.840.1.101.3.4.2.4": "SHA-224",
  "2.16.840.1.101.3.4.2.1": "SHA-256",
  "2.16.840.1.101.3.4.2.2": "SHA-384",
  "2.16.840.1.101.3.4.2.3": "SHA-512",
};

const pss = "1.2.840.113549.1.1.10";

export function signatureFacts({ algorithm: oid, parameters }: AlgorithmIdentifier): SignatureFacts {
  const found = signatures[oid];
  if (found !== undefined) return { type: found[0], hash: found[1], oid };
  if (oid === pss) return { type: "RSA", hash: pssHash(parameters), pss: true, oid };
  return { type: "other", hash: "none", oid };
}

/** RSASSA-PSS-params (RFC 4055, 3.1): the hash is `[0]`, SHA-1 where it is left out. */
function pssHash(parameters: ArrayBuffer | null | undefined): Hash | "none" {
  if (!parameters) return "none";
  const fields = childrenOf(fromBER(parameters).result);
  const hash = fields.find((field) => tagOf(field) === 0);
  if (hash === undefined) return "SHA-1";
  const oid = childrenOf(childrenOf(hash)[0])[0];
  return hashes[String((oid as { valueBlock?: unknown } | undefined)?.valueBlock)] ?? "none";
}

const childrenOf = (block: unknown): readonly unknown[] => {
  const value = (block as { valueBlock?: { value?: unknown } } | undefined)?.valueBlock?.value;
  return Array.isArray(value) ? value : [];
};
const tagOf = (block: unknown): number | undefined =>
  (block as { idBlock?: { tagNumber?: number } } | undefined)?.idBlock?.tagNumber;

/** Whether a key made a signature over data; a weak algorithm proves nothing. */
export function signatureHolds(
  facts: SignatureFacts,
  key: KeyObject,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (weakSignature(facts) !== undefined) return false;
  const padding = facts.pss
    ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO }
    : {};
  try {
    return verify(facts.hash.replace("-", ""), data, { key, ...padding }, signature);
  } catch {
    return false;
  }
}

/** The hash that an OID names (RFC 4055, 2.1); undefined for others. */
export const hashOf = (oid: string): Hash | undefined => hashes[oid];

/** What is wrong with a signature for today: undefined where nothing is. */
export function weakSignature({ hash, oid }: SignatureFacts): string | undefined {
  if (hash === "none") return `is signed with an algorithm that is not known (${oid})`;
  return hash === "MD5" || hash === "SHA-1" || hash === "SHA-224" ? `is signed over ${hash}` : undefined;
}

/** What is wrong with a key for today: RSA of 2048 bits and more, P-256, P-384 and P-521 will do. */
export function weakKey(key: PublicKeyFacts): string | undefined {
  if (key.type === "RSA") return key.size >= 2048 ? undefined : `has an RSA key of ${key.size} bits`;
  if (key.type === "EC")
    return ["P-256", "P-384", "P-521"].includes(key.curve) ? undefined : `has a key on ${key.curve}`;
  return `has a key of type ${key.name}`;
}

/**
 * Whether a public key is the one that a JWK holds (RFC 7517; only its public members are read). The two are compared as text:
 * `KeyObject.equals` between RSA and EC leaves an error in OpenSSL's queue, where a later TLS connection of the process finds it.
 */
export function isKeyOf(key: KeyObject, jwk: Readonly<Record<string, string>>): boolean {
  const { kty = "", n = "", e = "", crv = "", x = "", y = "" } = jwk;
  try {
    // A pass through OpenSSL makes both canonical: Key Vault may write leading zeros.
    const named = createPublicKey({
      format: "jwk",
      key: kty.startsWith("RSA") ? { kty: "RSA", n, e } : { kty: "EC", crv, x, y },
    });
    const [a, b] = [named.export({ format: "jwk" }), key.export({ format: "jwk" })];
    return (
      a.kty === b.kty &&
      [
        ["n", "e"],
        ["crv", "x", "y"],
      ][a.kty === "RSA" ? 0 : 1]!.every((m) => a[m] === b[m])
    );
  } catch {
    return false;
  }
}
