import { z } from "zod";
import { positiveDurationSchema } from "../../../src/duration.ts";
import type { Step } from "../../../src/rotator.ts";
import { targetUrl } from "../http.ts";
import { storageAccount } from "../storage.ts";

/** Nobody waits for a cache that keeps a set for longer: a week. */
export const mostCacheSeconds = 604_800;

/** Where the public keys of a signer are published, and how long their readers keep them. */
export const jwksTarget = z
  .strictObject({
    algorithm: z.enum(["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]),
    /** `https://<account>.blob.core.windows.net/<container>/<name>`, written with the app's identity. Absent: the app serves the set. */
    blob: targetUrl.optional(),
    /** The ARM id of the blob's account: with it onboarding gives the right, and preflight asks for it. */
    storageAccount: storageAccount.optional(),
    /** Where verifiers fetch the set, when that is not the blob itself. */
    url: targetUrl.optional(),
    /** How long a verifier, or anything between, may keep a copy. It is also what the set is served with. */
    cacheSeconds: z.int().min(0).max(mostCacheSeconds),
    /** The old key stays published for at least as long. */
    longestTokenLife: positiveDurationSchema,
  })
  .refine(({ blob, url }) => blob !== undefined || url !== undefined, {
    path: ["url"],
    error: "the URL at which the app serves the set, where there is no blob",
  });

export type JwksTarget = z.output<typeof jwksTarget>;

/** What reading and withdrawing keys needs; neither is a step of a rotation. */
export type Publishing = Pick<Step<JwksTarget>, "target" | "notes" | "ports" | "signal">;

/** The lease key: one for each set. */
export const accountOf = ({ blob, url = "" }: JwksTarget): string => `jwks:${new URL(blob ?? url).href}`;
