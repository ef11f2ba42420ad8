import { createPublicKey, generateKeyPairSync, randomBytes } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { KeyClient } from "@azure/keyvault-keys";
import { signatureAlgorithms } from "../../local/vault/keys/algorithms.ts";
import type { CertificateWish, KeyPort, VaultKey } from "../../src/rotator.ts";
import { cryptographyClient } from "../vault/support.ts";

export type KeyWish = CertificateWish["key"];

const pairs = new Map<string, { publicKey: KeyObject; privateKey: KeyObject }>();

/** RSA keys take seconds to make, so `nth` names one that a whole file may use. */
export function keyPair(wish: KeyWish, nth = 0): { publicKey: KeyObject; privateKey: KeyObject } {
  const id = JSON.stringify([wish, nth]);
  const found =
    pairs.get(id) ??
    (wish.type === "RSA"
      ? generateKeyPairSync("rsa", { modulusLength: wish.size })
      : generateKeyPairSync("ec", { namedCurve: wish.curve }));
  pairs.set(id, found);
  return found;
}

const unused = () => Promise.reject(new Error("not used here"));

/** A port over keys in memory; it counts what it was asked for. */
export function memoryKeys(now: () => number = () => 0) {
  const keys = new Map<string, { key: VaultKey; privateKey: KeyObject }>();
  const calls: string[] = [];
  const find = (url: string) => {
    const found = keys.get(url) ?? [...keys.values()].findLast(({ key }) => key.url.startsWith(`${url}/`));
    if (found === undefined) throw new Error(`no key ${url}`);
    return found;
  };
  const port: KeyPort = {
    get: (url) => {
      calls.push("get");
      return Promise.resolve(find(url).key);
    },
    sign: (url, algorithm, digest) => {
      calls.push(`sign ${algorithm}`);
      const jwk = find(url).privateKey.export({ format: "jwk" });
      return Promise.resolve(
        new Uint8Array(signatureAlgorithms.get(algorithm)!.sign(jwk as never, Buffer.from(digest))),
      );
    },
    versions: unused,
    verify: unused,
    wrap: unused,
    unwrap: unused,
  };
  return {
    port,
    calls,
    /** A new version; its URL. */
    add(name: string, { privateKey }: { privateKey: KeyObject }, more: Partial<VaultKey> = {}): string {
      const version = randomBytes(16).toString("hex");
      const url = `https://kv.example/keys/${name}/${version}`;
      const jwk = createPublicKey(privateKey).export({ format: "jwk" }) as Record<string, string>;
      const createdAt = new Date(now()).toISOString();
      keys.set(url, {
        key: { url, version, jwk, enabled: true, operations: ["sign", "verify"], tags: {}, createdAt, ...more },
        privateKey,
      });
      return url;
    },
  };
}

/** A port over the official clients. */
export function clientKeys(client: KeyClient, ca: string): KeyPort {
  return {
    async get(url) {
      const [, , name = "", version] = new URL(url).pathname.split("/");
      const found = await client.getKey(name, version === undefined ? {} : { version });
      const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString("base64url");
      const { kty, n, e, crv, x, y } = found.key!;
      const all = { kty, crv, n: text(n), e: text(e), x: text(x), y: text(y) };
      return {
        url: found.id!,
        version: found.properties.version!,
        jwk: Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => !!entry[1])),
        enabled: found.properties.enabled ?? true,
        operations: found.keyOperations ?? [],
        tags: found.properties.tags ?? {},
        createdAt: found.properties.createdOn!.toISOString(),
      };
    },
    sign: async (url, algorithm, digest) => (await cryptographyClient(url, ca).sign(algorithm, digest)).result,
    versions: unused,
    verify: unused,
    wrap: unused,
    unwrap: unused,
  };
}
