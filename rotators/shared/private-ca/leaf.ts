import { createHash } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import {
  AccessDescription,
  AuthorityInfoAccessSyntax,
  AuthorityKeyIdentifier,
  BasicConstraints,
  CRLDistributionPoints,
  Certificate,
  DistributionPoint,
  DistributionPointName,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
  id_ad_caIssuers,
  id_ad_ocsp,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_cRLDistributionPoints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_pe_authorityInfoAccess,
} from "@peculiar/asn1-x509";
import type { Name } from "@peculiar/asn1-x509";
import type { CertificateWish } from "../../../src/rotator.ts";
import type { Authority } from "./authority.ts";
import { serverAuth } from "./wish.ts";

/** All that goes into a certificate, already decided. */
export interface Leaf {
  readonly key: KeyObject;
  readonly subject: Name;
  readonly wanted: CertificateWish;
  readonly serial: Uint8Array;
  /** Milliseconds; X.509 has whole seconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly crl?: string | undefined;
  readonly ocsp?: string | undefined;
  readonly aia?: string | undefined;
}

/** The certificate in DER, version 3 (RFC 5280, 4.1), signed by the authority. */
export async function certify(leaf: Leaf, ca: Authority): Promise<Uint8Array> {
  const subjectPublicKeyInfo = AsnConvert.parse(leaf.key.export({ format: "der", type: "spki" }), SubjectPublicKeyInfo);
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: new Uint8Array(leaf.serial).buffer,
    signature: ca.scheme.identifier,
    issuer: ca.certificate.tbsCertificate.subject,
    validity: new Validity({ notBefore: new Date(leaf.notBefore), notAfter: new Date(leaf.notAfter) }),
    subject: leaf.subject,
    subjectPublicKeyInfo,
    extensions: new Extensions(extensionsOf(leaf, subjectPublicKeyInfo, ca)),
  });
  const signature = await ca.sign(new Uint8Array(AsnConvert.serialize(tbsCertificate)));
  const certificate = new Certificate({
    tbsCertificate,
    signatureAlgorithm: ca.scheme.identifier,
    signatureValue: new Uint8Array(signature).buffer,
  });
  return new Uint8Array(AsnConvert.serialize(certificate));
}

function extensionsOf(leaf: Leaf, info: SubjectPublicKeyInfo, ca: Authority): Extension[] {
  const { wanted, crl, ocsp, aia } = leaf;
  // RSA keys may also receive a session key; ECDHE and EC keys only sign (RFC 5246, 7.4.2).
  const transport = wanted.key.type === "RSA" && wanted.usages.includes(serverAuth) ? KeyUsageFlags.keyEncipherment : 0;
  const authority = new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(ca.keyIdentifier) });
  const access = [
    ...(ocsp === undefined ? [] : [new AccessDescription({ accessMethod: id_ad_ocsp, accessLocation: uri(ocsp) })]),
    ...(aia === undefined ? [] : [new AccessDescription({ accessMethod: id_ad_caIssuers, accessLocation: uri(aia) })]),
  ];
  return [
    extension(id_ce_basicConstraints, true, new BasicConstraints({ cA: false })),
    extension(id_ce_keyUsage, true, new KeyUsage(KeyUsageFlags.digitalSignature | transport)),
    extension(id_ce_extKeyUsage, false, new ExtendedKeyUsage([...wanted.usages])),
    ...(wanted.names.length === 0
      ? []
      : [
          extension(
            id_ce_subjectAltName,
            // RFC 5280, 4.2.1.6
            leaf.subject.length === 0,
            new SubjectAlternativeName(wanted.names.map((dNSName) => new GeneralName({ dNSName }))),
          ),
        ]),
    extension(id_ce_subjectKeyIdentifier, false, new SubjectKeyIdentifier(keyIdentifier(info))),
    extension(id_ce_authorityKeyIdentifier, false, authority),
    ...(crl === undefined ? [] : [extension(id_ce_cRLDistributionPoints, false, listAt(crl))]),
    ...(access.length === 0
      ? []
      : [extension(id_pe_authorityInfoAccess, false, new AuthorityInfoAccessSyntax(access))]),
  ];
}

const uri = (uniformResourceIdentifier: string) => new GeneralName({ uniformResourceIdentifier });

const listAt = (url: string) =>
  new CRLDistributionPoints([
    new DistributionPoint({ distributionPoint: new DistributionPointName({ fullName: [uri(url)] }) }),
  ]);

function extension(extnID: string, critical: boolean, value: unknown): Extension {
  return new Extension({ extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value)) });
}

/** RFC 5280, 4.2.1.2, method 1; SHA-1 names the key here, it protects nothing. */
function keyIdentifier({ subjectPublicKey }: SubjectPublicKeyInfo): Uint8Array {
  return createHash("sha1").update(Buffer.from(subjectPublicKey)).digest();
}
