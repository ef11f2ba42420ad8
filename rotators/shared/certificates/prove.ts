import { createHash, createPublicKey, randomBytes, verify } from "node:crypto";
import { checkCertificate } from "../../../src/certificates/check.ts";
import { serveInMemory } from "../../../src/certificates/in-memory.ts";
import { type ReadCertificate, readCertificate } from "../../../src/certificates/read.ts";
import { checkRevocation } from "../../../src/certificates/revocation.ts";
import type { Proof, SignatureAlgorithm, Step, VaultCertificate } from "../../../src/rotator.ts";
import { slotOf } from "./rotator.ts";

/**
 * Proves a certificate as its readers will use it. Where they get the private key, a handshake in memory with exactly what they get shows
 * that key, chain and name fit; where the key never leaves the vault, a signature made there does.
 */
export async function proveCertificate<T>(
  step: Step<T>,
  url: string,
  { selfSigned, issuers }: { readonly selfSigned: boolean; readonly issuers: readonly string[] },
): Promise<readonly Proof[]> {
  const { ports, signal } = step;
  const slot = slotOf(step);
  const { wanted } = slot;
  const found = await ports.certificate(url);
  const keyed = wanted.exportable ? await ports.keyed(url) : undefined;
  const leaf = readCertificate(found.leaf);
  const roots = selfSigned ? [leaf.x509.toString()] : wanted.roots;
  const now = ports.now();
  const served = keyed && (await serveInMemory(keyed, { serverName: anyName(wanted.names), roots, now, signal }));
  const chain = served?.chain ?? [...(await slot.chain(found.version)), ...issuers];
  const { jwk } = await ports.keys.get(found.keyUrl);
  const checks = await checkCertificate({
    leaf: found.leaf,
    chain,
    roots,
    wanted,
    key: jwk,
    now,
    policy: { selfSigned, remaining: wanted.rotateBefore + day },
  });
  const revocation =
    wanted.revocation === "check" && !selfSigned
      ? await checkRevocation({
          leaf: found.leaf,
          chain,
          roots,
          now,
          signal,
          reach: roots === "system" ? "public" : "any",
        })
      : [];
  return [
    ...checks,
    ...(served === undefined ? [await signsInVault(step, found, leaf)] : asUsed(served.proofs, wanted.usages)),
    ...revocation,
    { name: "the certificate is enabled", ok: found.enabled, detail: thumbprintOf(leaf) },
  ];
}

const day = 86_400_000;

const serverAuth = "1.3.6.1.5.5.7.3.1";

/** What a client of a server says matters to servers only; that the key fits, to all. */
const asUsed = (proofs: readonly Proof[], usages: readonly string[]): readonly Proof[] =>
  usages.includes(serverAuth) ? proofs : proofs.slice(0, 1);

/** A name that a client could ask for: of a wildcard one below it. */
const anyName = ([first = "localhost"]: readonly string[]): string => first.replace(/^\*\./, "pinion.");

/** The key in the vault signs for this certificate: a signature of something new is good for its public key. */
async function signsInVault<T>(
  { ports }: Step<T>,
  { keyUrl }: VaultCertificate,
  leaf: ReadCertificate,
): Promise<Proof> {
  const challenge = randomBytes(32);
  const { key } = leaf;
  const [algorithm, hash] = signatureFor(key.type === "EC" ? key.curve : undefined);
  const digest = createHash(hash).update(challenge).digest();
  const signature = await ports.keys.sign(keyUrl, algorithm, digest);
  const publicKey = createPublicKey({
    key: leaf.publicKey.export({ type: "spki", format: "der" }),
    type: "spki",
    format: "der",
  });
  const ok = verify(hash, challenge, { key: publicKey, dsaEncoding: "ieee-p1363" }, signature);
  return { name: "the key in the vault signs for the certificate", ok, detail: algorithm };
}

function signatureFor(curve: string | undefined): readonly [SignatureAlgorithm, string] {
  if (curve === "P-384") return ["ES384", "sha384"];
  if (curve === "P-521") return ["ES512", "sha512"];
  return curve === undefined ? ["RS256", "sha256"] : ["ES256", "sha256"];
}

const thumbprintOf = ({ sha1 }: ReadCertificate): string => `thumbprint ${sha1}`;

/** A leaf for people and evidence. */
export function describeLeaf({ leaf }: VaultCertificate, now: number) {
  const read = readCertificate(leaf);
  const expiresAt = new Date(read.notAfter).toISOString();
  const state = read.notAfter < now ? "expired" : "valid until";
  return { sha1: read.sha1, sha256: read.sha256, expiresAt, detail: `${thumbprintOf(read)}, ${state} ${expiresAt}` };
}

/** Whether a certificate is within its own time. */
export function isValid({ leaf }: VaultCertificate, now: number): boolean {
  const { notBefore, notAfter } = readCertificate(leaf);
  return notBefore <= now && now < notAfter;
}
