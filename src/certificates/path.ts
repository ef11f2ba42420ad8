import { X509Certificate } from "node:crypto";
import { rootCertificates } from "node:tls";
import { weakKey, weakSignature } from "./algorithms.ts";
import { outsideConstraints } from "./name-constraints.ts";
import { readCertificate, readCertificates } from "./read.ts";
import type { ReadCertificate } from "./read.ts";

/** `system`: the public authorities that Node trusts; else certificates in DER, or in PEM (several in a text, if need be), of which those that sign themselves are trusted. */
export type Roots = "system" | readonly (string | Uint8Array)[];

/** Where a path starts, what it may go over, and where it must end. */
export interface PathWish {
  readonly leaf: ReadCertificate;
  /** In any order; the leaf and the root may be among them. */
  readonly chain: readonly ReadCertificate[];
  readonly roots: Roots;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** OIDs of extended key usage that the leaf is for: an authority that is limited to others may not stand above it. */
  readonly usages: readonly string[];
}

/** The best path that was found, leaf first, and what is wrong with it; nothing where it is trusted. */
export interface Path {
  readonly certificates: readonly ReadCertificate[];
  readonly faults: readonly string[];
}

/** Clocks of authorities and of this machine may differ. */
export const leeway = 10 * 60_000;
const longest = 10;
/** A chain made to keep a verifier busy ends here. */
const mostVerifications = 100;

/**
 * Builds the path from a leaf to a trusted root (RFC 5280, 6.1): names and key identifiers fit, each signature holds, each certificate
 * is in force, each authority is one, and may stand where it stands (path length, key usage, name constraints, extended key usage),
 * no weak key, no signature over MD5 or SHA-1 but the root's own. Of several paths any good one will do.
 */
export function findPath({ leaf, chain, roots, now, usages }: PathWish): Path {
  const anchors = roots === "system" ? undefined : readCertificates(roots);
  const trusted = new Set(anchors?.filter(signsItself).map(({ sha256 }) => sha256));
  let verifications = 0;
  let best: Path | undefined;
  const keep = (path: Path) => {
    const better = best === undefined || rank(path) > rank(best);
    if (better) best = path;
  };
  const rank = ({ faults, certificates }: Path): number =>
    faults.length === 0 ? 1e6 : certificates.length * 1e3 - faults.length;

  const walk = (path: readonly ReadCertificate[]): void => {
    const last = path.at(-1)!;
    const ends = trusted.has(last.sha256) || (anchors === undefined && isSystemRoot(last));
    if (ends) {
      keep({ certificates: path, faults: faultsOf(path, now, usages) });
      return;
    }
    const tried = new Set(path.map(({ sha256 }) => sha256));
    let found = false;
    for (const candidate of [...(anchors ?? systemRoots(last.x509.issuer)), ...chain]) {
      if (best?.faults.length === 0) return;
      if (tried.has(candidate.sha256) || path.length >= longest || !couldHaveIssued(candidate, last)) continue;
      tried.add(candidate.sha256);
      if (++verifications > mostVerifications) break;
      if (!verifies(last, candidate)) continue;
      found = true;
      walk([...path, candidate]);
    }
    if (!found) keep({ certificates: path, faults: [...faultsOf(path, now, usages), unknownIssuer(last)] });
  };
  walk([leaf]);
  return best!;
}

const unknownIssuer = (last: ReadCertificate): string =>
  signsItself(last)
    ? `${nameOf(last)} signs itself and is not trusted`
    : `the issuer of ${nameOf(last)}, ${last.issuer}, is neither in the chain nor trusted`;

/** Names, key identifiers and the type of the key fit; the signature is not looked at. */
export function couldHaveIssued(issuer: ReadCertificate, certificate: ReadCertificate): boolean {
  const { authorityKeyId, signature } = certificate;
  return (
    issuer.x509.subject === certificate.x509.issuer &&
    issuer.key.type === signature.type &&
    (authorityKeyId === undefined || issuer.subjectKeyId === undefined || authorityKeyId === issuer.subjectKeyId)
  );
}

/** Whether the issuer's key made the certificate's signature. */
export function verifies(certificate: ReadCertificate, issuer: ReadCertificate): boolean {
  try {
    return certificate.x509.verify(issuer.publicKey);
  } catch {
    return false;
  }
}

export function signsItself(certificate: ReadCertificate): boolean {
  return couldHaveIssued(certificate, certificate) && verifies(certificate, certificate);
}

function faultsOf(path: readonly ReadCertificate[], now: number, usages: readonly string[]): string[] {
  const faults: string[] = [];
  /** Authorities so far that count against a path length: those that did not issue themselves. */
  let below = 0;
  for (const [n, certificate] of path.entries()) {
    const say = (what: string | undefined): void => void (what && faults.push(`${nameOf(certificate)} ${what}`));
    const isRoot = n === path.length - 1 && n > 0;
    if (now < certificate.notBefore - leeway) say(`is not valid before ${day(certificate.notBefore)}`);
    if (now > certificate.notAfter + leeway) say(`has expired on ${day(certificate.notAfter)}`);
    say(weakKey(certificate.key));
    // A root's signature on itself proves nothing and is not relied on.
    if (!isRoot) say(weakSignature(certificate.signature));
    if (certificate.unknownCritical.length > 0)
      say(`has critical extensions that are not known: ${certificate.unknownCritical.join(", ")}`);
    if (n === 0) continue;

    const { keyUsage, pathLength, constraints } = certificate;
    // Roots older than X.509 version 3 have no extensions to say what they are.
    if (!certificate.ca && !(isRoot && certificate.version === 1)) say("is no certificate authority");
    if (keyUsage !== undefined && !keyUsage.includes("keyCertSign")) say("may not sign certificates");
    if (pathLength !== undefined && below > pathLength)
      say(`allows ${pathLength} authorities below it, and there are ${below}`);
    const missing = usages.filter((usage) => certificate.usages !== undefined && !certificate.usages.includes(usage));
    if (missing.length > 0) say(`is limited to other uses than ${missing.join(", ")}`);
    if (constraints !== undefined) {
      for (const [m, lower] of path.slice(0, n).entries()) {
        // What issues itself (a new key of the same authority) is outside the constraints, unless it is the leaf.
        if (m > 0 && lower.x509.subject === lower.x509.issuer) continue;
        const outside = outsideConstraints(lower, constraints);
        if (outside !== undefined) say(`constrains names, and ${outside}`);
      }
    }
    if (certificate.x509.subject !== certificate.x509.issuer) below++;
  }
  return faults;
}

let system: Map<string, X509Certificate[]> | undefined;

/** The public authorities of that name. All are parsed once, those asked for are read whole. */
function systemRoots(subject: string): readonly ReadCertificate[] {
  if (system === undefined) {
    system = new Map();
    for (const pem of rootCertificates) {
      const root = new X509Certificate(pem);
      system.set(root.subject, [...(system.get(root.subject) ?? []), root]);
    }
  }
  return (system.get(subject) ?? []).map(({ raw }) => readCertificate(raw));
}

const isSystemRoot = ({ x509, sha256 }: ReadCertificate): boolean =>
  systemRoots(x509.subject).some((root) => root.sha256 === sha256);

const nameOf = ({ subject, sha1 }: ReadCertificate): string => (subject === "" ? `certificate ${sha1}` : subject);
const day = (time: number): string => `${new Date(time).toISOString().slice(0, 19)}Z`;
