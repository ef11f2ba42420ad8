import { createHash, createPublicKey, randomBytes, sign } from "node:crypto";
import type { KeyObject, X509Certificate } from "node:crypto";
import { Attributes, CertificationRequest, CertificationRequestInfo } from "@peculiar/asn1-csr";
import { AsnConvert } from "@peculiar/asn1-schema";
import {
  AlgorithmIdentifier,
  Attribute,
  Certificate,
  Extensions,
  Name,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from "@peculiar/asn1-x509";
import { certificateExtensions, requestExtensions } from "./extensions.ts";
import type { X509Props } from "./model.ts";
import { parseSubject } from "./subject.ts";

// Requests and certificates in DER. All in one tick, because what is signed here is written in the same one.

const extensionRequest = "1.2.840.113549.1.9.14";
const rsaSha256 = "1.2.840.113549.1.1.11";
/** Per curve, with the hash that fits its size. */
const ecdsa: Readonly<Record<string, { readonly oid: string; readonly hash: string }>> = {
  prime256v1: { oid: "1.2.840.10045.4.3.2", hash: "sha256" },
  secp256k1: { oid: "1.2.840.10045.4.3.2", hash: "sha256" },
  secp384r1: { oid: "1.2.840.10045.4.3.3", hash: "sha384" },
  secp521r1: { oid: "1.2.840.10045.4.3.4", hash: "sha512" },
};

/** From and until when, in milliseconds; X.509 has whole seconds. */
export interface Period {
  readonly from: number;
  readonly until: number;
}

/** Who signs: a certificate and its private key. */
export interface Signer {
  readonly certificate: Buffer;
  readonly key: KeyObject;
}

/** A PKCS#10 request for what the policy says, signed by the private key. */
export function createRequest(props: X509Props, key: KeyObject): Buffer {
  const info = new CertificationRequestInfo({
    subject: subjectOf(props),
    subjectPKInfo: publicKeyInfo(key),
    attributes: new Attributes([
      new Attribute({
        type: extensionRequest,
        values: [AsnConvert.serialize(new Extensions(requestExtensions(props)))],
      }),
    ]),
  });
  const { algorithm, signature } = signed(AsnConvert.serialize(info), key);
  return Buffer.from(
    AsnConvert.serialize(
      new CertificationRequest({ certificationRequestInfo: info, signatureAlgorithm: algorithm, signature }),
    ),
  );
}

/** A certificate for what the policy says and the public part of `key`; without a signer it signs itself. */
export function createCertificate(props: X509Props, key: KeyObject, { from, until }: Period, signer?: Signer): Buffer {
  const subject = subjectOf(props);
  const subjectPublicKeyInfo = publicKeyInfo(key);
  const issuer = signer && AsnConvert.parse(signer.certificate, Certificate).tbsCertificate;
  const signingKey = signer?.key ?? key;
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: serial(),
    signature: algorithmOf(signingKey).identifier,
    issuer: issuer?.subject ?? subject,
    validity: new Validity({ notBefore: new Date(from), notAfter: new Date(until) }),
    subject,
    subjectPublicKeyInfo,
    extensions: new Extensions(
      certificateExtensions(
        props,
        keyIdentifier(subjectPublicKeyInfo),
        keyIdentifier(issuer?.subjectPublicKeyInfo ?? subjectPublicKeyInfo),
      ),
    ),
  });
  const { algorithm, signature } = signed(AsnConvert.serialize(tbsCertificate), signingKey);
  const certificate = new Certificate({ tbsCertificate, signatureAlgorithm: algorithm, signatureValue: signature });
  return Buffer.from(AsnConvert.serialize(certificate));
}

/** The last instant that X.509 can write: RFC 5280, 4.1.2.5. */
const endOfTime = Date.UTC(9999, 11, 31, 23, 59, 59);

/** The instant so many months later, on the last day of the month where it has no such day, and in no year after 9999. */
export function addMonths(instant: number, months: number): number {
  const date = new Date(instant);
  const day = date.getUTCDate();
  date.setUTCDate(1);
  date.setUTCMonth(date.getUTCMonth() + months);
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  date.setUTCDate(Math.min(day, last));
  return Math.min(date.getTime(), endOfTime);
}

/** The thumbprint of a certificate in DER: base64url of its SHA-1. */
export const thumbprint = (der: Buffer): string => createHash("sha1").update(der).digest("base64url");

/** When a certificate is valid, in whole seconds since 1970. */
export function validityOf(certificate: X509Certificate): { readonly nbf: number; readonly exp: number } {
  return {
    nbf: Math.floor(certificate.validFromDate.getTime() / 1000),
    exp: Math.floor(certificate.validToDate.getTime() / 1000),
  };
}

function subjectOf({ subject }: X509Props): Name {
  return subject === undefined ? new Name() : parseSubject(subject)!;
}

function publicKeyInfo(key: KeyObject): SubjectPublicKeyInfo {
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  return AsnConvert.parse(publicKey.export({ format: "der", type: "spki" }), SubjectPublicKeyInfo);
}

/** RFC 5280, 4.2.1.2, method 1. */
function keyIdentifier({ subjectPublicKey }: SubjectPublicKeyInfo): Buffer {
  return createHash("sha1").update(Buffer.from(subjectPublicKey)).digest();
}

function algorithmOf(key: KeyObject): { readonly identifier: AlgorithmIdentifier; readonly hash: string } {
  if (key.asymmetricKeyType === "rsa") {
    return { identifier: new AlgorithmIdentifier({ algorithm: rsaSha256, parameters: null }), hash: "sha256" };
  }
  const { oid, hash } = ecdsa[key.asymmetricKeyDetails?.namedCurve ?? ""]!;
  return { identifier: new AlgorithmIdentifier({ algorithm: oid }), hash };
}

function signed(data: ArrayBuffer, key: KeyObject) {
  const { identifier, hash } = algorithmOf(key);
  const signature = sign(hash, Buffer.from(data), key);
  return { algorithm: identifier, signature: new Uint8Array(signature).buffer };
}

/** Positive and without a leading zero byte, as DER wants serial numbers. */
function serial(): ArrayBuffer {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return new Uint8Array(bytes).buffer;
}
