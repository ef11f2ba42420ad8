import { z } from "zod";
import { durationSchema } from "../../../src/duration.ts";
import { targetUrl } from "../http.ts";

const vaultSecret = z
  .url({ protocol: /^https$/ })
  .refine((url) => /^\/secrets\/[0-9A-Za-z-]{1,127}$/.test(new URL(url).pathname), {
    error: "https://<vault>/secrets/<name> without a version",
  });

/** Who checks signatures, and how it is told what to accept. */
const verifier = z.union([
  z.strictObject({
    /** The verifier's own secret: the list of what it accepts. */
    secret: vaultSecret,
    format: z.enum(["space-separated", "json-array"]),
    /** What to do with entries that are neither the new nor the old secret. */
    others: z.enum(["refuse", "keep"]).default("refuse"),
  }),
  z.strictObject({
    /** Is told where to read what it is to accept; never a secret. */
    webhook: targetUrl,
    /** The vault's secret that both sides sign and make fingerprints with. */
    key: vaultSecret,
  }),
]);

/** Where a request that is signed like a real one is accepted or refused, and changes nothing. */
const probe = z.union([
  z.strictObject({ url: targetUrl, scheme: z.literal("standard-webhooks") }),
  z.strictObject({
    url: targetUrl,
    header: z.string().regex(/^[A-Za-z0-9-]{1,64}$/),
    /** Before the signature, `sha256=` say. */
    prefix: z.string().max(64).default(""),
    digest: z.enum(["hex", "base64"]).default("hex"),
    /** Whether the verifier's key is the text of the secret or the bytes that it stands for. */
    key: z.enum(["text", "decoded"]).default("text"),
  }),
]);

/** A secret that two sides share to sign with HMAC-SHA256. */
export const hmacTarget = z.strictObject({
  verifier,
  /** How long the verifier may go by the former list. */
  lag: durationSchema,
  bytes: z.int().min(32).max(64).default(32),
  encoding: z.enum(["base64", "hex", "whsec"]).default("base64"),
  probe: probe.optional(),
});

export type HmacTarget = z.output<typeof hmacTarget>;

/** The lease key: one for each verifier. */
export const accountOf = ({ verifier }: HmacTarget): string =>
  `hmac:${new URL("secret" in verifier ? verifier.secret.toLowerCase() : verifier.webhook).href}`;
