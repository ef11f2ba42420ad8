import { createPublicKey, verify } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { CertificationRequest } from "@peculiar/asn1-csr";
import { AsnConvert } from "@peculiar/asn1-schema";
import { PinionError } from "../../../src/errors.ts";
import type { CertificateWish } from "../../../src/rotator.ts";

const hashes: Readonly<Record<string, { readonly type: "rsa" | "ec"; readonly hash: string }>> = {
  "1.2.840.113549.1.1.11": { type: "rsa", hash: "sha256" },
  "1.2.840.113549.1.1.12": { type: "rsa", hash: "sha384" },
  "1.2.840.113549.1.1.13": { type: "rsa", hash: "sha512" },
  "1.2.840.10045.4.3.2": { type: "ec", hash: "sha256" },
  "1.2.840.10045.4.3.3": { type: "ec", hash: "sha384" },
  "1.2.840.10045.4.3.4": { type: "ec", hash: "sha512" },
};

const curves: Readonly<Record<string, string>> = { "P-256": "prime256v1", "P-384": "secp384r1", "P-521": "secp521r1" };

/**
 * The public key of a PKCS #10 request (RFC 2986), once its own signature has shown that whoever made it holds the private key. What
 * else the request asks for is not read. `CSR_INVALID` when it is malformed, not signed by its key, or has another key than is wanted.
 */
export function keyOfRequest(csr: Uint8Array, wanted: CertificateWish["key"]): KeyObject {
  const { request, key } = open(csr);
  const algorithm = hashes[request.signatureAlgorithm.algorithm];
  if (algorithm === undefined || algorithm.type !== key.asymmetricKeyType) {
    throw refused("its signature algorithm is not RSA PKCS #1 or ECDSA with SHA-2 for its own key");
  }
  const signature = Buffer.from(request.signature);
  if (!verify(algorithm.hash, Buffer.from(request.certificationRequestInfoRaw!), key, signature)) {
    throw refused("its signature does not fit its key, so nothing shows who holds the private key");
  }
  const { modulusLength, publicExponent, namedCurve } = key.asymmetricKeyDetails ?? {};
  const fits =
    wanted.type === "RSA"
      ? key.asymmetricKeyType === "rsa" && modulusLength === wanted.size && isSafeExponent(publicExponent)
      : key.asymmetricKeyType === "ec" && namedCurve === curves[wanted.curve];
  if (!fits) throw refused(`its key is not ${wanted.type === "RSA" ? `RSA ${wanted.size}` : wanted.curve}`);
  return key;
}

/** NIST SP 800-56B, 6.2: odd, above 2^16, below 2^256. */
const isSafeExponent = (exponent = 0n): boolean => exponent > 65_536n && exponent < 1n << 256n && exponent % 2n === 1n;

function open(csr: Uint8Array) {
  try {
    const request = AsnConvert.parse(Buffer.from(csr), CertificationRequest);
    const info = AsnConvert.serialize(request.certificationRequestInfo.subjectPKInfo);
    return { request, key: createPublicKey({ key: Buffer.from(info), format: "der", type: "spki" }) };
  } catch (cause) {
    throw refused("it cannot be read", cause);
  }
}

function refused(why: string, cause?: unknown): PinionError {
  return new PinionError("CSR_INVALID", `The certificate request is refused: ${why}. Cancel the pending operation.`, {
    cause,
  });
}
