import { X509Certificate } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { AsnConvert } from "@peculiar/asn1-schema";
import {
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  KeyUsage,
  KeyUsageFlags,
  SubjectKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectKeyIdentifier,
} from "@peculiar/asn1-x509";
import { PinionError } from "../../../src/errors.ts";
import type { KeyPort } from "../../../src/rotator.ts";
import { jwkOf, publicKeyOf, thumbprint } from "../jwk.ts";
import { constraintsOf } from "./constraints.ts";
import type { Constraints } from "./constraints.ts";
import { schemeOf, signWith } from "./signature.ts";
import type { SignatureScheme } from "./signature.ts";
import type { PrivateCaTarget } from "./target.ts";

/** An authority that may sign now. */
export interface Authority {
  readonly certificate: Certificate;
  readonly keyIdentifier: Uint8Array;
  readonly scheme: SignatureScheme;
  /** What the policy, the authority and everything above it allow. */
  readonly constraints: readonly Constraints[];
  /** Extended key usages that it may give; undefined: any. */
  readonly usages: ReadonlySet<string> | undefined;
  /** Milliseconds: the time in which all certificates up to the root are valid. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** DER of the authority and those above it, without the root, which its readers must have anyway (RFC 8446, 4.4.2). */
  readonly chain: readonly Uint8Array[];
  sign(data: Uint8Array): Promise<Uint8Array>;
}

interface Link {
  readonly x509: X509Certificate;
  readonly parsed: Certificate;
  readonly name: string;
}

/**
 * Reads the authority from the policy and its key from the vault, and checks that it can sign: the key is the certificate's own and
 * enabled, every certificate is valid now and an authority (RFC 5280, 6.1.4) and signed by the next. `TARGET_MISCONFIGURED` says what is
 * not so; errors of the vault are its own.
 */
export async function openAuthority(target: PrivateCaTarget, keys: KeyPort, now: number): Promise<Authority> {
  const links = [target.ca.certificate, ...target.ca.chain].map(read);
  const ca = links[0]!;
  const found = await keys.get(target.ca.key);
  if (!found.enabled) throw broken(`the key ${target.ca.key} is disabled`);
  if (!found.operations.includes("sign")) throw broken(`the key ${target.ca.key} may not sign`);
  if (thumbprint(found.jwk) !== thumbprintOf(ca.x509.publicKey)) {
    throw broken(`the key ${target.ca.key} is not that of the certificate ${ca.name}; name its version`);
  }
  checkChain(links, now);
  const key = publicKeyOf(found.jwk);
  const scheme = schemeOf(key);
  const allowed = links.flatMap(({ parsed }) => {
    const usages = find(parsed, id_ce_extKeyUsage, ExtendedKeyUsage);
    return usages === undefined || usages.includes(anyUsage) ? [] : [[...usages]];
  });
  const { permitted, excluded } = target.nameConstraints;
  return {
    certificate: ca.parsed,
    keyIdentifier: new Uint8Array(find(ca.parsed, id_ce_subjectKeyIdentifier, SubjectKeyIdentifier)!.buffer),
    scheme,
    constraints: [
      { by: "the policy", permitted, excluded, permittedSubjects: [], excludedSubjects: [] },
      ...links.map(({ parsed, name }) => constraintsOf(parsed, name)),
    ],
    usages:
      allowed.length === 0
        ? undefined
        : new Set(allowed[0]!.filter((usage) => allowed.every((one) => one.includes(usage)))),
    notBefore: Math.max(...links.map(({ x509 }) => x509.validFromDate.getTime())),
    notAfter: Math.min(...links.map(({ x509 }) => x509.validToDate.getTime())),
    chain: links.filter(({ x509 }) => !isRoot(x509)).map(({ x509 }) => new Uint8Array(x509.raw)),
    sign: async (data) => await signWith(keys, { url: found.url, key }, data),
  };
}

const anyUsage = "2.5.29.37.0";

function read(pem: string): Link {
  try {
    const x509 = new X509Certificate(pem);
    return { x509, parsed: AsnConvert.parse(x509.raw, Certificate), name: x509.subject.split("\n").join(", ") };
  } catch (cause) {
    throw new PinionError("TARGET_MISCONFIGURED", "A certificate of the authority cannot be read; check the PEM.", {
      cause,
    });
  }
}

function checkChain(links: readonly Link[], now: number): void {
  for (const [depth, { x509, parsed, name }] of links.entries()) {
    const constraints = find(parsed, id_ce_basicConstraints, BasicConstraints);
    if (constraints?.cA !== true) throw broken(`${name} is not an authority: it lacks CA:TRUE`);
    // Authorities between this one and the leaf; a name of itself would not count, and nobody needs that here.
    if (depth > (constraints.pathLenConstraint ?? Infinity)) throw broken(`${name} allows fewer authorities below it`);
    const usage = find(parsed, id_ce_keyUsage, KeyUsage)?.toNumber() ?? 0;
    if ((usage & KeyUsageFlags.keyCertSign) === 0) throw broken(`${name} may not sign certificates: no keyCertSign`);
    if (find(parsed, id_ce_subjectKeyIdentifier, SubjectKeyIdentifier) === undefined)
      throw broken(`${name} has no subject key identifier`);
    if (now < x509.validFromDate.getTime())
      throw broken(`${name} is not valid before ${x509.validFromDate.toISOString()}`);
    if (now > x509.validToDate.getTime()) throw broken(`${name} has expired on ${x509.validToDate.toISOString()}`);
    const above = links[depth + 1]?.x509;
    if (above !== undefined && !issued(x509, above)) throw broken(`${name} is not signed by the next one in the chain`);
  }
}

const isRoot = (x509: X509Certificate): boolean => issued(x509, x509);

/** `checkIssued` compares names and types of keys: `verify` with a key of another type would leave an error in OpenSSL's queue. */
const issued = (x509: X509Certificate, by: X509Certificate): boolean =>
  x509.checkIssued(by) && x509.verify(by.publicKey);

function thumbprintOf(key: KeyObject): string {
  if (key.asymmetricKeyType !== "rsa" && key.asymmetricKeyType !== "ec") return "";
  return thumbprint(jwkOf(key));
}

function find<T>(certificate: Certificate, oid: string, type: new () => T): T | undefined {
  const found = certificate.tbsCertificate.extensions?.find(({ extnID }) => extnID === oid);
  return found && AsnConvert.parse(found.extnValue.buffer, type);
}

function broken(why: string): PinionError {
  return new PinionError("TARGET_MISCONFIGURED", `The certificate authority cannot be used: ${why}.`);
}
