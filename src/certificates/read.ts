import { createHash, X509Certificate } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { AsnConvert } from "@peculiar/asn1-schema";
import {
  AuthorityInfoAccessSyntax,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  CRLDistributionPoints,
  ExtendedKeyUsage,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_cRLDistributionPoints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_nameConstraints,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_pe_authorityInfoAccess,
  KeyUsage,
  type KeyUsageType,
  NameConstraints,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
} from "@peculiar/asn1-x509";
import type { GeneralName, Name } from "@peculiar/asn1-x509";
import { PinionError } from "../errors.ts";
import { type SignatureFacts, signatureFacts } from "./algorithms.ts";

/** The public key in words: `curve` as in a JWK. Other kinds (Ed25519, DSA) have neither size nor curve. */
export type PublicKeyFacts =
  | { readonly type: "RSA"; readonly size: number }
  | { readonly type: "EC"; readonly curve: string }
  | { readonly type: "other"; readonly name: string };

/** What a certificate says (RFC 5280), in the words that checks need. */
export interface ReadCertificate {
  readonly der: Buffer;
  readonly x509: X509Certificate;
  readonly publicKey: KeyObject;
  /** For people: `C=US, O=Contoso, CN=www.contoso.com`; empty where there is none. */
  readonly subject: string;
  readonly issuer: string;
  /** Lower-case hex, without the zero byte that keeps a number in DER positive. */
  readonly serial: string;
  /** The number's bytes in DER. */
  readonly serialDer: Buffer;
  /** DNS names of the subject alternative name, lower case, each once. */
  readonly names: readonly string[];
  /** All of its alternative names. */
  readonly alternatives: readonly GeneralName[];
  /** The subject as X.500 has it, for name constraints and OCSP. */
  readonly subjectName: Name;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** SHA-1 thumbprint as Azure shows it: 40 upper-case hex digits. */
  readonly sha1: string;
  /** SHA-256 thumbprint: 64 lower-case hex digits. */
  readonly sha256: string;
  readonly key: PublicKeyFacts;
  readonly signature: SignatureFacts;
  /** Undefined where the extension is absent: any use. */
  readonly keyUsage: readonly KeyUsageType[] | undefined;
  /** OIDs of the extended key usage; undefined where the extension is absent: any use. */
  readonly usages: readonly string[] | undefined;
  readonly version: 1 | 2 | 3;
  readonly ca: boolean;
  readonly pathLength: number | undefined;
  readonly constraints: NameConstraints | undefined;
  /** Lower-case hex. */
  readonly subjectKeyId: string | undefined;
  readonly authorityKeyId: string | undefined;
  /** Addresses of OCSP responders, of issuers' certificates, and of whole CRLs. */
  readonly ocsp: readonly string[];
  readonly issuers: readonly string[];
  readonly crls: readonly string[];
  /** Critical extensions that no check here understands: a path with one is refused (RFC 5280, 4.2). */
  readonly unknownCritical: readonly string[];
}

const ocspMethod = "1.3.6.1.5.5.7.48.1";
const issuersMethod = "1.3.6.1.5.5.7.48.2";

/**
 * Extensions that may be critical: those read here, and certificate policies with their mappings and constraints (2.5.29.32, .33, .36,
 * .54), which say nothing to a reader that asks for no policy of its own.
 */
const known: ReadonlySet<string> = new Set([
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_cRLDistributionPoints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_nameConstraints,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  "2.5.29.32",
  "2.5.29.33",
  "2.5.29.36",
  "2.5.29.54",
]);

/** Reads a certificate in DER or PEM. `CERTIFICATE_MALFORMED` when it is none. */
export function readCertificate(source: Uint8Array | string): ReadCertificate {
  try {
    return read(source);
  } catch (cause) {
    throw new PinionError("CERTIFICATE_MALFORMED", "This is no X.509 certificate in DER or PEM that can be read.", {
      cause,
    });
  }
}

/** Reads certificates in DER, or in PEM texts that may hold several each, beside other things. `CERTIFICATE_MALFORMED` for a text with none. */
export function readCertificates(sources: readonly (Uint8Array | string)[]): readonly ReadCertificate[] {
  return sources.flatMap((source) => {
    const blocks = typeof source === "string" ? source.match(pemBlock) : undefined;
    return (blocks ?? [source]).map((one) => readCertificate(one));
  });
}

const pemBlock = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

function read(source: Uint8Array | string): ReadCertificate {
  const x509 = new X509Certificate(source);
  const der = x509.raw;
  const parsed = AsnConvert.parse(der, Certificate);
  const { tbsCertificate: tbs } = parsed;
  const extensions = tbs.extensions ?? [];
  if (new Set(extensions.map(({ extnID }) => extnID)).size < extensions.length) throw new Error("an extension twice");
  const find = <T>(oid: string, type: new () => T): T | undefined => {
    const found = extensions.find(({ extnID }) => extnID === oid);
    return found && AsnConvert.parse(found.extnValue.buffer, type);
  };
  const basic = find(id_ce_basicConstraints, BasicConstraints);
  const alternatives = [...(find(id_ce_subjectAltName, SubjectAlternativeName) ?? [])];
  const access = [...(find(id_pe_authorityInfoAccess, AuthorityInfoAccessSyntax) ?? [])];
  const at = (method: string) =>
    access.flatMap(({ accessMethod, accessLocation: { uniformResourceIdentifier: url } }) =>
      accessMethod === method && url !== undefined ? [url] : [],
    );
  const usages = find(id_ce_extKeyUsage, ExtendedKeyUsage);
  return {
    der,
    x509,
    publicKey: x509.publicKey,
    subject: oneLine(x509.subject),
    issuer: oneLine(x509.issuer),
    serial: x509.serialNumber.toLowerCase(),
    serialDer: Buffer.from(tbs.serialNumber),
    names: [...new Set(alternatives.flatMap(({ dNSName }) => (dNSName === undefined ? [] : [dNSName.toLowerCase()])))],
    alternatives,
    subjectName: tbs.subject,
    notBefore: tbs.validity.notBefore.getTime().getTime(),
    notAfter: tbs.validity.notAfter.getTime().getTime(),
    sha1: createHash("sha1").update(der).digest("hex").toUpperCase(),
    sha256: createHash("sha256").update(der).digest("hex"),
    key: keyFacts(x509.publicKey),
    signature: signatureFacts(parsed.signatureAlgorithm),
    keyUsage: find(id_ce_keyUsage, KeyUsage)?.toJSON(),
    usages: usages && [...usages],
    version: (tbs.version + 1) as 1 | 2 | 3,
    ca: basic?.cA ?? false,
    pathLength: basic?.pathLenConstraint,
    constraints: find(id_ce_nameConstraints, NameConstraints),
    subjectKeyId: hex(find(id_ce_subjectKeyIdentifier, SubjectKeyIdentifier)?.buffer),
    authorityKeyId: hex(find(id_ce_authorityKeyIdentifier, AuthorityKeyIdentifier)?.keyIdentifier?.buffer),
    ocsp: at(ocspMethod),
    issuers: at(issuersMethod),
    crls: wholeLists(find(id_ce_cRLDistributionPoints, CRLDistributionPoints)),
    unknownCritical: extensions.flatMap(({ extnID, critical }) => (critical && !known.has(extnID) ? [extnID] : [])),
  };
}

/** Points whose list covers every reason and comes from the issuer itself; those for some reasons only prove nothing good. */
function wholeLists(points: CRLDistributionPoints | undefined): readonly string[] {
  return [...(points ?? [])].flatMap(({ distributionPoint, reasons, cRLIssuer }) =>
    reasons === undefined && cRLIssuer === undefined
      ? (distributionPoint?.fullName ?? []).flatMap(({ uniformResourceIdentifier: url }) => url ?? [])
      : [],
  );
}

const curves: Readonly<Record<string, string>> = {
  prime256v1: "P-256",
  secp384r1: "P-384",
  secp521r1: "P-521",
};

function keyFacts(key: KeyObject): PublicKeyFacts {
  const { modulusLength = 0, namedCurve = "" } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === "rsa" || key.asymmetricKeyType === "rsa-pss")
    return { type: "RSA", size: modulusLength };
  if (key.asymmetricKeyType === "ec") return { type: "EC", curve: curves[namedCurve] ?? namedCurve };
  return { type: "other", name: key.asymmetricKeyType ?? "unknown" };
}

/** A name goes into evidence: one line, and not without end. */
const oneLine = (name: string | undefined): string => (name ?? "").replaceAll("\n", ", ").slice(0, 300);

const hex = (bytes: ArrayBuffer | undefined): string | undefined => bytes && Buffer.from(bytes).toString("hex");

/** In PEM (RFC 7468), also what already is. */
export function pemOf(source: Uint8Array | string): string {
  if (typeof source === "string") return source;
  const lines = Buffer.from(source).toString("base64").replace(/.{64}/g, "$&\n").trimEnd();
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
