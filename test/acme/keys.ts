import { createPublicKey, generateKeyPairSync } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { signatureAlgorithms } from "../../local/vault/keys/algorithms.ts";
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
        operations: ["sign", "verify"],
        tags: {},
        createdAt: "2026-01-01T00:00:00Z",
      })),
    sign: async (url, algorithm, digest) =>
      await life.outside("keys.sign", () => {
        const jwk = keyOf(url).export({ format: "jwk" });
        return new Uint8Array(signatureAlgorithms.get(algorithm)!.sign(jwk, Buffer.from(digest)));
      }),
    verify: refuse,
    wrap: refuse,
    unwrap: refuse,
  };
}

function makeKey(name: string): KeyObject {
  if (name.endsWith("rsa")) return generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  return generateKeyPairSync("ec", { namedCurve: name.endsWith("p384") ? "P-384" : "P-256" }).privateKey;
}
