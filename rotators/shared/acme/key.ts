import { createHash, createHmac } from "node:crypto";
import { PinionError } from "../../../src/errors.ts";
import type { KeyVersion, Step, VaultKey } from "../../../src/rotator.ts";
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

/**
 * Reads the account's key, or the version of it that `at` names. `TARGET_MISCONFIGURED` where it is neither EC P-256 nor RSA of 2048 bits
 * or more, the keys that every CA takes, or has expired.
 */
export async function openAccountKey(step: Step<AcmeTarget>, at = step.target.account): Promise<AccountKey> {
  const { keys } = step.ports;
  const { url, jwk: whole, expiresAt } = await readKey(step, at);
  const jwk = publicMembers(whole);
  if (!isUsable(jwk)) {
    throw new PinionError(
      "TARGET_MISCONFIGURED",
      `The account key ${url} must be EC P-256 or RSA of 2048 bits or more; make such a key and name it.`,
    );
  }
  if (hasExpired({ expiresAt }, step.ports.now())) {
    throw new PinionError(
      "TARGET_MISCONFIGURED",
      `The account key ${url} has expired, so its vault signs nothing with it: move its expiry into the future.`,
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

/** A version that is made but still disabled is not for use yet: the newest one that may be used signs. */
async function readKey({ ports: { keys, now } }: Step<AcmeTarget>, at: string): Promise<VaultKey> {
  try {
    return await keys.get(at);
  } catch (error) {
    if (versionIn(at) !== undefined || !(error instanceof PinionError && error.code === "SECRET_DISABLED")) throw error;
    const usable = (await keys.versions(at)).find((one) => canSign(one, now()));
    if (!usable) throw error;
    return await keys.get(usable.url);
  }
}

/** Whether the vault signs with a version: not with one that is disabled or has expired. */
export function canSign({ enabled, expiresAt }: KeyVersion, now: number): boolean {
  return enabled && !hasExpired({ expiresAt }, now);
}

function hasExpired({ expiresAt }: { readonly expiresAt?: string | undefined }, now: number): boolean {
  return expiresAt !== undefined && Date.parse(expiresAt) <= now;
}

/** The version that a key's URL names, if it names one. */
export function versionIn(url: string): string | undefined {
  return new URL(url).pathname.split("/")[3];
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
