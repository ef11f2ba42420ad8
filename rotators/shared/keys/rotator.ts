import { constants, createHash, publicEncrypt, randomBytes } from "node:crypto";
import { PinionError } from "../../../src/errors.ts";
import type { Credential, KeySlot, Observed, Proof, SignatureAlgorithm, Step, VaultKey } from "../../../src/rotator.ts";
import { hasExpired } from "../expired.ts";
import { publicKeyOf } from "../jwk.ts";

/** The parts of a rotator that all keys share. Old versions serve on: what they encrypted must be read. */
export function keyParts<T>() {
  return {
    strategy: "dual",
    manages: "key",
    former: "serves",
    roles: [],
    idle: "unobservable",
    accounts: (): readonly string[] => [],
    account: (): string => "",
    observe: async (step: Step<T>, current: Credential): Promise<Observed> => {
      const found = await step.ports.keys.get(urlOf(current));
      const proof = await roundTrip(step, found, "current");
      return {
        current: { id: found.version, ...(found.expiresAt === undefined ? {} : { expiresAt: found.expiresAt }) },
        idle: { id: "next" },
        proofs: [proof],
        facts: { type: typeOf(found) },
      };
    },
    create: makeKey<T>,
    set: async (step: Step<T>): Promise<readonly Proof[]> => {
      const changed = await keySlotOf(step).keepPolicy();
      const detail = changed ? "it was brought in step" : "it was already";
      return [{ name: "the vault's own rotation policy is in step with Pinion's", ok: true, detail }];
    },
    validate: async (step: Step<T>, next: Credential, old: Credential): Promise<readonly Proof[]> => {
      const [candidate, current] = await Promise.all([next, old].map((one) => step.ports.keys.get(urlOf(one))));
      if (candidate === undefined || current === undefined) return [];
      return [
        await roundTrip(step, candidate, "new"),
        await roundTrip(step, current, "old"),
        {
          name: "the new version is of the old one's type and size",
          ok: typeOf(candidate) === typeOf(current),
          detail: `${typeOf(candidate)}, was ${typeOf(current)}`,
        },
        {
          name: "it is another key",
          ok: JSON.stringify(candidate.jwk) !== JSON.stringify(current.jwk),
        },
      ];
    },
    works: async (step: Step<T>, credential: Credential): Promise<boolean> => {
      const found = await step.ports.keys.get(urlOf(credential));
      return found.enabled && (await roundTrip(step, found, "")).ok;
    },
    revoke: async (): Promise<readonly Proof[]> => [],
  } as const;
}

/** The next version of a key, made by its vault. */
export async function makeKey<T>(step: Step<T>): Promise<Credential> {
  const { url, version, expiresAt } = await keySlotOf(step).make();
  return { id: version, ...(expiresAt === undefined ? {} : { expiresAt }), material: { vaultVersion: url } };
}

/** The slot of a step; `TARGET_MISCONFIGURED` for an object of another kind. */
export function keySlotOf<T>({ keySlot }: Step<T>): KeySlot {
  if (keySlot !== undefined) return keySlot;
  throw new PinionError("TARGET_MISCONFIGURED", "This rotator makes keys only: set the object's kind.");
}

/** The URL of the version that a credential of this kind is. */
export function urlOf({ material, id }: Credential): string {
  if (typeof material !== "string") return material.vaultVersion;
  throw new PinionError("TARGET_MISCONFIGURED", `${id} is a text, and this rotator makes keys only.`);
}

/**
 * What was encrypted with a version is read with it, in the vault: an RSA key wraps and unwraps, where it may; any other key signs and
 * verifies. One that has expired still unwraps what anybody can wrap with its public part; what it still verifies cannot be shown, since
 * nobody can sign with it any more. Encrypt and decrypt are no round trip of ours: the role would have to grow by the right to read what
 * others have encrypted. `TARGET_MISCONFIGURED` where a key may do neither.
 */
async function roundTrip<T>(step: Step<T>, key: VaultKey, which: string): Promise<Proof> {
  const { keys } = step.ports;
  const { url } = key;
  const expired = hasExpired(step, key);
  const may = (...operations: readonly string[]) => operations.every((one) => key.operations.includes(one));
  const wraps = may("wrapKey", "unwrapKey");
  if (!wraps && !may("sign", "verify")) {
    throw new PinionError(
      "TARGET_MISCONFIGURED",
      `The key ${url} has neither wrapKey and unwrapKey nor sign and verify among its operations, so nothing can show that it works: add one of the pairs to the version's permitted operations.`,
    );
  }
  const said = (does: string, ok: boolean) => ({
    name: `the ${which} version ${does}`.replace("  ", " "),
    ok,
    detail: key.version,
  });
  if (wraps) {
    const secret = randomBytes(32);
    const wrapped = expired ? wrapOutside(key, secret) : await keys.wrap(url, secret);
    const ok = Buffer.from(await keys.unwrap(url, wrapped)).equals(secret);
    return said(expired ? "has expired, and unwraps" : "wraps and unwraps", ok);
  }
  if (expired) return said("has expired, and signs no more", key.enabled);
  const algorithm = algorithmOf(key);
  const digest = createHash(`sha${algorithm.slice(2)}`)
    .update(randomBytes(32))
    .digest();
  return said("signs and verifies", await keys.verify(url, algorithm, digest, await keys.sign(url, algorithm, digest)));
}

/** RSA-OAEP-256, as the vault wraps. */
function wrapOutside({ jwk }: VaultKey, secret: Uint8Array): Uint8Array {
  return publicEncrypt(
    { key: publicKeyOf(jwk), padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" },
    secret,
  );
}

const byCurve: Readonly<Record<string, SignatureAlgorithm>> = { "P-256": "ES256", "P-384": "ES384", "P-521": "ES512" };

/** The algorithm that a key signs with. */
export function algorithmOf({ jwk }: VaultKey): SignatureAlgorithm {
  return jwk["kty"] === "RSA" ? "RS256" : (byCurve[jwk["crv"] ?? ""] ?? "ES256");
}

function typeOf({ jwk }: VaultKey): string {
  const bits = Buffer.from(jwk["n"] ?? "", "base64url").length * 8;
  return jwk["kty"] === "RSA" ? `RSA ${bits}` : `${jwk["kty"]} ${jwk["crv"]}`;
}
