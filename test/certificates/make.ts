import { createHash, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import {
  AccessDescription,
  AlgorithmIdentifier,
  AuthorityInfoAccessSyntax,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  CRLDistributionPoints,
  DistributionPoint,
  DistributionPointName,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  GeneralSubtree,
  GeneralSubtrees,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_cRLDistributionPoints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_nameConstraints,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_pe_authorityInfoAccess,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  Name,
  NameConstraints,
  Reason,
  ReasonFlags,
  RelativeDistinguishedName,
  AttributeTypeAndValue,
  AttributeValue,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from "@peculiar/asn1-x509";

// Certificates for tests, sound unless told otherwise: every fault that a check must find can be made here.

export const day = 86_400_000;
export const now = Date.UTC(2026, 10, 26, 12);
export const serverAuth = "1.3.6.1.5.5.7.3.1";
export const clientAuth = "1.3.6.1.5.5.7.3.2";
export const ocspSigning = "1.3.6.1.5.5.7.3.9";

export type KeyKind = "rsa-1024" | "rsa-2048" | "P-256" | "P-384" | "ed25519";
export type Hash = "md5" | "sha1" | "sha256" | "sha384";

export interface Made {
  readonly der: Buffer;
  readonly pem: string;
  readonly key: KeyObject;
  readonly keyPem: string;
  readonly spec: Spec;
}

export interface Spec {
  readonly subject: string;
  readonly key?: KeyObject;
  /** Who signs; without one it signs itself. */
  readonly by?: Made;
  /** Another name for the issuer than that of the signer. */
  readonly issuerName?: string;
  readonly hash?: Hash;
  readonly version?: 1 | 3;
  readonly serial?: Buffer;
  readonly from?: number;
  readonly until?: number;
  readonly names?: readonly string[];
  readonly others?: readonly GeneralName[];
  readonly ca?: boolean;
  /** `ca` undefined and this true: no basic constraints at all. */
  readonly noBasic?: boolean;
  readonly pathLength?: number;
  readonly keyUsage?: readonly (keyof typeof KeyUsageFlags)[] | "none";
  readonly usages?: readonly string[];
  readonly permitted?: readonly GeneralName[];
  readonly excluded?: readonly GeneralName[];
  readonly authorityKeyId?: "none" | "wrong";
  readonly unknownCritical?: boolean;
  readonly ocsp?: string;
  readonly crl?: string;
  /** Its list is about a compromised key only. */
  readonly crlOfSomeReasons?: boolean;
  /** Its basic constraints are there twice. */
  readonly twice?: boolean;
  readonly noCheck?: boolean;
}

/** A pool: making RSA keys takes longer than everything else. */
const pool = new Map<string, KeyObject>();
export function keyOf(kind: KeyKind, n = 0): KeyObject {
  const name = `${kind}/${n}`;
  const found = pool.get(name) ?? generate(kind);
  pool.set(name, found);
  return found;
}

function generate(kind: KeyKind): KeyObject {
  if (kind === "ed25519") return generateKeyPairSync("ed25519").privateKey;
  return kind.startsWith("rsa")
    ? generateKeyPairSync("rsa", { modulusLength: Number(kind.slice(4)) }).privateKey
    : generateKeyPairSync("ec", { namedCurve: kind }).privateKey;
}

let serials = 1000;

export function make(spec: Spec): Made {
  const key = spec.key ?? keyOf("P-256", 99);
  const signer = spec.by?.key ?? key;
  const info = spkiOf(key);
  const algorithm = algorithmOf(signer, spec.hash ?? "sha256");
  const tbsCertificate = new TBSCertificate({
    version: spec.version === 1 ? Version.v1 : Version.v3,
    serialNumber: buffer(
      spec.serial ?? Buffer.from([0x40, ...Buffer.from((serials++).toString(16).padStart(8, "0"), "hex")]),
    ),
    signature: algorithm,
    issuer: nameOf(spec.issuerName ?? spec.by?.spec.subject ?? spec.subject),
    validity: new Validity({
      notBefore: new Date(spec.from ?? now - 30 * day),
      notAfter: new Date(spec.until ?? now + 60 * day),
    }),
    subject: nameOf(spec.subject),
    subjectPublicKeyInfo: info,
    ...(spec.version === 1 ? {} : { extensions: new Extensions(extensionsOf(spec, info, spkiOf(signer))) }),
  });
  const signatureValue = signWith(signer, spec.hash ?? "sha256", Buffer.from(AsnConvert.serialize(tbsCertificate)));
  const certificate = new Certificate({ tbsCertificate, signatureAlgorithm: algorithm, signatureValue });
  const der = Buffer.from(AsnConvert.serialize(certificate));
  return { der, pem: pemOf(der), key, keyPem: String(key.export({ format: "pem", type: "pkcs8" })), spec };
}

export const pemOf = (der: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${der.toString("base64").replace(/.{64}/g, "$&\n").trimEnd()}\n-----END CERTIFICATE-----\n`;

function extensionsOf(spec: Spec, own: SubjectPublicKeyInfo, issuer: SubjectPublicKeyInfo): Extension[] {
  const found: Extension[] = [];
  const add = (id: string, critical: boolean, value: unknown): void =>
    void found.push(new Extension({ extnID: id, critical, extnValue: new OctetString(AsnConvert.serialize(value)) }));
  const { ca = false, pathLength, keyUsage = ca ? ["keyCertSign", "cRLSign"] : ["digitalSignature"] } = spec;
  if (spec.noBasic !== true)
    add(
      id_ce_basicConstraints,
      true,
      new BasicConstraints({ cA: ca, ...(pathLength === undefined ? {} : { pathLenConstraint: pathLength }) }),
    );
  if (spec.twice) add(id_ce_basicConstraints, true, new BasicConstraints({ cA: true }));
  if (keyUsage !== "none") {
    const flags = keyUsage.reduce((sum, usage) => sum | KeyUsageFlags[usage], 0);
    add(id_ce_keyUsage, true, new KeyUsage(flags));
  }
  if (spec.usages !== undefined) add(id_ce_extKeyUsage, false, new ExtendedKeyUsage([...spec.usages]));
  const names = [...(spec.names ?? []).map((dNSName) => new GeneralName({ dNSName })), ...(spec.others ?? [])];
  if (names.length > 0) add(id_ce_subjectAltName, spec.subject === "", new SubjectAlternativeName(names));
  add(id_ce_subjectKeyIdentifier, false, new SubjectKeyIdentifier(keyId(own)));
  if (spec.authorityKeyId !== "none") {
    const id = keyId(issuer);
    if (spec.authorityKeyId === "wrong") id[0]! ^= 0xff;
    add(id_ce_authorityKeyIdentifier, false, new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(id) }));
  }
  const trees = (bases: readonly GeneralName[]) =>
    new GeneralSubtrees(bases.map((base) => new GeneralSubtree({ base })));
  if (spec.permitted !== undefined || spec.excluded !== undefined)
    add(
      id_ce_nameConstraints,
      true,
      new NameConstraints({
        ...(spec.permitted === undefined ? {} : { permittedSubtrees: trees(spec.permitted) }),
        ...(spec.excluded === undefined ? {} : { excludedSubtrees: trees(spec.excluded) }),
      }),
    );
  if (spec.ocsp !== undefined)
    add(
      id_pe_authorityInfoAccess,
      false,
      new AuthorityInfoAccessSyntax([
        new AccessDescription({
          accessMethod: "1.3.6.1.5.5.7.48.1",
          accessLocation: new GeneralName({ uniformResourceIdentifier: spec.ocsp }),
        }),
      ]),
    );
  if (spec.crl !== undefined)
    add(
      id_ce_cRLDistributionPoints,
      false,
      new CRLDistributionPoints([
        new DistributionPoint({
          ...(spec.crlOfSomeReasons ? { reasons: new Reason(ReasonFlags.keyCompromise) } : {}),
          distributionPoint: new DistributionPointName({
            fullName: [new GeneralName({ uniformResourceIdentifier: spec.crl })],
          }),
        }),
      ]),
    );
  if (spec.noCheck) found.push(new Extension({ extnID: "1.3.6.1.5.5.7.48.1.5", extnValue: octets("0500") }));
  if (spec.unknownCritical)
    found.push(new Extension({ extnID: "1.2.3.4.5", critical: true, extnValue: octets("0500") }));
  return found;
}

const octets = (hex: string) => new OctetString(Buffer.from(hex, "hex"));

/** `CN=a,O=b`, in this order. */
export function nameOf(text: string): Name {
  const oids: Readonly<Record<string, string>> = { CN: "2.5.4.3", O: "2.5.4.10", C: "2.5.4.6" };
  const parts = text === "" ? [] : text.split(",");
  return new Name(
    parts.map((part) => {
      const [type = "", value = ""] = part.split("=");
      return new RelativeDistinguishedName([
        new AttributeTypeAndValue({ type: oids[type]!, value: new AttributeValue({ utf8String: value }) }),
      ]);
    }),
  );
}

export const dns = (dNSName: string) => new GeneralName({ dNSName });
export const directory = (text: string) => new GeneralName({ directoryName: nameOf(text) });

export function spkiOf(key: KeyObject): SubjectPublicKeyInfo {
  return AsnConvert.parse(createPublicKey(key).export({ format: "der", type: "spki" }), SubjectPublicKeyInfo);
}

export const keyId = ({ subjectPublicKey }: SubjectPublicKeyInfo): Buffer =>
  createHash("sha1").update(Buffer.from(subjectPublicKey)).digest();

const rsaOids: Readonly<Record<Hash, string>> = { md5: "4", sha1: "5", sha256: "11", sha384: "12" };
const ecOids: Readonly<Record<Hash, string>> = { md5: "", sha1: "1", sha256: "3.2", sha384: "3.3" };

export function algorithmOf(key: KeyObject, hash: Hash): AlgorithmIdentifier {
  if (key.asymmetricKeyType === "ed25519") return new AlgorithmIdentifier({ algorithm: "1.3.101.112" });
  return key.asymmetricKeyType === "rsa"
    ? new AlgorithmIdentifier({ algorithm: `1.2.840.113549.1.1.${rsaOids[hash]}`, parameters: null })
    : new AlgorithmIdentifier({ algorithm: `1.2.840.10045.4.${ecOids[hash]}` });
}

export const signWith = (key: KeyObject, hash: Hash, data: Buffer): ArrayBuffer =>
  buffer(sign(key.asymmetricKeyType === "ed25519" ? null : hash, data, key));

export const buffer = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer;
