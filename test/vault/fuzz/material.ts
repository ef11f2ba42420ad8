import { generateKeyPairSync } from "node:crypto";
import { writePem } from "../../../local/vault/certificates/pem.ts";
import { writePkcs12 } from "../../../local/vault/certificates/pkcs12.ts";
import { createCertificate } from "../../../local/vault/certificates/x509.ts";
import { keyOfRequest } from "../certificates/support.ts";
import { day, start } from "../support.ts";

// Keys and certificates that are right, to be bent. Made once: making RSA keys takes long.

const props = (subject: string, ca = false) => ({
  subject,
  sans: {
    dns_names: ["orders.example"],
    emails: ["a@example.org"],
    upns: ["u@example.org"],
    ipAddresses: ["10.0.0.1"],
  },
  ekus: ["1.3.6.1.5.5.7.3.1"],
  key_usage: ["digitalSignature", "keyCertSign"],
  validity_months: 12,
  basic_constraints: { ca },
});
const period = { from: start - day, until: start + 365 * day };
const der = { format: "der", type: "pkcs8" } as const;

const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;

/** A key in PKCS#8 with its certificate, both in DER. */
export const pairs = [ec, rsa].map((key) => ({
  key: key.export(der),
  certificate: createCertificate(props("CN=orders, O=Contoso, E=a@example.org"), key, period),
}));

/** The pairs in the files that imports bring. */
export const pemFiles = pairs.map(({ key, certificate }) => writePem({ key, certificates: [certificate] }));
export const pfxFiles = pairs.map(({ key, certificate }) => writePkcs12({ key, certificates: [certificate] }));
/** PEM with the key behind a password, which is `hush-`. */
export const encryptedPem = `${ec.export({ format: "pem", type: "pkcs8", cipher: "aes-128-cbc", passphrase: "hush-" }).toString()}${writePem({ certificates: [pairs[0]!.certificate] })}`;

/** Signs the request as an authority outside of the vault would. */
export function signLeaf(csr: string): Buffer {
  const key = keyOfRequest(Buffer.from(csr, "base64"));
  return createCertificate(props("CN=signed outside"), key, period, { certificate: pairs[0]!.certificate, key: ec });
}

/** The bytes with some of them changed, as in `12:255,40:0`; one at `-` is where they end. */
export function bend(bytes: Buffer, edits: string): Buffer {
  const bent = Buffer.from(bytes);
  let end = bent.length;
  for (const edit of edits.split(",").filter(Boolean)) {
    const [at = 0, byte = 0] = edit.split(":").map(Number);
    if (edit.endsWith(":-")) end = at % bent.length;
    else bent[at % bent.length] = byte;
  }
  return bent.subarray(0, end);
}
