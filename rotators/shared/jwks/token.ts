import { constants, createHash, verify } from "node:crypto";
import type { KeyPort, SignatureAlgorithm } from "../../../src/rotator.ts";
import { publicKeyOf } from "../jwk.ts";
import type { PublicJwk } from "../jwk.ts";
import type { Jwk, JwkSet } from "./document.ts";

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const hashOf = (algorithm: string) => `sha${algorithm.slice(2)}`;

/**
 * A token (RFC 7519) that shows that a key signs. It is for nobody and had expired before it was made, so that no service would take it
 * for one of its own.
 */
export async function signToken(
  keys: Pick<KeyPort, "sign">,
  { url, kid, algorithm, now }: { url: string; kid: string; algorithm: SignatureAlgorithm; now: number },
): Promise<string> {
  const seconds = Math.floor(now / 1000);
  const claims = { iss: "pinion", aud: "pinion-self-test", iat: seconds - 3600, exp: seconds - 3599 };
  const input = `${encode({ alg: algorithm, kid, typ: "JWT" })}.${encode(claims)}`;
  const signature = await keys.sign(url, algorithm, createHash(hashOf(algorithm)).update(input).digest());
  return `${input}.${Buffer.from(signature).toString("base64url")}`;
}

/** The token with other claims under the signature of its own. */
export function forged(token: string): string {
  const [head, , signature] = token.split(".");
  return [head, encode({ iss: "forged" }), signature].join(".");
}

/** Whether a verifier that has only this set would take the token's signature: by `kid`, with the key's own `alg` and `use` (RFC 8725, 3.1). */
export function accepts({ keys }: JwkSet, token: string): boolean {
  const [head = "", body = "", signature = ""] = token.split(".");
  const { alg, kid } = JSON.parse(Buffer.from(head, "base64url").toString()) as { alg: string; kid: string };
  const found = keys.filter((key) => key["kid"] === kid);
  const [key] = found;
  if (key === undefined || found.length > 1 || key["alg"] !== alg || key["use"] !== "sig") return false;
  return verify(hashOf(alg), Buffer.from(`${head}.${body}`), keyFor(key, alg), Buffer.from(signature, "base64url"));
}

function keyFor(jwk: Jwk, algorithm: string) {
  const key = publicKeyOf(jwk as PublicJwk);
  if (algorithm.startsWith("ES")) return { key, dsaEncoding: "ieee-p1363" as const };
  if (algorithm.startsWith("RS")) return { key };
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
}
