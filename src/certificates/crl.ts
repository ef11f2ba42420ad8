import { AsnConvert } from "@peculiar/asn1-schema";
import {
  AlgorithmIdentifier,
  CRLReason,
  Extensions,
  id_ce_cRLReasons,
  id_ce_deltaCRLIndicator,
  id_ce_issuingDistributionPoint,
  IssuingDistributionPoint,
  RevokedCertificate,
  Time,
} from "@peculiar/asn1-x509";
import { signatureFacts, signatureHolds } from "./algorithms.ts";
import { type DerValue, derValues } from "./der.ts";
import { fetchLimited, unknown } from "./fetch-limited.ts";
import type { LimitedRequest } from "./fetch-limited.ts";
import { iso, reasonText } from "./ocsp.ts";
import type { Question, Standing } from "./ocsp.ts";
import { leeway } from "./path.ts";
import type { ReadCertificate } from "./read.ts";

const mostBytes = 10 * 1024 * 1024;

/**
 * Fetches a certificate revocation list (RFC 5280, 5) and looks the certificate up. The list counts only when the issuer has signed it
 * itself, it is in its time, whole (no delta) and about certificates like this one; anything else is `REVOCATION_UNKNOWN`.
 */
export async function askCrl(
  url: string,
  question: Question,
  asking: Pick<LimitedRequest, "signal" | "reach">,
): Promise<Standing> {
  const list = await fetchLimited({ ...asking, url, mostBytes, timeout: 15_000 });
  return readCrl(list, question, new URL(url).hostname);
}

/** What a list in DER says, for people from `host`. */
export function readCrl(der: Buffer, { leaf, issuer, now }: Question, host: string): Standing {
  const list = parsed(der, host);
  const maySign = issuer.keyUsage === undefined || issuer.keyUsage.includes("crlSign");
  const sameName = list.issuer.equals(Buffer.from(AsnConvert.serialize(issuer.subjectName)));
  if (!maySign || !sameName) throw unknown(host, "gave a list of another authority");
  if (!list.isSignedBy(issuer)) throw unknown(host, "gave a list that its authority has not signed");
  const { thisUpdate, nextUpdate } = list;
  if (thisUpdate.getTime() > now + leeway) throw unknown(host, "gave a list from the future");
  // RFC 5280, 5.1.2.5: a list must say when the next one comes.
  if (nextUpdate === undefined || nextUpdate.getTime() < now - leeway)
    throw unknown(host, "gave a list that is too old");
  refuseOtherKinds(list.extensions, leaf.crls, host);

  const entry = list.find(leaf.serialDer);
  if (entry === undefined) return { revoked: false, detail: `not on the list of ${host}, as of ${iso(thisUpdate)}` };
  const reason = entry.crlEntryExtensions?.find(({ extnID }) => extnID === id_ce_cRLReasons);
  const code = reason && AsnConvert.parse(reason.extnValue.buffer, CRLReason).reason;
  return {
    revoked: true,
    detail: `revoked since ${iso(entry.revocationDate.getTime())}${reasonText(code)}, says the list of ${host}`,
  };
}

interface List {
  /** The name in DER. */
  readonly issuer: Buffer;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date | undefined;
  readonly extensions: Extensions;
  isSignedBy(issuer: ReadCertificate): boolean;
  find(serial: Buffer): RevokedCertificate | undefined;
}

function parsed(der: Buffer, host: string): List {
  try {
    return parse(der);
  } catch (cause) {
    throw unknown(host, "gave no list", cause);
  }
}

const sequence = 0x30;
const times: readonly number[] = [0x17, 0x18];
const bitString = 0x03;

/** `CertificateList` of RFC 5280, 5.1. Its entries, which may be a million, are looked through and not kept. */
function parse(der: Buffer): List {
  const [outer, ...trailing] = derValues(der);
  const [tbs, algorithm, signature, ...more] = derValues(is(outer, sequence).content);
  if (trailing.length > 0 || more.length > 0) throw new RangeError("more than a list");
  const fields = [...derValues(is(tbs, sequence).content)];
  const take = (...tags: readonly number[]): DerValue | undefined =>
    fields[0] !== undefined && tags.includes(fields[0].tag) ? fields.shift() : undefined;

  take(0x02);
  is(take(sequence), sequence);
  const issuer = is(take(sequence), sequence).whole;
  const thisUpdate = timeOf(is(take(...times), ...times));
  const next = take(...times);
  const entries = take(sequence)?.content ?? Buffer.alloc(0);
  const tagged = take(0xa0);
  if (fields.length > 0) throw new RangeError("more than the fields of a list");
  const facts = signatureFacts(AsnConvert.parse(is(algorithm, sequence).whole, AlgorithmIdentifier));
  // The first byte of a bit string counts the bits that are not used.
  const bits = is(signature, bitString).content.subarray(1);
  return {
    issuer,
    thisUpdate,
    nextUpdate: next && timeOf(next),
    extensions: tagged === undefined ? new Extensions() : AsnConvert.parse(tagged.content, Extensions),
    isSignedBy: ({ publicKey }) => signatureHolds(facts, publicKey, is(tbs, sequence).whole, bits),
    find(serial) {
      for (const entry of derValues(entries)) {
        const [number] = derValues(is(entry, sequence).content);
        if (is(number, 0x02).content.equals(serial)) return AsnConvert.parse(entry.whole, RevokedCertificate);
      }
      return undefined;
    },
  };
}

function is(value: DerValue | undefined, ...tags: readonly number[]): DerValue {
  if (value === undefined || !tags.includes(value.tag)) throw new RangeError("not the expected value");
  return value;
}

const timeOf = ({ whole }: DerValue): Date => AsnConvert.parse(whole, Time).getTime();

/** Lists of changes, of some reasons, of other certificates or by somebody else do not say that a certificate is good. */
function refuseOtherKinds(extensions: Extensions, points: readonly string[], host: string): void {
  for (const { extnID, critical, extnValue } of extensions) {
    if (extnID === id_ce_deltaCRLIndicator) throw unknown(host, "gave a delta list, which is not supported");
    if (extnID === id_ce_issuingDistributionPoint) {
      const scope = AsnConvert.parse(extnValue.buffer, IssuingDistributionPoint);
      const names = scope.distributionPoint?.fullName?.map(
        ({ uniformResourceIdentifier }) => uniformResourceIdentifier,
      );
      const elsewhere = names !== undefined && !names.some((name) => name !== undefined && points.includes(name));
      const { onlyContainsCACerts, onlyContainsAttributeCerts, onlySomeReasons, indirectCRL } = scope;
      if (elsewhere || onlyContainsCACerts || onlyContainsAttributeCerts || onlySomeReasons || indirectCRL)
        throw unknown(host, "gave a list that does not cover the certificate");
    } else if (critical) {
      throw unknown(host, "gave a list with a critical extension that is not known");
    }
  }
}
