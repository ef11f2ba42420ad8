import { createHash, createHmac } from "node:crypto";
import { PinionError } from "../../../src/errors.ts";
import type { Step } from "../../../src/rotator.ts";
import { publicMembers, thumbprint } from "../jwk.ts";
import type { PublicJwk } from "../jwk.ts";
import type { AcmeTarget } from "./target.ts";

/** The account's key. Its private part stays in Key Vault. */
export interface AccountKey {
  /** The version that signs, as a URL. */
  readonly url: string;
  readonly algorithm: "ES256" | "RS256";
  /** The public part, only the members that RFC 7638 names, in its order. */
  readonly jwk: PublicJwk;
  /** RFC 7638. */
  readonly thumbprint: string;
  /** A flattened JWS (RFC 7515 section 7.2.2), the body of every ACME request. */
  sign(header: Readonly<Record<string, unknown>>, payload: unknown): Promise<string>;
}

/** Reads the account's key. `TARGET_MISCONFIGURED` where it is neither EC P-256 nor RSA of 2048 bits or more, the keys that every CA takes. */
export async function openAccountKey(step: Step<AcmeTarget>): Promise<AccountKey> {
  const { keys } = step.ports;
  const { url, jwk: whole } = await keys.get(step.target.account);
  const jwk = publicMembers(whole);
  if (!isUsable(jwk)) {
    throw new PinionError(
      "TARGET_MISCONFIGURED",
      `The account key ${step.target.account} must be EC P-256 or RSA of 2048 bits or more; make such a key and name it.`,
    );
  }
  const algorithm = jwk.kty === "EC" ? "ES256" : "RS256";
  return {
    url,
    algorithm,
    jwk,
    thumbprint: thumbprint(jwk),
    async sign(header, payload) {
      const input = signingInput({ alg: algorithm, ...header }, payload);
      step.signal.throwIfAborted();
      const signature = await keys.sign(url, algorithm, createHash("sha256").update(input.text).digest());
      return input.jws(Buffer.from(signature));
    },
  };
}

/**
 * Binds an account that the CA knows from elsewhere to our key (RFC 8555 section 7.3.4): our public key, signed with the HMAC key
 * (base64url) that the CA gave out with `kid`.
 */
export function externalBinding(jwk: PublicJwk, kid: string, hmacKey: string, url: string): unknown {
  const input = signingInput({ alg: "HS256", kid, url }, jwk);
  const mac = createHmac("sha256", Buffer.from(hmacKey.trim(), "base64url")).update(input.text).digest();
  return JSON.parse(input.jws(mac));
}

function isUsable({ kty, crv, n = "" }: PublicJwk): boolean {
  return kty === "EC" ? crv === "P-256" : Buffer.from(n, "base64url").length >= 256;
}

/** An empty string is the empty payload of POST-as-GET (RFC 8555 section 6.3). */
function signingInput(header: Readonly<Record<string, unknown>>, payload: unknown) {
  const encode = (text: string) => Buffer.from(text).toString("base64url");
  const head = encode(JSON.stringify(header));
  const body = payload === "" ? "" : encode(JSON.stringify(payload));
  return {
    text: `${head}.${body}`,
    jws: (signature: Buffer) =>
      JSON.stringify({ protected: head, payload: body, signature: signature.toString("base64url") }),
  };
}
