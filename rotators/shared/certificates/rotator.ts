import { z } from "zod";
import { PinionError } from "../../../src/errors.ts";
import type { CertificateSlot, Credential, Observed, Proof, Step, VaultCertificate } from "../../../src/rotator.ts";

/** One certificate in PEM, in a target. */
export const certificatePem = z
  .string()
  .regex(/^\s*-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*$/, {
    error: "one certificate in PEM",
  });

/** X.509 is loaded with the first certificate. */
const proving = async () => await import("./prove.ts");

/** What one way of issuing adds to what all certificates share. */
export interface Issuing<T> {
  /** Read only: the issuer can be asked, and would give what the policy wants. */
  observe?(step: Step<T>): Promise<{
    readonly proofs: readonly Proof[];
    readonly facts?: Readonly<Record<string, string>>;
  }>;
  /** Does the next piece of the work; throws `ISSUANCE_PENDING` until the certificate is there. */
  issue(step: Step<T>): Promise<VaultCertificate>;
  abandon?(step: Step<T>): Promise<readonly Proof[]>;
  /** Tells the issuer that a certificate is no longer used. */
  revoke?(step: Step<T>, old: Credential): Promise<readonly Proof[]>;
  /** Intermediate authorities (PEM) that are known, for where nothing tells what was merged. */
  issuers?(step: Step<T>): readonly string[];
  /** What the issuer's certificates chain to where the policy names no roots; a certificate that signs itself is its own. */
  readonly selfSigned?: true;
}

/**
 * The parts of a rotator that all certificates share: nothing is set in a target, the candidate is proven as its readers would use it,
 * and the former one is not killed: it expires, and its version is disabled once nobody serves it.
 */
export function certificateParts<T>(issuing: Issuing<T>) {
  return {
    strategy: "dual",
    manages: "certificate",
    former: "expires",
    roles: [],
    idle: "unobservable",
    observe: async (step: Step<T>, current: Credential): Promise<Observed> => {
      const certificate = await step.ports.certificate(urlOf(current));
      const issuer = await issuing.observe?.(step);
      const { describeLeaf } = await proving();
      const leaf = describeLeaf(certificate, step.ports.now());
      return {
        current: { id: certificate.version, expiresAt: leaf.expiresAt },
        idle: { id: "next" },
        proofs: [
          { name: "the current certificate can be read", ok: true, detail: leaf.detail },
          ...(issuer?.proofs ?? []),
        ],
        facts: { thumbprint: leaf.sha1, ...issuer?.facts },
      };
    },
    create: async (step: Step<T>): Promise<Credential> => {
      const made = await issuing.issue(step);
      const { describeLeaf } = await proving();
      const { expiresAt } = describeLeaf(made, step.ports.now());
      return { id: made.version, expiresAt, material: { vaultVersion: made.url } };
    },
    set: async (): Promise<readonly Proof[]> => [],
    validate: async (step: Step<T>, next: Credential): Promise<readonly Proof[]> =>
      await (
        await proving()
      ).proveCertificate(step, urlOf(next), {
        selfSigned: issuing.selfSigned === true,
        issuers: issuing.issuers?.(step) ?? [],
      }),
    works: async (step: Step<T>, credential: Credential): Promise<boolean> => {
      const certificate = await step.ports.certificate(urlOf(credential));
      const { isValid } = await proving();
      return certificate.enabled && isValid(certificate, step.ports.now());
    },
    revoke: async (step: Step<T>, old: Credential): Promise<readonly Proof[]> =>
      (await issuing.revoke?.(step, old)) ?? [],
    ...(issuing.issuers && { issuers: issuing.issuers }),
    ...(issuing.abandon && { abandon: issuing.abandon }),
  } as const;
}

/** The URL of the version that a credential of this kind is. */
export function urlOf({ material, id }: Credential): string {
  if (typeof material !== "string") return material.vaultVersion;
  throw new PinionError("TARGET_MISCONFIGURED", `${id} is a text, and this rotator makes certificates only.`);
}

/** The slot of a step; `TARGET_MISCONFIGURED` for an object of another kind. */
export function slotOf<T>({ slot }: Step<T>): CertificateSlot {
  if (slot !== undefined) return slot;
  throw new PinionError("TARGET_MISCONFIGURED", "This rotator makes certificates only: set the object's kind.");
}

/** "Not yet": the step is called again, after `seconds` at the earliest. */
export function notYet(message: string, seconds?: number): PinionError {
  return new PinionError("ISSUANCE_PENDING", message, { class: "transient", retryAfterSeconds: seconds });
}
