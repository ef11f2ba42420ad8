import { X509Certificate, createPrivateKey, createPublicKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { AsnConvert } from "@peculiar/asn1-schema";
import { Certificate } from "@peculiar/asn1-x509";
import { curves } from "../keys/curves.ts";
import { readJwk } from "../keys/material.ts";
import { badParameter } from "../refusal.ts";
import { pemType } from "./model.ts";
import type { ContentType, Curve, KeyProps } from "./model.ts";
import { decryptKey } from "./pbe.ts";
import { readPem, writePem } from "./pem.ts";
import { readPkcs12, writePkcs12 } from "./pkcs12.ts";
import { formatSubject } from "./subject.ts";
import { validityOf } from "./x509.ts";

// A private key with its certificates, as callers import it and as secrets hold it.

/** A key, the certificate that it belongs to, and all certificates in the order that a secret shows them. */
export interface Material {
  readonly key: KeyObject;
  readonly leaf: X509Certificate;
  readonly certificates: readonly X509Certificate[];
}

const rsaSizes = [2048, 3072, 4096];

/** What an import brings: base64 of a PFX file, or the text of a PEM file. Refuses with 400. */
export function readContent(value: string, type: ContentType, password: string, keepOrder: boolean): Material {
  const { key, certificates } = type === pemType ? fromPem(value, password) : fromPkcs12(value, password);
  const material = assemble(key, certificates, keepOrder);
  refuseBroken(key);
  return material;
}

/** OpenSSL takes numbers that do not belong together, and fails with them, or never ends, when the key is used. */
function refuseBroken(key: KeyObject): void {
  const { crv } = describeKey(key);
  readJwk({ key: { ...key.export({ format: "jwk" }), ...(crv === undefined ? {} : { crv }) } });
}

/**
 * Puts a key and certificates together, the leaf first and each issuer after what it issued, unless the order is to be
 * kept. Refuses when no certificate is the key's.
 */
export function assemble(key: KeyObject, certificates: readonly X509Certificate[], keepOrder: boolean): Material {
  describeKey(key);
  const publicKey = createPublicKey(key);
  const leaf = certificates.find((one) => isOf(one, publicKey));
  if (!leaf) throw mismatch();
  return { key, leaf, certificates: keepOrder ? certificates : inOrder(leaf, certificates) };
}

/** The 400 of a certificate that was made for another key. */
export const mismatch = () =>
  badParameter(
    "The public key of the end-entity certificate in the specified X.509 certificate content does not match the public part of the specified private key. Please check if certificate is valid.",
  );

/** A certificate in DER; refuses what is none. */
export function readCertificate(der: Buffer): X509Certificate {
  try {
    const certificate = new X509Certificate(der);
    // OpenSSL reads some that the rest of this program could not show.
    formatSubject(AsnConvert.parse(certificate.raw, Certificate).tbsCertificate.subject);
    const { nbf, exp } = validityOf(certificate);
    if (Number.isInteger(nbf) && Number.isInteger(exp)) return certificate;
  } catch {
    // Refused below.
  }
  throw badParameter("The specified X.509 certificate content can not be read. Please check if certificate is valid.");
}

/** Type and size of a key in a policy's words; refuses one that no vault makes. */
export function describeKey(key: KeyObject): Pick<KeyProps, "kty" | "key_size" | "crv"> {
  const { modulusLength = 0, namedCurve = "" } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === "rsa" && rsaSizes.includes(modulusLength))
    return { kty: "RSA", key_size: modulusLength };
  const curve = key.asymmetricKeyType === "ec" && curves.find(({ openssl }) => openssl === namedCurve);
  if (curve) return { kty: "EC", key_size: curve.bits, crv: curve.name as Curve };
  throw badParameter(
    "The key of the certificate must be RSA of 2048, 3072 or 4096 bits, or EC on P-256, P-384, P-521 or P-256K.",
  );
}

/** The value of the secret: with the key only when it is exportable. */
export function secretValue({ key, certificates }: Material, type: ContentType, exportable: boolean): string {
  const parts = {
    key: exportable ? key.export({ format: "der", type: "pkcs8" }) : undefined,
    certificates: certificates.map(({ raw }) => raw),
  };
  return type === pemType ? writePem(parts) : writePkcs12(parts).toString("base64");
}

/** A secret's PFX file as PEM: the conversion that readers may ask for. Refuses what is no PFX file without password. */
export function pemOf(value: string): string {
  const { keys, certificates } = openPkcs12(value, "");
  return writePem({ key: keys[0], certificates });
}

function fromPkcs12(value: string, password: string) {
  const contents = openPkcs12(value, password);
  const certificates = contents.certificates.map(readCertificate);
  const keys = contents.keys.map((der) => readKey(() => der));
  if (keys.length === 0) {
    throw badParameter(
      "Private key is not specified in the specified X.509 PKCS#12 certificate content. Please specify private key in the X.509 PKCS#12 certificate content.",
    );
  }
  const matching = keys.find((key) => certificates.some((one) => isOf(one, createPublicKey(key))));
  return { key: matching ?? keys[0]!, certificates };
}

function openPkcs12(value: string, password: string) {
  try {
    return readPkcs12(Buffer.from(value, "base64"), password);
  } catch {
    throw badParameter(
      "The specified PKCS#12 X.509 certificate content can not be read. Please check if certificate is in valid PKCS#12 format.",
    );
  }
}

function fromPem(value: string, password: string) {
  const blocks = readPem(value);
  const certificates = blocks.filter(({ label }) => label === "CERTIFICATE").map(({ der }) => readCertificate(der));
  if (certificates.length === 0) {
    throw badParameter(
      "The specified PEM X.509 certificate content is in an unexpected format. Please check if certificate is in valid PEM format.",
    );
  }
  const found = blocks.find(({ label }) => label === "PRIVATE KEY" || label === "ENCRYPTED PRIVATE KEY");
  if (!found) {
    throw badParameter(
      "Private key is not specified in the specified X.509 PEM certificate content. Please specify private key in the X.509 PEM certificate content.",
    );
  }
  const plain = () => (found.label === "PRIVATE KEY" ? found.der : decryptKey(found.der, password));
  return { key: readKey(plain), certificates };
}

function readKey(der: () => Buffer): KeyObject {
  try {
    return createPrivateKey({ key: der(), format: "der", type: "pkcs8" });
  } catch {
    throw badParameter(
      "The private key of the specified X.509 certificate content can not be read. Please check if it is in PKCS#8 and the password is right.",
    );
  }
}

/**
 * Whether a certificate is of a key. Keys of different types are not given to `equals`: Node 24 leaves OpenSSL's complaint about that
 * in its queue, and the next TLS connection of the thread that looks there takes it for its own and breaks.
 */
function isOf(certificate: X509Certificate, key: KeyObject): boolean {
  const own = publicKeyOf(certificate);
  return own?.asymmetricKeyType === key.asymmetricKeyType && own?.equals(key) === true;
}

/** Undefined for a key that OpenSSL does not know. */
function publicKeyOf(certificate: X509Certificate): KeyObject | undefined {
  try {
    return certificate.publicKey;
  } catch {
    return undefined;
  }
}

function inOrder(leaf: X509Certificate, certificates: readonly X509Certificate[]): X509Certificate[] {
  const rest = certificates.filter((one) => one !== leaf);
  const ordered = [leaf];
  for (;;) {
    const last = ordered.at(-1)!;
    const at = rest.findIndex((one) => one.subject === last.issuer);
    if (at < 0) return [...ordered, ...rest];
    ordered.push(...rest.splice(at, 1));
  }
}
