import { vi } from "vitest";
import { X509Certificate, createPrivateKey, createPublicKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { AsnConvert } from "@peculiar/asn1-schema";
import { CertificationRequest } from "@peculiar/asn1-csr";
import type { CertificateClient, CertificatePolicy } from "@azure/keyvault-certificates";
import { createCertificate } from "../../../local/vault/certificates/x509.ts";
import type { Signer } from "../../../local/vault/certificates/x509.ts";
import type { VaultsOptions } from "../../../local/vault/vaults.ts";
import { day, start, testVault } from "../support.ts";

/** EC keys are made in a moment, RSA keys are not. */
export const ecPolicy = {
  subject: "CN=orders",
  issuerName: "Self",
  keyType: "EC",
  keyUsage: ["digitalSignature"],
} as const satisfies CertificatePolicy;

/** The same for plain requests. */
export const ec = (more: object = {}, issuer = "Self") => ({
  policy: { key_props: { kty: "EC" }, x509_props: { subject: "CN=orders" }, issuer: { name: issuer }, ...more },
});

/** A vault whose issuers answer at the next request. */
export async function quickVault(options: Partial<VaultsOptions> = {}) {
  const vault = await testVault(options);
  vault.control.set({ certificateDelayMs: 0, issuerDelayMs: 0 });
  return vault;
}

/** What the official client is asked to do while it waits. */
export const eager = { intervalInMs: 1 } as const;

/** The public key of a request in DER. */
export function keyOfRequest(csr: Uint8Array): KeyObject {
  const { subjectPKInfo } = AsnConvert.parse(csr, CertificationRequest).certificationRequestInfo;
  return createPublicKey({ key: Buffer.from(AsnConvert.serialize(subjectPKInfo)), format: "der", type: "spki" });
}

/** Signs a request as an authority outside of the vault would. */
export function signRequest(csr: Uint8Array, signer: Signer, months = 6): Buffer {
  const props = {
    subject: "CN=signed outside",
    ekus: [],
    key_usage: ["digitalSignature"],
    validity_months: months,
    basic_constraints: { ca: false },
  };
  return createCertificate(props, keyOfRequest(csr), { from: start - day, until: start + 180 * day }, signer);
}

/** Key and certificates of a PEM text. */
export function openPem(text: string) {
  const key = /-----BEGIN PRIVATE KEY-----[^]*?-----END PRIVATE KEY-----\n/.exec(text)?.[0];
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----\n/g) ?? [];
  return {
    key: key === undefined ? undefined : createPrivateKey(key),
    certificates: blocks.map((block) => new X509Certificate(block)),
  };
}

/** The clock's instant in a test, and a year later, in the seconds of the wire. */
export const at = start / 1000;
export const year = Date.UTC(2027, 0, 15, 12) / 1000;

/** What the service makes of `cn=MyCert` and the issuer `Self`. */
export const policyBody = (url: string, name: string, more: object = {}) => ({
  id: `${url}/certificates/${name}/policy`,
  key_props: { exportable: true, kty: "RSA", key_size: 2048, reuse_key: false },
  secret_props: { contentType: "application/x-pkcs12" },
  x509_props: {
    subject: "cn=MyCert",
    sans: {},
    ekus: ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"],
    key_usage: ["digitalSignature", "keyEncipherment"],
    validity_months: 12,
    basic_constraints: { ca: false },
  },
  lifetime_actions: [{ trigger: { lifetime_percentage: 80 }, action: { action_type: "AutoRenew" } }],
  issuer: { name: "Self" },
  attributes: { enabled: true, created: at, updated: at },
  ...more,
});

/** Everything that a client lists. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Makes a certificate to its end. */
export const make = async (
  client: CertificateClient,
  name: string,
  policy: Parameters<CertificateClient["beginCreateCertificate"]>[1] = ecPolicy,
  options = {},
) => (await client.beginCreateCertificate(name, policy, { ...eager, ...options })).pollUntilDone();

/** The operation as the client sees it. */
export const operationOf = async (client: CertificateClient, name: string) =>
  (await client.getCertificateOperation(name, eager)).getOperationState().certificateOperation!;

/** Waits until `check` passes; long, because other suites may keep the machine busy. */
export const eventually = <T>(check: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(check, { timeout: 20_000, interval: 20 });
