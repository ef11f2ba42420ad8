import { z } from "zod";

// The part of a managed object of kind certificate that says what the certificate must be.

const serverAuth = "1.3.6.1.5.5.7.3.1";
const clientAuth = "1.3.6.1.5.5.7.3.2";

/** Of which the last label is no number: that is how an address looks. */
const dnsName = z
  .string({ error: "a DNS name" })
  .max(253, { error: "a DNS name of at most 253 characters" })
  .regex(/^(?!(.*\.)?[0-9]+$)(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, {
    error:
      "a DNS name in lower case (internationalised ones as xn--...) and no address, at most one * and that as the first label",
  });

const keySchema = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("RSA"),
    size: z.union([z.literal(2048), z.literal(3072), z.literal(4096)]).default(2048),
  }),
  z.strictObject({ type: z.literal("EC"), curve: z.enum(["P-256", "P-384", "P-521"]).default("P-256") }),
]);

const pemList = z
  .string()
  .regex(/^-----BEGIN CERTIFICATE-----/, { error: "a certificate as PEM text" })
  .max(20_000, { error: "a certificate as PEM text" });

export const certificateSchema = z.strictObject({
  subject: z
    .string()
    .regex(/^[A-Z]+=.{1,250}$/, { error: "an X.500 name, such as CN=www.contoso.com" })
    .exactOptional()
    .describe("Default: CN= and the first name that is short enough for one; none where all are longer."),
  names: z
    .array(dnsName)
    .min(1, { error: "at least one DNS name" })
    .max(100, { error: "at most 100 DNS names" })
    .refine((names) => new Set(names).size === names.length, { error: "each name once" })
    .describe("The DNS names of the certificate: exactly these."),
  key: keySchema.prefault({ type: "RSA" }),
  exportable: z
    .boolean()
    .default(true)
    .describe(
      "Whether readers get the private key with the secret. Then the candidate is staged and proven before it is published; a key that never leaves the vault is made in the certificate itself.",
    ),
  contentType: z
    .enum(["application/x-pkcs12", "application/x-pem-file"])
    .default("application/x-pkcs12")
    .describe("The form in which readers get it: PFX without a password, or PEM."),
  usages: z
    .array(z.enum(["serverAuth", "clientAuth"]))
    .min(1, { error: "at least one usage" })
    .default(["serverAuth"])
    .transform((usages) => usages.map((usage) => (usage === "serverAuth" ? serverAuth : clientAuth))),
  roots: z
    .union([z.literal("system"), z.array(pemList).min(1)], { error: '"system", or a list of PEM certificates' })
    .default("system")
    .describe("What it must chain to: the roots that Node.js trusts, or these."),
  revocation: z
    .enum(["check", "ignore"])
    .default("check")
    .describe("Whether OCSP or the CRL is asked, where the certificate names one."),
});

/** What a managed object of kind certificate must be. */
export type PolicyCertificate = z.output<typeof certificateSchema>;

/** A common name holds 64 characters at most. */
const longestCommonName = 64;

/**
 * The subject as the policy gives it, or one from the names; CAs of today ignore it, old readers do not. Empty where no name is short enough
 * for a common name: a public CA takes any other for one more name that is asked for.
 */
export function subjectOf({ subject, names }: Pick<PolicyCertificate, "subject" | "names">): string {
  const short = names.find((name) => name.length <= longestCommonName);
  return subject ?? (short === undefined ? "" : `CN=${short}`);
}
