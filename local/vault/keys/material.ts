import { createPrivateKey, generateKeyPair, privateEncrypt, publicDecrypt, randomBytes } from "node:crypto";
import type { JsonWebKey } from "node:crypto";
import { promisify } from "node:util";
import { fromBase64url, readInteger, readObject, requireText } from "../body.ts";
import type { Body } from "../body.ts";
import { curveOf, curves } from "./curves.ts";
import type { Curve } from "./curves.ts";
import { publicPoint } from "./ecdsa.ts";
import { inverse, mod, toBytes, toNumber } from "./numbers.ts";
import { Refusal, badParameter } from "../refusal.ts";

// Keys are made and taken over here. A Standard vault has RSA and EC keys in software; HSM and symmetric ones it refuses.

const rsaSizes = [2048, 3072, 4096];
const usualExponent = 65_537;
const maxInteger = 2 ** 31 - 1;

/** What kind of key to make. */
export type KeySpec =
  | { readonly kty: "RSA"; readonly size: number; readonly exponent: number }
  | { readonly kty: "EC"; readonly curve: Curve };

/** Reads `kty`, `key_size`, `crv` and `public_exponent` of a creation. */
export function readKeySpec(body: Body): KeySpec {
  const kty = requireKty(body);
  const size = readInteger(body, "key_size", 0, maxInteger);
  const crv = body["crv"] ?? undefined;
  const exponent = readInteger(body, "public_exponent", 0, maxInteger) ?? usualExponent;
  if (kty === "RSA") {
    if (size !== undefined) checkSize(size, rsaSizes);
    if (exponent < 3 || exponent % 2 === 0) throw badParameter("Property 'public_exponent' has invalid value.\r\n");
    return { kty, size: size ?? rsaSizes[0]!, exponent };
  }
  if (size !== undefined)
    checkSize(
      size,
      curves.map(({ bits }) => bits),
    );
  const curve = crv === undefined ? curves.find(({ bits }) => bits === (size ?? 256))! : findCurve(crv);
  if (size !== undefined && size !== curve.bits) {
    throw badParameter(`Property 'key_size' is ${size}, but the curve ${curve.name} has ${curve.bits} bits.\r\n`);
  }
  return { kty, curve };
}

/** What another key of the same kind would be made with. */
export function specOf(jwk: JsonWebKey): KeySpec {
  if (jwk.kty === "EC") return { kty: "EC", curve: curveOf(jwk) };
  const details = createPrivateKey({ key: jwk, format: "jwk" }).asymmetricKeyDetails;
  return { kty: "RSA", size: details?.modulusLength ?? 0, exponent: Number(details?.publicExponent) };
}

const generate = promisify(generateKeyPair);

/** Makes a key, outside of the main thread: 4096 bits take seconds. */
export async function generateKey(spec: KeySpec): Promise<JsonWebKey> {
  const { privateKey } =
    spec.kty === "RSA"
      ? await generate("rsa", { modulusLength: spec.size, publicExponent: spec.exponent })
      : await generate("ec", { namedCurve: spec.curve.openssl });
  return privateKey.export({ format: "jwk" });
}

/** Reads the JWK of an import, which must hold a whole private key; numbers come out without zeros before them. */
export function readJwk(body: Body): JsonWebKey {
  const given = readObject(body, "key");
  if (!given) throw notJwk();
  return requireKty(given) === "RSA" ? readRsa(given) : readEc(given);
}

function readRsa(given: Body): JsonWebKey {
  const jwk = { kty: "RSA", ...textsOf(given, ["n", "e", "d", "p", "q", "dp", "dq", "qi"]) };
  const [n, e, d, p, q, dp, dq, qi] = [jwk.n, jwk.e, jwk.d, jwk.p, jwk.q, jwk.dp, jwk.dq, jwk.qi].map((text) =>
    toNumber(Buffer.from(text, "base64url")),
  ) as [bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint];
  checkSize(n.toString(2).length, rsaSizes);
  const fits =
    p > 1n &&
    q > 1n &&
    p * q === n &&
    e > 1n &&
    e < 2n ** 32n &&
    d < n &&
    mod(e * d, p - 1n) === 1n &&
    mod(e * d, q - 1n) === 1n &&
    mod(d, p - 1n) === dp &&
    mod(d, q - 1n) === dq &&
    inverse(q, p) === qi;
  if (!fits) throw invalidKey("RSA");
  return checkRsa(jwk);
}

function readEc(given: Body): JsonWebKey {
  const curve = findCurve(requireText(given, "crv"));
  const texts = textsOf(given, ["x", "y", "d"]);
  const [x, y, d] = [texts.x, texts.y, texts.d].map((text) => toNumber(Buffer.from(text, "base64url"))) as [
    bigint,
    bigint,
    bigint,
  ];
  if (d < 1n || d >= curve.order) throw invalidKey("EC");
  const secret = toBytes(d, curve.bytes);
  const point = publicPoint(curve, secret);
  if (toNumber(point.x) !== x || toNumber(point.y) !== y) throw invalidKey("EC");
  return {
    kty: "EC",
    crv: curve.jwkName,
    x: point.x.toString("base64url"),
    y: point.y.toString("base64url"),
    d: secret.toString("base64url"),
  };
}

/** The key as node:crypto writes it. A number that does not come back shows that the factors are not prime. */
function checkRsa(jwk: JsonWebKey): JsonWebKey {
  try {
    const key = createPrivateKey({ key: jwk, format: "jwk" });
    const probe = randomBytes(32);
    if (publicDecrypt(key, privateEncrypt(key, probe)).equals(probe)) return key.export({ format: "jwk" });
  } catch {
    // Refused below.
  }
  throw invalidKey("RSA");
}

function textsOf<N extends string>(given: Body, names: readonly N[]): Record<N, string> {
  const entries = names.map((name) => {
    const text = given[name];
    if (typeof text !== "string" || !fromBase64url(text)?.length) throw notJwk();
    return [name, text] as const;
  });
  return Object.fromEntries(entries) as Record<N, string>;
}

function requireKty(body: Body): "RSA" | "EC" {
  const kty = requireText(body, "kty");
  if (kty === "RSA" || kty === "EC") return kty;
  throw new Refusal(400, "BadParameter", `Invalid kty value: ${kty}`, "KeyTypeNotSupported");
}

function findCurve(name: unknown): Curve {
  const curve = curves.find((one) => one.name === name);
  if (curve) return curve;
  throw new Refusal(400, "BadParameter", "Property 'crv' has invalid value.\r\n", "KeyCurveNotSupported");
}

function checkSize(size: number, supported: readonly number[]): void {
  if (supported.includes(size)) return;
  const all = [...new Set(supported)].join(", ");
  throw badParameter(`Unsupported key size (${size}). Supported sizes are [${all}].`);
}

const notJwk = (): Refusal => badParameter('The property "key" must be a valid JsonWebKey object.');

const invalidKey = (kty: string): Refusal =>
  badParameter(`${kty} key is not valid - cannot instantiate crypto service`);
