import { randomBytes } from "node:crypto";
import { encryptionAlgorithms, rsaKeyOf, rsnullOverhead, signatureAlgorithms } from "./algorithms.ts";
import type { EncryptionAlgorithm, SignatureAlgorithm } from "./algorithms.ts";
import { readInteger, requireBytes, requireText } from "../body.ts";
import { curveOf } from "./curves.ts";
import { keyKind } from "./keys.ts";
import { idOf, readLive, refuseDisabled } from "../kind.ts";
import type { Call, KeyVersion, Operation, Reply } from "../model.ts";
import { Refusal, badParameter } from "../refusal.ts";

// What keys are used for. Values come and go in base64url.

/** How far beyond nbf and exp a key still works, for clocks that differ. */
const leewayMs = 5 * 60_000;
/** What must stay possible with a key out of its time, or data would be lost. */
const timeless = ["decrypt", "unwrapKey", "verify"];
const maxRandomBytes = 128;

/** The version to use and its id; refuses what its state does not allow. */
function readUsable(call: Call, operation: string): { readonly version: KeyVersion; readonly kid: string } {
  const [key, version] = readLive(keyKind, call);
  refuseDisabled(keyKind, version, operation);
  const { nbf = -Infinity, exp = Infinity, keyOps } = version;
  if (!timeless.includes(operation)) {
    if (call.now < nbf * 1000 - leewayMs)
      throw forbidden(`is not allowed on a key that is not yet valid`, "KeyNotYetValid");
    if (call.now >= exp * 1000 + leewayMs) throw forbidden(`is not allowed on an expired key`, "KeyExpired");
  }
  if (!keyOps.includes(operation)) throw forbidden("is not permitted on this key", "KeyOperationForbidden");
  return { version, kid: idOf(keyKind, call.vault, key.name, version.id) };

  function forbidden(what: string, inner: string): Refusal {
    return new Refusal(403, "Forbidden", `Operation ${operation} ${what}.`, inner);
  }
}

function sign(call: Call): Reply {
  const body = call.body();
  const [alg, algorithm] = readSignatureAlgorithm(requireText(body, "alg"));
  const digest = requireBytes(body, "value");
  const { version, kid } = readUsable(call, "sign");
  checkFit(alg, algorithm, version, kid);
  checkDigest(alg, algorithm, version, "value", digest);
  return result(kid, algorithm.sign(version.jwk, digest));
}

/** A signature of the wrong length is no error: it is not that of the digest. */
function verify(call: Call): Reply {
  const body = call.body();
  const [alg, algorithm] = readSignatureAlgorithm(requireText(body, "alg"));
  const digest = requireBytes(body, "digest");
  const signature = requireBytes(body, "value");
  const { version, kid } = readUsable(call, "verify");
  checkFit(alg, algorithm, version, kid);
  checkDigest(alg, algorithm, version, "digest", digest);
  return { status: 200, body: { value: algorithm.verify(version.jwk, digest, signature) } };
}

/** `encrypt` and `wrapKey`, which differ in the permission only. */
function encrypt(call: Call, operation: string): Reply {
  const body = call.body();
  const [alg, algorithm] = readEncryptionAlgorithm(requireText(body, "alg"));
  const text = requireBytes(body, "value");
  const { version, kid } = readUsable(call, operation);
  checkType(alg, version, kid);
  const most = rsaKeyOf(version.jwk).bytes - algorithm.overhead;
  if (text.length > most) {
    throw badParameter(
      `Invalid length of 'value': ${text.length} bytes. ${alg} can take at most ${most} bytes with this key.`,
    );
  }
  return result(kid, algorithm.encrypt(version.jwk, text));
}

function decrypt(call: Call, operation: string): Reply {
  const body = call.body();
  const [alg, algorithm] = readEncryptionAlgorithm(requireText(body, "alg"));
  const cipher = requireBytes(body, "value");
  const { version, kid } = readUsable(call, operation);
  checkType(alg, version, kid);
  const text = algorithm.decrypt(version.jwk, cipher);
  if (!text) throw badParameter(algorithm.refusal);
  return result(kid, text);
}

const result = (kid: string, value: Buffer): Reply => ({
  status: 200,
  body: { kid, value: value.toString("base64url") },
});

function readSignatureAlgorithm(alg: string): [string, SignatureAlgorithm] {
  const algorithm = signatureAlgorithms.get(alg);
  if (!algorithm) throw badParameter(`Invalid alg value: ${alg}`);
  return [alg, algorithm];
}

function readEncryptionAlgorithm(alg: string): [string, EncryptionAlgorithm] {
  const algorithm = encryptionAlgorithms.get(alg);
  if (!algorithm) throw badParameter(`Invalid alg value: ${alg}`);
  return [alg, algorithm];
}

/** An EC key may be allowed to encrypt by the usage of its certificate, but there is no algorithm for that. */
function checkType(alg: string, { jwk }: KeyVersion, kid: string, what = "encryption", kty = "RSA"): void {
  if (jwk.kty === kty) return;
  throw badParameter(
    `Key and ${what} algorithm are incompatible. Key ${kid} is of type '${jwk.kty}', and algorithm '${alg}' can only be used with a key of type '${kty}' or '${kty}-HSM'.`,
  );
}

function checkFit(alg: string, { kty, crv }: SignatureAlgorithm, version: KeyVersion, kid: string): void {
  checkType(alg, version, kid, "signing", kty);
  if (crv === undefined) return;
  const { name } = curveOf(version.jwk);
  if (name === crv) return;
  throw badParameter(
    `Key and signing algorithm are incompatible. Key ${kid} uses curve '${name}', and algorithm '${alg}' can only be used with curve '${crv}'.`,
  );
}

function checkDigest(
  alg: string,
  { digestBytes }: SignatureAlgorithm,
  { jwk }: KeyVersion,
  member: string,
  { length }: Buffer,
): void {
  const invalid = `Invalid length of '${member}': ${length} bytes. ${alg}`;
  if (digestBytes === undefined) {
    const most = rsaKeyOf(jwk).bytes - rsnullOverhead;
    if (length > most) throw badParameter(`${invalid} can take at most ${most} bytes with this key.`);
  } else if (length !== digestBytes) {
    throw badParameter(`${invalid} requires ${digestBytes} bytes, encoded with base64url.`);
  }
}

/** Only exportable keys can be released, and a vault without an HSM has none. */
function release(call: Call): Reply {
  requireText(call.body(), "target");
  const [, version] = readLive(keyKind, call);
  refuseDisabled(keyKind, version, "release");
  throw new Refusal(403, "Forbidden", "Operation release is not permitted on this key.", "KeyOperationForbidden");
}

function attest(call: Call): Reply {
  readLive(keyKind, call);
  throw badParameter("Attestation is not supported for keys that are not kept in an HSM.");
}

function random(call: Call): Reply {
  const count = readInteger(call.body(), "count", 1, maxRandomBytes);
  if (count === undefined) throw badParameter("Property 'count' is required.\r\n");
  return { status: 200, body: { value: randomBytes(count).toString("base64url") } };
}

const uses: readonly [path: string, name: string, run: (call: Call) => Reply][] = [
  ["sign", "sign", sign],
  ["verify", "verify", verify],
  ["encrypt", "encrypt", (call) => encrypt(call, "encrypt")],
  ["decrypt", "decrypt", (call) => decrypt(call, "decrypt")],
  ["wrapkey", "wrapKey", (call) => encrypt(call, "wrapKey")],
  ["unwrapkey", "unwrapKey", (call) => decrypt(call, "unwrapKey")],
  ["release", "release", release],
];

/** Cryptography with keys, of the newest version or of a given one. */
export const keyCryptoOperations: readonly Operation[] = [
  ...uses.flatMap(([path, name, run]): Operation[] => [
    { operation: `key.${name}`, method: "POST", path: `keys/:name/${path}`, run },
    { operation: `key.${name}`, method: "POST", path: `keys/:name/:version/${path}`, run },
  ]),
  { operation: "key.attestation", method: "GET", path: "keys/:name/attestation", run: attest },
  { operation: "key.attestation", method: "GET", path: "keys/:name/:version/attestation", run: attest },
  { operation: "key.rng", method: "POST", path: "rng", run: random },
];
