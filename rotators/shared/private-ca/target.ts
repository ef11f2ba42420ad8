import { z } from "zod";
import { positiveDurationSchema } from "../../../src/duration.ts";
import { certificatePem } from "../certificates/rotator.ts";

/** As {@link permits} reads it: the name itself and all below it. */
const suffix = z
  .string()
  .regex(/^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/, {
    error: "a DNS name in lower case, without a wildcard or a dot at its ends",
  });

const web = z.url({ protocol: /^https?$/ });

/** A certificate authority whose key lives in a vault and signs there. */
export const privateCaTarget = z.strictObject({
  ca: z.strictObject({
    /** `https://<vault>/keys/<name>`, with or without a version. */
    key: z
      .url({ protocol: /^https$/ })
      .refine((url) => /^\/keys\/[0-9A-Za-z-]{1,127}(\/[0-9a-f]{32})?$/.test(new URL(url).pathname), {
        error: "https://<vault>/keys/<name>, and the version if there is to be one",
      }),
    /** The authority's own certificate, for that very key. */
    certificate: certificatePem,
    /** Those above it, in order up to the root; empty where the authority is the root. */
    chain: z.array(certificatePem).max(8).default([]),
  }),
  /** The longest life of a certificate; the policy's `validity` may ask for less. */
  maxValidity: positiveDurationSchema,
  /** DNS names that certificates may have, besides what the authority's own certificate allows. */
  nameConstraints: z.strictObject({ permitted: z.array(suffix).min(1), excluded: z.array(suffix).default([]) }),
  /** Where the authority publishes its list of revoked certificates. */
  crl: web.optional(),
  /** Where it answers for single ones. */
  ocsp: web.optional(),
  /** Where its own certificate can be fetched. */
  aia: web.optional(),
});

export type PrivateCaTarget = z.output<typeof privateCaTarget>;
