import { createPublicKey, verify } from "node:crypto";
import type { JsonWebKey } from "node:crypto";

/** What a signed request says, once all that RFC 8555 section 6 asks of it is true. */
export interface Signed {
  readonly payload: unknown;
  readonly kid?: string;
  readonly jwk?: JsonWebKey;
}

/** Why a request is refused: the problem's type, and a detail. */
export interface Refused {
  readonly refused: readonly [type: string, detail: string];
}

export interface Checks {
  readonly url: string;
  readonly contentType: string | undefined;
  /** Takes the nonce out of those that were given out. */
  useNonce(nonce: string): boolean;
  keyOf(kid: string): JsonWebKey | undefined;
}

interface Flattened {
  readonly protected: string;
  readonly payload: string;
  readonly signature: string;
}

export function open(body: string, { url, contentType, useNonce, keyOf }: Checks): Signed | Refused {
  const malformed = (detail: string): Refused => ({ refused: ["malformed", detail] });
  if (contentType !== "application/jose+json") return malformed("wrong content type");
  const jws = JSON.parse(body) as Flattened;
  if (Object.keys(jws).sort().join(" ") !== "payload protected signature") return malformed("not a flattened JWS");
  const header = JSON.parse(Buffer.from(jws.protected, "base64url").toString()) as Record<string, unknown> & {
    readonly jwk?: JsonWebKey;
    readonly kid?: string;
  };
  const { alg, nonce, jwk, kid } = header;
  if (header.url !== url) return malformed(`the url in the header is ${String(header.url)}, not ${url}`);
  if ((jwk === undefined) === (kid === undefined)) return malformed("neither kid nor jwk, or both");
  if (typeof nonce !== "string" || !useNonce(nonce)) return { refused: ["badNonce", "this nonce is not known"] };
  const key = jwk ?? keyOf(kid!);
  if (!key) return { refused: ["accountDoesNotExist", "no such account"] };
  if (alg !== (key.kty === "EC" ? "ES256" : "RS256")) return { refused: ["badSignatureAlgorithm", String(alg)] };
  const ok = verify(
    "sha256",
    Buffer.from(`${jws.protected}.${jws.payload}`),
    { key: createPublicKey({ key, format: "jwk" }), dsaEncoding: "ieee-p1363" },
    Buffer.from(jws.signature, "base64url"),
  );
  if (!ok) return malformed("the signature is wrong");
  const payload = jws.payload === "" ? "" : (JSON.parse(Buffer.from(jws.payload, "base64url").toString()) as unknown);
  return { payload, ...(kid === undefined ? {} : { kid }), ...(jwk === undefined ? {} : { jwk }) };
}
