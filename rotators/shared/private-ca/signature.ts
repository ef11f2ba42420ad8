import { createHash, verify } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { AlgorithmIdentifier } from "@peculiar/asn1-x509";
import { Integer, Sequence } from "asn1js";
import { PinionError } from "../../../src/errors.ts";
import type { KeyPort, SignatureAlgorithm } from "../../../src/rotator.ts";

/** How a key signs certificates. */
export interface SignatureScheme {
  readonly algorithm: SignatureAlgorithm;
  readonly hash: "sha256" | "sha384" | "sha512";
  readonly identifier: AlgorithmIdentifier;
}

const scheme = (algorithm: SignatureAlgorithm, oid: string): SignatureScheme => ({
  algorithm,
  hash: `sha${algorithm.slice(2) as "256" | "384" | "512"}`,
  // NULL for RSA (RFC 4055, 5), absent for ECDSA (RFC 5758, 3.2).
  identifier: new AlgorithmIdentifier(
    algorithm.startsWith("RS") ? { algorithm: oid, parameters: null } : { algorithm: oid },
  ),
});

const ofCurve: Readonly<Record<string, SignatureScheme>> = {
  prime256v1: scheme("ES256", "1.2.840.10045.4.3.2"),
  secp384r1: scheme("ES384", "1.2.840.10045.4.3.3"),
  secp521r1: scheme("ES512", "1.2.840.10045.4.3.4"),
};
const rs256 = scheme("RS256", "1.2.840.113549.1.1.11");
const rs384 = scheme("RS384", "1.2.840.113549.1.1.12");
const rs512 = scheme("RS512", "1.2.840.113549.1.1.13");

/** The scheme whose hash fits the key. `TARGET_MISCONFIGURED` for a key that no one should trust. */
export function schemeOf(key: KeyObject): SignatureScheme {
  const { modulusLength = 0, namedCurve = "" } = key.asymmetricKeyDetails ?? {};
  const found =
    key.asymmetricKeyType === "rsa"
      ? [
          { from: 4096, scheme: rs512 },
          { from: 3072, scheme: rs384 },
          { from: 2048, scheme: rs256 },
        ].find(({ from }) => modulusLength >= from)?.scheme
      : ofCurve[namedCurve];
  if (found !== undefined) return found;
  throw new PinionError(
    "TARGET_MISCONFIGURED",
    "The authority's key must be RSA of 2048 bits or more, P-256, P-384 or P-521.",
  );
}

/**
 * Signs with a key in a vault; the signature has the form that X.509 wants, and is checked before it is handed on. Errors are the
 * vault's.
 */
export async function signWith(
  keys: Pick<KeyPort, "sign">,
  { url, key }: { readonly url: string; readonly key: KeyObject },
  data: Uint8Array,
): Promise<Uint8Array> {
  const { algorithm, hash } = schemeOf(key);
  const raw = await keys.sign(url, algorithm, createHash(hash).update(data).digest());
  const signature = algorithm.startsWith("ES") ? derOf(raw) : raw;
  if (!verify(hash, data, key, signature)) {
    throw new PinionError("VAULT_UNAVAILABLE", "The vault's signature does not fit its key; the step is tried again.", {
      class: "transient",
    });
  }
  return signature;
}

/** ECDSA-Sig-Value of RFC 3279, 2.2.3, from r and s one after the other (RFC 7518, 3.4). */
export function derOf(signature: Uint8Array): Uint8Array {
  const half = signature.length / 2;
  const number = (from: number) => {
    const bytes = Buffer.from(signature.subarray(from, from + half));
    const first = bytes.findIndex((byte) => byte !== 0);
    const rest = bytes.subarray(first === -1 ? bytes.length - 1 : first);
    // Positive, and as short as can be.
    return new Integer({ valueHex: Buffer.concat([Buffer.alloc(rest[0]! >> 7), rest]) });
  };
  return new Uint8Array(new Sequence({ value: [number(0), number(half)] }).toBER());
}
