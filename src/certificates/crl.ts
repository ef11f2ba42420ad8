import { AsnConvert } from "@peculiar/asn1-schema";
import {
  CertificateList,
  CRLReason,
  id_ce_cRLReasons,
  id_ce_deltaCRLIndicator,
  id_ce_issuingDistributionPoint,
  IssuingDistributionPoint,
} from "@peculiar/asn1-x509";
import { signatureFacts, signatureHolds } from "./algorithms.ts";
import { fetchLimited, unknown } from "./fetch-limited.ts";
import type { LimitedRequest } from "./fetch-limited.ts";
import { iso, reasonText } from "./ocsp.ts";
import type { Question, Standing } from "./ocsp.ts";
import { leeway } from "./path.ts";

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
export function readCrl(der: Uint8Array, { leaf, issuer, now }: Question, host: string): Standing {
  const list = parse(der, host);
  const { tbsCertList: tbs, tbsCertListRaw: data, signatureAlgorithm, signature } = list;
  const maySign = issuer.keyUsage === undefined || issuer.keyUsage.includes("crlSign");
  const sameName = hex(AsnConvert.serialize(tbs.issuer)) === hex(AsnConvert.serialize(issuer.subjectName));
  if (!maySign || !sameName) throw unknown(host, "gave a list of another authority");
  if (data === undefined || !signatureHolds(signatureFacts(signatureAlgorithm), issuer.publicKey, data, signature))
    throw unknown(host, "gave a list that its authority has not signed");
  const [from, until] = [tbs.thisUpdate.getTime(), tbs.nextUpdate?.getTime()];
  if (from.getTime() > now + leeway) throw unknown(host, "gave a list from the future");
  // RFC 5280, 5.1.2.5: a list must say when the next one comes.
  if (until === undefined || until.getTime() < now - leeway) throw unknown(host, "gave a list that is too old");
  refuseOtherKinds(tbs.crlExtensions ?? [], leaf.crls, host);

  const entry = tbs.revokedCertificates?.find(({ userCertificate }) => hex(userCertificate) === leaf.serial);
  if (entry === undefined) return { revoked: false, detail: `not on the list of ${host}, as of ${iso(from)}` };
  const reason = entry.crlEntryExtensions?.find(({ extnID }) => extnID === id_ce_cRLReasons);
  const code = reason && AsnConvert.parse(reason.extnValue.buffer, CRLReason).reason;
  return {
    revoked: true,
    detail: `revoked since ${iso(entry.revocationDate.getTime())}${reasonText(code)}, says the list of ${host}`,
  };
}

function parse(der: Uint8Array, host: string): CertificateList {
  try {
    return AsnConvert.parse(der, CertificateList);
  } catch (cause) {
    throw unknown(host, "gave no list", cause);
  }
}

type Extensions = NonNullable<CertificateList["tbsCertList"]["crlExtensions"]>;

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

const hex = (bytes: ArrayBuffer): string => Buffer.from(bytes).toString("hex");
