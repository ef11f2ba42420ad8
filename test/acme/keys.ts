import { constants, createPublicKey, generateKeyPairSync, privateEncrypt } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { curveOf } from "../../local/vault/keys/curves.ts";
import { ecdsaSign } from "../../local/vault/keys/ecdsa.ts";
import type { KeyPort } from "../../src/rotator.ts";
import type { Life } from "./life.ts";

const version = "0123456789abcdef0123456789abcdef";

/** A vault's keys over node:crypto, each made when it is first asked for; the end of its name says of what kind. They sign digests. */
export function createKeys(life: Life): KeyPort {
  const keys = new Map<string, KeyObject>();
  const keyOf = (url: string) => {
    const name = new URL(url).pathname.split("/")[2]!;
    const key = keys.get(name) ?? makeKey(name);
    keys.set(name, key);
    return key;
  };
  const refuse = async () => await Promise.reject(new Error("Nothing here verifies or wraps."));
  return {
    get: async (url) =>
      await life.outside("keys.get", () => ({
        url: url.endsWith(version) ? url : `${url}/${version}`,
        version,
        jwk: createPublicKey(keyOf(url)).export({ format: "jwk" }) as Record<string, string>,
        enabled: true,
        tags: {},
        createdAt: "2026-01-01T00:00:00Z",
      })),
    sign: async (url, algorithm, digest) =>
      await life.outside("keys.sign", () => (algorithm === "RS256" ? signRsa : signEc)(keyOf(url), digest)),
    verify: refuse,
    wrap: refuse,
    unwrap: refuse,
  };
}

function makeKey(name: string): KeyObject {
  if (name.endsWith("rsa")) return generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  return generateKeyPairSync("ec", { namedCurve: name.endsWith("p384") ? "P-384" : "P-256" }).privateKey;
}

/** PKCS #1 v1.5 of a SHA-256 digest: its DigestInfo (RFC 8017 section 9.2), padded and raised to the private exponent. */
function signRsa(key: KeyObject, digest: Uint8Array): Uint8Array {
  const info = Buffer.concat([Buffer.from("3031300d060960864801650304020105000420", "hex"), digest]);
  return privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, info);
}

function signEc(key: KeyObject, digest: Uint8Array): Uint8Array {
  const jwk = key.export({ format: "jwk" });
  const secret = BigInt(`0x${Buffer.from(jwk.d!, "base64url").toString("hex")}`);
  return ecdsaSign(curveOf({ crv: jwk.crv! }), secret, Buffer.from(digest));
}
