import { generateKeyPairSync } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { X509Props } from "../../../local/vault/certificates/model.ts";
import { createCertificate } from "../../../local/vault/certificates/x509.ts";
import { day, start } from "../support.ts";

export const kinds = ["rsa", "P-256", "P-384", "P-521", "secp256k1"] as const;

const keys = new Map<string, KeyObject>();

/** A private key, the same each time: making RSA keys takes long. */
export function keyOf(kind: (typeof kinds)[number]): KeyObject {
  const made =
    keys.get(kind) ??
    (kind === "rsa"
      ? generateKeyPairSync("rsa", { modulusLength: 2048 })
      : generateKeyPairSync("ec", { namedCurve: kind })
    ).privateKey;
  keys.set(kind, made);
  return made;
}

const props = (subject: string, ca: boolean): X509Props => ({
  subject,
  ekus: [],
  key_usage: ca ? ["keyCertSign"] : ["digitalSignature"],
  validity_months: 12,
  basic_constraints: { ca },
});

const period = { from: start - day, until: start + 365 * day };

/** Certificates in DER for `key`: signed by a root, or by an intermediate of that root. */
export function chainOf(key: KeyObject, withIntermediate = false) {
  const rootKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const root = createCertificate(props("CN=Test root", true), rootKey, period);
  const signer = { certificate: root, key: rootKey };
  if (!withIntermediate) return { root, signer, leaf: createCertificate(props("CN=leaf", false), key, period, signer) };
  const middleKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const intermediate = createCertificate(props("CN=Test intermediate", true), middleKey, period, signer);
  const leaf = createCertificate(props("CN=leaf", false), key, period, { certificate: intermediate, key: middleKey });
  return { root, signer, intermediate, leaf };
}
