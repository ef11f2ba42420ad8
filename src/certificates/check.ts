import type { CertificateWish, Proof } from "../rotator.ts";
import { isKeyOf, weakKey, weakSignature } from "./algorithms.ts";
import { findPath, leeway, signsItself } from "./path.ts";
import type { Roots } from "./path.ts";
import { readCertificate, readCertificates } from "./read.ts";
import type { ReadCertificate } from "./read.ts";

/** What a policy allows beyond the wish. Durations in milliseconds. */
export interface CertificateRules {
  /** A certificate may sign itself; then no root is asked for. */
  readonly selfSigned?: boolean;
  /** From its first instant to its last. */
  readonly longest?: number;
  /** How long it must still be valid. */
  readonly remaining?: number;
}

export interface CertificateCheck {
  /** DER or PEM. */
  readonly leaf: Uint8Array | string;
  /** What is served with it, in any order; the leaf may be among them. */
  readonly chain: readonly (Uint8Array | string)[];
  readonly roots: Roots;
  readonly wanted: Pick<CertificateWish, "names" | "key" | "usages">;
  /** The public key that the vault keeps for it (a JWK, RFC 7517), where there is one. */
  readonly key?: Readonly<Record<string, string>>;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly policy?: CertificateRules;
}

const tlsUsages = ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"];

/**
 * Checks a certificate against what the policy wants of it: each proof says one thing, in the order of {@link CertificateCheck}.
 * Whether it was revoked is asked by `checkRevocation`. `CERTIFICATE_MALFORMED` when the leaf, the chain or a root cannot be read.
 */
export async function checkCertificate(check: CertificateCheck): Promise<readonly Proof[]> {
  const { wanted, key, now, policy = {} } = check;
  const leaf = readCertificate(check.leaf);
  const chain = readCertificates(check.chain);
  return [
    trust(leaf, chain, check),
    names(leaf, wanted.names),
    ...(key === undefined
      ? []
      : [{ name: "the certificate is for the key in the vault", ok: isKeyOf(leaf.publicKey, key) }]),
    keyAsWanted(leaf, wanted.key),
    validity(leaf, now, policy),
    uses(leaf, wanted.usages),
    algorithms(leaf),
  ];
}

function trust(leaf: ReadCertificate, chain: readonly ReadCertificate[], check: CertificateCheck): Proof {
  const { roots, wanted, now, policy = {} } = check;
  if (signsItself(leaf)) {
    const name = "the certificate may sign itself";
    return policy.selfSigned === true
      ? { name, ok: true, detail: `${leaf.subject} signs itself, as the policy allows` }
      : { name, ok: false, detail: `${leaf.subject} signs itself, and the policy does not allow that` };
  }
  const name = "the chain ends at a trusted root";
  const { certificates, faults } = findPath({ leaf, chain, roots, now, usages: wanted.usages });
  return {
    name,
    ok: faults.length === 0,
    detail: faults.length > 0 ? faults.join("; ") : certificates.map(({ subject }) => subject).join(" < "),
  };
}

function names(leaf: ReadCertificate, wanted: readonly string[]): Proof {
  const asked = new Set(wanted.map((name) => name.toLowerCase()));
  const others = leaf.alternatives.flatMap(({ iPAddress, rfc822Name, uniformResourceIdentifier }) =>
    [iPAddress, rfc822Name, uniformResourceIdentifier].filter((name) => name !== undefined),
  );
  const missing = [...asked].filter((name) => !leaf.names.includes(name));
  const surplus = [...leaf.names.filter((name) => !asked.has(name)), ...others];
  const faults = [
    ...(missing.length > 0 ? [`missing: ${missing.join(", ")}`] : []),
    ...(surplus.length > 0 ? [`not asked for: ${surplus.join(", ")}`] : []),
  ];
  return {
    name: "its names are those of the policy",
    ok: faults.length === 0,
    detail: (faults.length > 0 ? faults : leaf.names).join("; "),
  };
}

function keyAsWanted({ key }: ReadCertificate, wanted: CertificateWish["key"]): Proof {
  const is = key.type === "RSA" ? `RSA ${key.size}` : key.type === "EC" ? `EC ${key.curve}` : key.name;
  const asked = wanted.type === "RSA" ? `RSA ${wanted.size}` : `EC ${wanted.curve}`;
  return {
    name: "its key is of the type and size of the policy",
    ok: is === asked,
    detail: is === asked ? is : `${is} instead of ${asked}`,
  };
}

function validity({ notBefore, notAfter }: ReadCertificate, now: number, rules: CertificateRules): Proof {
  const { longest, remaining } = rules;
  const faults: string[] = [];
  if (now < notBefore - leeway) faults.push("it is not valid yet");
  if (now > notAfter + leeway) faults.push("it has expired");
  // RFC 5280 counts the last second as a part of the validity.
  if (longest !== undefined && notAfter - notBefore + 1000 > longest + leeway)
    faults.push(`it is valid for ${days(notAfter - notBefore)}, and the policy allows ${days(longest)}`);
  if (faults.length === 0 && remaining !== undefined && notAfter - now < remaining)
    faults.push(`it is valid for ${days(notAfter - now)} more, and the policy asks for ${days(remaining)}`);
  const period = `${new Date(notBefore).toISOString()} to ${new Date(notAfter).toISOString()}`;
  return {
    name: "it is valid now, and for as long as the policy says",
    ok: faults.length === 0,
    detail: [period, ...faults].join("; "),
  };
}

const days = (duration: number): string => `${(duration / 86_400_000).toFixed(2)} days`;

/**
 * A server that speaks TLS 1.3 signs with its key, so digitalSignature is asked of a certificate for TLS that limits its key (RFC 8446,
 * 4.4.2.2); an authority's certificate serves nobody.
 */
function uses(leaf: ReadCertificate, wanted: readonly string[]): Proof {
  const faults: string[] = [];
  const missing = wanted.filter((usage) => !(leaf.usages ?? []).includes(usage));
  if (missing.length > 0) faults.push(`the extended key usage lacks ${missing.join(", ")}`);
  const signs = leaf.keyUsage === undefined || leaf.keyUsage.includes("digitalSignature");
  if (!signs && wanted.some((usage) => tlsUsages.includes(usage)))
    faults.push("the key usage lacks digitalSignature, which TLS 1.3 needs");
  if (leaf.ca) faults.push("it is a certificate authority");
  return {
    name: "it may be used as the policy says",
    ok: faults.length === 0,
    detail: faults.length > 0 ? faults.join("; ") : [...(leaf.keyUsage ?? []), ...(leaf.usages ?? [])].join(", "),
  };
}

/** Of the leaf alone, for one that signs itself has no path; those above it are judged with their path. */
function algorithms({ key, signature }: ReadCertificate): Proof {
  const faults = [weakKey(key), weakSignature(signature)].filter((fault) => fault !== undefined);
  return {
    name: "its algorithms are strong enough",
    ok: faults.length === 0,
    detail: faults.length > 0 ? `it ${faults.join(", and ")}` : `signed over ${signature.hash}`,
  };
}
