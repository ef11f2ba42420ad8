import { createPublicKey, randomBytes, webcrypto } from "node:crypto";
import { CertificationRequest } from "@peculiar/asn1-csr";
import { AsnConvert } from "@peculiar/asn1-schema";
import "../../../local/reflect-metadata.ts";
import * as x509 from "@peculiar/x509";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const day = 86_400_000;

/** A root that signs whatever it is asked to. */
export interface Authority {
  /** PEM. */
  readonly root: string;
  /** PEM of a leaf for the key of a PKCS #10 request, valid for 90 days. */
  sign(csr: Buffer, names: readonly string[], more?: LeafFields): Promise<string>;
}

/** Hex; otherwise random, with a leading zero byte, which RFC 9773 wants kept. */
export interface LeafFields {
  readonly serialNumber?: string;
  readonly authorityKeyId?: string;
}

export async function createAuthority(): Promise<Authority> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const name = `CN=Stand-in root ${randomBytes(3).toString("hex")}`;
  const root = await x509.X509CertificateGenerator.create({
    serialNumber: "01",
    subject: name,
    issuer: name,
    notBefore: new Date(Date.now() - day),
    notAfter: new Date(Date.now() + 3650 * day),
    publicKey: keys.publicKey,
    signingKey: keys.privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    root: `${root.toString("pem")}\n`,
    async sign(csr, names, { serialNumber, authorityKeyId } = {}) {
      const leaf = await x509.X509CertificateGenerator.create({
        serialNumber: serialNumber ?? `00f${randomBytes(12).toString("hex")}0`,
        subject: `CN=${names[0]}`,
        issuer: name,
        notBefore: new Date(Date.now() - 3_600_000),
        notAfter: new Date(Date.now() + 90 * day),
        publicKey: keyIn(csr),
        signingKey: keys.privateKey,
        signingAlgorithm: algorithm,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
          new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: "dns", value }) as const)),
          authorityKeyId === undefined
            ? await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey)
            : new x509.AuthorityKeyIdentifierExtension(authorityKeyId),
        ],
      });
      return `${leaf.toString("pem")}\n`;
    },
  };
}

/** The common names in a request: a CA takes each for a name that is asked for. */
export function commonNamesIn(csr: Buffer): string[] {
  const { subject } = AsnConvert.parse(csr, CertificationRequest).certificationRequestInfo;
  const parts = [...subject].flatMap((part) => [...part]);
  return parts.filter(({ type }) => type === "2.5.4.3").map(({ value }) => value.toString());
}

/** SPKI of a request, checked to be a key at all. */
function keyIn(csr: Buffer): ArrayBuffer {
  const { subjectPKInfo } = AsnConvert.parse(csr, CertificationRequest).certificationRequestInfo;
  const spki = AsnConvert.serialize(subjectPKInfo);
  createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
  return spki;
}
