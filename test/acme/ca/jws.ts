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

const malformed = (detail: string): Refused => ({ refused: ["malformed", detail] });

export function open(body: string, { url, contentType, useNonce, keyOf }: Checks): Signed | Refused {
  if (contentType !== "application/jose+json") return malformed("wrong content type");
  const jws = JSON.parse(body) as Flattened;
  if (!isFlattened(jws)) return malformed("not a flattened JWS");
  const { nonce, jwk, kid, ...header } = headerOf(jws);
  if (header.url !== url) return malformed(`the url in the header is ${String(header.url)}, not ${url}`);
  if ((jwk === undefined) === (kid === undefined)) return malformed("neither kid nor jwk, or both");
  if (typeof nonce !== "string" || !useNonce(nonce)) return { refused: ["badNonce", "this nonce is not known"] };
  const key = jwk ?? keyOf(kid!);
  if (!key) return { refused: ["accountDoesNotExist", "no such account"] };
  const payload = verified(jws, key);
  if (isRefused(payload)) return payload;
  return { ...payload, ...(kid === undefined ? {} : { kid }), ...(jwk === undefined ? {} : { jwk }) };
}

/** The JWS within a request to change an account's key (RFC 8555 section 7.3.5): signed by the new key, which it brings. */
export function openInner(jws: unknown, url: string): Required<Pick<Signed, "payload" | "jwk">> | Refused {
  if (!isFlattened(jws)) return malformed("the inner JWS is not flattened");
  const { jwk, ...header } = headerOf(jws);
  if (header.url !== url) return malformed(`the inner url is ${String(header.url)}, not ${url}`);
  if (jwk === undefined || header.kid !== undefined) return malformed("the inner JWS has no jwk, or a kid");
  if (header.nonce !== undefined) return malformed("the inner JWS has a nonce");
  const payload = verified(jws, jwk);
  return isRefused(payload) ? payload : { ...payload, jwk };
}

export const isRefused = (result: object): result is Refused => "refused" in result;

function isFlattened(jws: unknown): jws is Flattened {
  return typeof jws === "object" && jws !== null && Object.keys(jws).sort().join(" ") === "payload protected signature";
}

interface Header extends Readonly<Record<string, unknown>> {
  readonly jwk?: JsonWebKey;
  readonly kid?: string;
}

const headerOf = (jws: Flattened) => JSON.parse(Buffer.from(jws.protected, "base64url").toString()) as Header;

/** The payload, once algorithm and signature are the key's. */
function verified(jws: Flattened, key: JsonWebKey): Pick<Signed, "payload"> | Refused {
  const { alg } = headerOf(jws);
  if (alg !== (key.kty === "EC" ? "ES256" : "RS256")) return { refused: ["badSignatureAlgorithm", String(alg)] };
  const ok = verify(
    "sha256",
    Buffer.from(`${jws.protected}.${jws.payload}`),
    { key: createPublicKey({ key, format: "jwk" }), dsaEncoding: "ieee-p1363" },
    Buffer.from(jws.signature, "base64url"),
  );
  if (!ok) return malformed("the signature is wrong");
  return {
    payload: jws.payload === "" ? "" : (JSON.parse(Buffer.from(jws.payload, "base64url").toString()) as unknown),
  };
}
