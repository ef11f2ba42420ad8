import { PinionError } from "../../../src/errors.ts";
import type { SignatureAlgorithm, VaultKey } from "../../../src/rotator.ts";
import { publicMembers, thumbprint } from "../jwk.ts";

/** A key of a set; those of others may have any members. */
export type Jwk = Readonly<Record<string, unknown>>;

/** RFC 7517, 5. Others may have put more members beside `keys`. */
export interface JwkSet {
  readonly keys: readonly Jwk[];
}

const fits: Readonly<Record<string, string>> = { ES256: "P-256", ES384: "P-384", ES512: "P-521" };

/** How a key is published: its public members, `kid` (RFC 7638), `alg` and `use`. `TARGET_MISCONFIGURED` where it cannot sign so. */
export function publishedKey(
  { jwk, url }: Pick<VaultKey, "jwk" | "url">,
  algorithm: SignatureAlgorithm,
): Jwk & { kid: string } {
  const members = publicMembers(jwk);
  if ((members["crv"] ?? "RSA") !== (fits[algorithm] ?? "RSA")) {
    throw new PinionError(
      "TARGET_MISCONFIGURED",
      `The key ${url} cannot sign with ${algorithm}: correct the target's algorithm.`,
    );
  }
  return { ...members, kid: thumbprint(jwk), alg: algorithm, use: "sig" };
}

/** The set of these keys, in their order. */
export function jwksDocument(
  keys: readonly Pick<VaultKey, "jwk" | "url">[],
  { algorithm }: { readonly algorithm: SignatureAlgorithm },
): JwkSet {
  return { keys: keys.map((key) => publishedKey(key, algorithm)) };
}

/** The headers that a set is served with (RFC 7517, 8.5.2; RFC 9111, 5.2.2). */
export function jwksHeaders({ cacheSeconds }: { readonly cacheSeconds: number }) {
  return {
    "content-type": "application/jwk-set+json",
    "cache-control": `public, max-age=${cacheSeconds}`,
  } as const;
}

/** Reads a set; `undefined` where the text is none. Keys of kinds that we do not know are kept as they are. */
export function parseSet(text: string): JwkSet | undefined {
  try {
    const found = JSON.parse(text) as { keys?: unknown } | null;
    const keys = found?.keys;
    return Array.isArray(keys) && keys.every((key) => typeof key === "object" && key !== null)
      ? (found as JwkSet)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a set has this key as we publish it. `OUT_OF_BAND_CHANGE` where another key stands under its `kid`. */
export function holds({ keys }: JwkSet, wanted: Jwk & { kid: string }): boolean {
  const found = keys.filter(({ kid }) => kid === wanted.kid);
  if (found.some((key) => !isKey(key, wanted.kid))) {
    throw new PinionError(
      "OUT_OF_BAND_CHANGE",
      `The published set has another key under the kid ${wanted.kid}, which nobody but its owner may use: find out who wrote it.`,
    );
  }
  return found.length === 1 && found[0]!["alg"] === wanted["alg"] && found[0]!["use"] === wanted["use"];
}

function isKey(key: Jwk, kid: string): boolean {
  try {
    return thumbprint(key as Record<string, string>) === kid;
  } catch {
    return false;
  }
}

/** The set with these keys in it, each in its place or at the end; everything else is untouched. */
export function withKeys(set: JwkSet, wanted: readonly (Jwk & { kid: string })[]): JwkSet {
  const missing = wanted.filter((key) => !holds(set, key));
  const kids = new Set(missing.map(({ kid }) => kid));
  return { ...set, keys: [...set.keys.filter(({ kid }) => !kids.has(kid as string)), ...missing] };
}

/** The set without a key; everything else is untouched. */
export const withoutKey = (set: JwkSet, kid: string): JwkSet => ({
  ...set,
  keys: set.keys.filter((key) => key["kid"] !== kid),
});
