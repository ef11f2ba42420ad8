import { createPublicKey, generateKeyPairSync, randomBytes } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { signatureAlgorithms } from "../../local/vault/keys/algorithms.ts";
import { PinionError } from "../../src/errors.ts";
import type { KeyPort, KeyVersion, VaultKey } from "../../src/rotator.ts";
import type { Life } from "./life.ts";

export type KeyKind = "ec" | "rsa" | "p384";

/** A vault's keys over node:crypto, each made when it is first asked for; the end of its name says of what kind. They sign digests. */
export interface TestKeys {
  readonly port: KeyPort;
  /** Gives the key another version; its URL. */
  turn(key: string, kind?: KeyKind): string;
  /** Changes a version, named by its URL. */
  change(version: string, change: { readonly enabled?: boolean; readonly expiresAt?: string }): void;
  /** URLs of the versions that signed, in turn. */
  readonly signed: string[];
}

interface Version extends KeyVersion {
  readonly key: KeyObject;
  enabled: boolean;
  expiresAt?: string;
}

export function createKeys(life: Life): TestKeys {
  const names = new Map<string, Version[]>();
  const signed: string[] = [];
  const versionsOf = (url: string): Version[] => {
    const { origin, pathname } = new URL(url);
    const base = `${origin}${pathname.split("/").slice(0, 3).join("/")}`;
    const known = names.get(base);
    if (known) return known;
    const made = [makeVersion(base, /(rsa|p384)$/.exec(base)?.[0] as KeyKind | undefined, 0)];
    names.set(base, made);
    return made;
  };
  /** Newest first, as a vault lists them. */
  const find = (url: string): Version => {
    const versions = versionsOf(url);
    const found = versions.find((one) => one.url === url) ?? versions[0]!;
    if (!found.enabled) throw new PinionError("SECRET_DISABLED", "This version is disabled.");
    return found;
  };
  const refuse = async () => await Promise.reject(new Error("Nothing here verifies or wraps."));
  return {
    signed,
    turn(key, kind) {
      const versions = versionsOf(key);
      const made = makeVersion(versions[0]!.url.split("/").slice(0, 5).join("/"), kind, versions.length);
      versions.unshift(made);
      return made.url;
    },
    change: (version, change) =>
      void Object.assign(
        versionsOf(version).find(({ url }) => url === version)!,
        change,
      ),
    port: {
      get: async (url) => await life.outside("keys.get", () => shown(find(url))),
      versions: async (url) => await life.outside("keys.versions", () => versionsOf(url).map((one) => ({ ...one }))),
      sign: async (url, algorithm, digest) =>
        await life.outside("keys.sign", () => {
          const { key, expiresAt = "9999" } = find(url);
          if (expiresAt < new Date().toISOString()) throw new PinionError("KEY_NOT_VALID", "This key has expired.");
          signed.push(url);
          const jwk = key.export({ format: "jwk" });
          return new Uint8Array(signatureAlgorithms.get(algorithm)!.sign(jwk, Buffer.from(digest)));
        }),
      verify: refuse,
      wrap: refuse,
      unwrap: refuse,
    },
  };
}

function makeVersion(base: string, kind: KeyKind = "ec", age: number): Version {
  const version = randomBytes(16).toString("hex");
  const createdAt = new Date(Date.UTC(2026, 0, 1 + age)).toISOString();
  return { url: `${base}/${version}`, version, enabled: true, createdAt, key: makeKey(kind) };
}

function shown({ key, ...version }: Version): VaultKey {
  const jwk = createPublicKey(key).export({ format: "jwk" }) as Record<string, string>;
  return { ...version, jwk, operations: ["sign", "verify"], tags: {} };
}

function makeKey(kind: KeyKind): KeyObject {
  if (kind === "rsa") return generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  return generateKeyPairSync("ec", { namedCurve: kind === "p384" ? "P-384" : "P-256" }).privateKey;
}
