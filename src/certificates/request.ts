import { CertificationRequest } from "@peculiar/asn1-csr";
import { AsnConvert } from "@peculiar/asn1-schema";

// Loaded on first use by its own path: in the bundle the named parts of a package that is imported dynamically are not there.

/** The public key (DER of its SubjectPublicKeyInfo) that a PKCS #10 request (DER) is for. */
export function keyOfRequest(request: Uint8Array): Uint8Array {
  const { certificationRequestInfo } = AsnConvert.parse(request, CertificationRequest);
  return new Uint8Array(AsnConvert.serialize(certificationRequestInfo.subjectPKInfo));
}
