import { createHash } from "node:crypto";
import {
  BasicOCSPResponse,
  CertID,
  id_kp_OCSPSigning,
  id_pkix_ocsp_basic,
  OCSPRequest,
  OCSPResponse,
  OCSPResponseStatus,
  Request,
  TBSRequest,
} from "@peculiar/asn1-ocsp";
import type { SingleResponse } from "@peculiar/asn1-ocsp";
import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import { AlgorithmIdentifier, Certificate } from "@peculiar/asn1-x509";
import { type Hash, hashOf, signatureFacts, signatureHolds } from "./algorithms.ts";
import { fetchLimited, unknown } from "./fetch-limited.ts";
import type { LimitedRequest } from "./fetch-limited.ts";
import { couldHaveIssued, leeway, verifies } from "./path.ts";
import { readCertificate } from "./read.ts";
import type { ReadCertificate } from "./read.ts";

/** What an authority says of a certificate. */
export interface Standing {
  readonly revoked: boolean;
  readonly detail: string;
}

/** A certificate, and the authority that issued it, at a time. */
export interface Question {
  readonly leaf: ReadCertificate;
  readonly issuer: ReadCertificate;
  /** Milliseconds since 1970. */
  readonly now: number;
}

type Asking = Pick<LimitedRequest, "signal" | "reach">;

const sha1 = "1.3.14.3.2.26";
/** A good answer without an end is taken for a day. */
const longestWithoutEnd = 86_400_000;

/**
 * Asks an OCSP responder (RFC 6960, by POST, without a nonce: most answers are signed in advance). The answer counts only when it is
 * signed by the issuer, or by a responder that the issuer has certified for it, speaks of this very certificate, and is in its time;
 * anything else is `REVOCATION_UNKNOWN`.
 */
export async function askOcsp(url: string, question: Question, asking: Asking): Promise<Standing> {
  const reply = await fetchLimited({
    ...asking,
    url,
    body: ocspRequest(question),
    contentType: "application/ocsp-request",
    mostBytes: 64 * 1024,
    timeout: 10_000,
  });
  return readOcsp(reply, question, new URL(url).hostname);
}

/** The request in DER. Its hashes name the issuer, and are no proof of anything: SHA-1 is what every responder knows. */
export function ocspRequest({ leaf, issuer }: Question): Buffer {
  const reqCert = new CertID({
    hashAlgorithm: new AlgorithmIdentifier({ algorithm: sha1, parameters: null }),
    issuerNameHash: new OctetString(nameHash(issuer, "SHA-1")),
    issuerKeyHash: new OctetString(keyHash(issuer, "SHA-1")),
    serialNumber: new Uint8Array(leaf.serialDer).buffer,
  });
  const tbsRequest = new TBSRequest({ requestList: [new Request({ reqCert })] });
  return Buffer.from(AsnConvert.serialize(new OCSPRequest({ tbsRequest })));
}

/** What an answer in DER says, for people from `host`. */
export function readOcsp(reply: Uint8Array, question: Question, host: string): Standing {
  const { now } = question;
  const basic = parse(reply, host);
  if (!isSigned(basic, question)) throw unknown(host, "gave an answer that no authority has signed");
  const answer = basic.tbsResponseData.responses.find((one) => isOf(one, question));
  if (answer === undefined) throw unknown(host, "spoke of another certificate");
  const { thisUpdate, nextUpdate, certStatus } = answer;
  const ends = nextUpdate?.getTime() ?? thisUpdate.getTime() + longestWithoutEnd;
  if (thisUpdate.getTime() > now + leeway) throw unknown(host, "gave an answer from the future");
  if (ends < now - leeway) throw unknown(host, "gave an answer that is too old");
  const { revoked, good } = certStatus;
  if (revoked !== undefined) {
    const reason = (revoked.revocationReason as { reason?: number } | undefined)?.reason;
    return { revoked: true, detail: `revoked since ${iso(revoked.revocationTime)}${reasonText(reason)}, says ${host}` };
  }
  // Certificates that were just issued are unknown for a while.
  if (good === undefined) throw unknown(host, "does not know the certificate (yet)");
  return { revoked: false, detail: `good by OCSP of ${host}, as of ${iso(thisUpdate)}` };
}

function parse(reply: Uint8Array, host: string): BasicOCSPResponse {
  try {
    const { responseStatus, responseBytes } = AsnConvert.parse(reply, OCSPResponse);
    if (responseStatus !== OCSPResponseStatus.successful)
      throw unknown(host, `answered with the status ${OCSPResponseStatus[responseStatus] ?? responseStatus}`);
    if (responseBytes?.responseType !== id_pkix_ocsp_basic) throw unknown(host, "answered in an unknown form");
    return AsnConvert.parse(responseBytes.response.buffer, BasicOCSPResponse);
  } catch (cause) {
    throw cause instanceof Error && cause.name === "PinionError"
      ? cause
      : unknown(host, "answered with no OCSP", cause);
  }
}

/** RFC 6960, 4.2.2.2: by the issuer itself, or by whom it has certified for this purpose. */
function isSigned(basic: BasicOCSPResponse, { issuer, now }: Question): boolean {
  const { tbsResponseDataRaw: data, signatureAlgorithm, signature, certs = [] } = basic;
  if (data === undefined) return false;
  const facts = signatureFacts(signatureAlgorithm);
  const delegated = certs.slice(0, 10).flatMap((one): readonly ReadCertificate[] => {
    try {
      return [readCertificate(new Uint8Array(AsnConvert.serialize(one satisfies Certificate)))];
    } catch {
      return [];
    }
  });
  const signers = [
    issuer,
    ...delegated.filter(
      (one) =>
        one.usages?.includes(id_kp_OCSPSigning) === true &&
        one.notBefore - leeway <= now &&
        now <= one.notAfter + leeway &&
        couldHaveIssued(issuer, one) &&
        verifies(one, issuer),
    ),
  ];
  return signers.some(({ publicKey }) =>
    signatureHolds(facts, publicKey, new Uint8Array(data), new Uint8Array(signature)),
  );
}

function isOf({ certID }: SingleResponse, { leaf, issuer }: Question): boolean {
  const hash = hashOf(certID.hashAlgorithm.algorithm);
  return (
    hash !== undefined &&
    Buffer.from(certID.serialNumber).equals(leaf.serialDer) &&
    Buffer.from(certID.issuerNameHash.buffer).equals(nameHash(issuer, hash)) &&
    Buffer.from(certID.issuerKeyHash.buffer).equals(keyHash(issuer, hash))
  );
}

const digest = (hash: Hash, data: ArrayBuffer): Buffer =>
  createHash(hash.replace("-", "")).update(new Uint8Array(data)).digest();

const nameHash = ({ subjectName }: ReadCertificate, hash: Hash): Buffer =>
  digest(hash, AsnConvert.serialize(subjectName));

/** Of the key's bits, without the structure around them. */
function keyHash({ der }: ReadCertificate, hash: Hash): Buffer {
  return digest(hash, AsnConvert.parse(der, Certificate).tbsCertificate.subjectPublicKeyInfo.subjectPublicKey);
}

const reasons: Readonly<Record<number, string>> = {
  1: "key compromise",
  2: "authority compromised",
  3: "affiliation changed",
  4: "superseded",
  5: "out of use",
  6: "on hold",
  9: "privilege withdrawn",
};

/** RFC 5280, 5.3.1. */
export const reasonText = (reason: number | undefined): string => {
  const text = reasons[reason ?? 0];
  return text === undefined ? "" : ` (${text})`;
};

export const iso = (time: Date): string => `${time.toISOString().slice(0, 19)}Z`;
