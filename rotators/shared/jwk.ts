import { createHash, createPublicKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { PinionError } from "../../src/errors.ts";

/** The members of a public key, as a vault shows it (RFC 7517). */
export type PublicJwk = Readonly<Record<string, string>>;

/** The members that make the key, in the order of RFC 7638, 3.2. */
const required: Readonly<Record<string, readonly string[]>> = {
  RSA: ["e", "kty", "n"],
  EC: ["crv", "kty", "x", "y"],
};

/** Key Vault names a key in an HSM `RSA-HSM` or `EC-HSM`; outside of it that is the same type. */
const typeOf = ({ kty = "" }: PublicJwk): string => kty.replace(/-HSM$/, "");

/**
 * What makes the key, and nothing else: no private member, no name, no operations. `TARGET_MISCONFIGURED` for any other type than
 * RSA and EC, or where a member is missing.
 */
export function publicMembers(jwk: PublicJwk): PublicJwk {
  const kty = typeOf(jwk);
  const names = required[kty];
  if (names === undefined || names.some((name) => typeof jwk[name] !== "string")) {
    throw new PinionError("TARGET_MISCONFIGURED", "The key is neither RSA nor EC, or not whole: name another one.");
  }
  return Object.fromEntries(names.map((name) => [name, name === "kty" ? kty : jwk[name]!]));
}

/** RFC 7638 with SHA-256, in base64url. The members of {@link publicMembers} are already in its order. */
export function thumbprint(jwk: PublicJwk): string {
  return createHash("sha256")
    .update(JSON.stringify(publicMembers(jwk)))
    .digest("base64url");
}

/** For node:crypto. `TARGET_MISCONFIGURED` when the numbers are no key. */
export function publicKeyOf(jwk: PublicJwk): KeyObject {
  try {
    return createPublicKey({ key: { ...publicMembers(jwk) }, format: "jwk" });
  } catch (cause) {
    if (cause instanceof PinionError) throw cause;
    throw new PinionError("TARGET_MISCONFIGURED", "The public key cannot be read: name another one.", { cause });
  }
}

/** The other way; for keys out of certificates and requests. */
export function jwkOf(key: KeyObject): PublicJwk {
  return publicMembers(key.export({ format: "jwk" }) as Record<string, string>);
}
