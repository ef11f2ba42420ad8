import { z } from "zod";
import type { Step } from "../../../src/rotator.ts";

const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** Whether requests may go to this URL: https, or http to this machine. */
export function isSafeUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password } = new URL(text);
  if (username !== "" || password !== "") return false;
  return protocol === "https:" || (protocol === "http:" && loopback.test(hostname));
}

const secretUrl = z.url({ protocol: /^https$/ });
const keyUrl = secretUrl.refine((text) => /^\/keys\/[0-9A-Za-z-]+(\/[0-9a-f]{32})?$/.test(new URL(text).pathname), {
  error: "must be the URL of a key in Key Vault, `https://<vault>/keys/<name>`",
});

const limit = (count: number, hours: number) =>
  z.strictObject({ count: z.int().min(1).max(20), hours: z.number().positive().max(8760) }).default({ count, hours });

/** Every field but `challenge`, whose schema the known providers make (see `acmeTarget`). */
export const acmeFields = {
  /** The CA's directory (RFC 8555 section 7.1.1). */
  directory: z.string().refine(isSafeUrl, { error: "must be an https URL; http only for this machine" }),
  /** PEM of the roots that the directory's own TLS certificate is checked against, for a private CA; Node's own roots then do not count. */
  caRoots: z
    .string()
    .regex(/-----BEGIN CERTIFICATE-----/)
    .optional(),
  /** The key of the account at the CA; its private part never leaves the vault. Without a version: the newest that is enabled. */
  account: keyUrl,
  /** Mail addresses that the CA may write to. */
  contact: z.array(z.email()).max(10).default([]),
  /** You have read the CA's terms of service and agree. */
  termsOfServiceAgreed: z.literal(true),
  /** External account binding: `kid`, and the secret that holds the HMAC key in base64url, as the CA gave them out. */
  eab: z.strictObject({ kid: z.string().min(1).max(200), key: secretUrl }).optional(),
  /** draft-ietf-acme-profiles. */
  profile: z
    .string()
    .regex(/^[\w.-]{1,64}$/)
    .optional(),
  /** Common name of the issuer of the chain's top-most certificate, where the CA offers several. Not offered: the CA's default. */
  preferredChain: z.string().min(1).max(200).optional(),
  /** Whether a certificate that was replaced is also revoked at the CA. */
  revokeOld: z.boolean().default(false),
  /** The CA's limits, kept here so that they are never reached. The defaults are those of Let's Encrypt. */
  limits: z
    .strictObject({ duplicates: limit(5, 168), failures: limit(5, 1) })
    .default({ duplicates: { count: 5, hours: 168 }, failures: { count: 5, hours: 1 } }),
};

const fields = z.strictObject(acmeFields);

/** What the protocol needs to know of a target; the challenge is the challenger's business. */
export type AcmeTarget = z.output<typeof fields>;

export type AcmeStep = Step<AcmeTarget>;
