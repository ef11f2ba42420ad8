import { signKeyRole } from "../src/azure/vault-roles.ts";
import { defineRotator, type Proof, type Step, type VaultCertificate } from "../src/rotator.ts";
import { certificateParts } from "./shared/certificates/rotator.ts";
import { privateCaTarget } from "./shared/private-ca/target.ts";
import type { PrivateCaTarget } from "./shared/private-ca/target.ts";

// Certificates signed by an authority of one's own, whose key lives in a vault. X.509 is loaded with the first one.

export { privateCaTarget };
export type { PrivateCaTarget };

/** Read only: the authority may sign what the policy asks for. Throws TARGET_MISCONFIGURED or NAME_NOT_PERMITTED with what to do. */
export async function observeAuthority(
  step: Step<PrivateCaTarget>,
): Promise<{ readonly proofs: readonly Proof[]; readonly facts: Readonly<Record<string, string>> }> {
  const pieces = await import("./shared/private-ca/issue.ts");
  return await pieces.observeAuthority(step);
}

/** The rotation's certificate: found, or signed and merged into `step.slot`. Safe to call again, and at the same time. */
export async function issueCertificate(step: Step<PrivateCaTarget>): Promise<VaultCertificate> {
  const pieces = await import("./shared/private-ca/issue.ts");
  return await pieces.issueCertificate(step);
}

/** Certificates signed by an authority of one's own: the vault makes the key pair, the authority's key signs in its vault. */
export const certificatePrivateCa = defineRotator({
  kind: "certificate-private-ca",
  target: privateCaTarget,
  ...certificateParts<PrivateCaTarget>({ observe: observeAuthority, issue: issueCertificate }),
  roles: [signKeyRole],
  needs: ({ ca }) => [{ role: signKeyRole, at: ca.key }],
  accounts: () => [],
  account: () => "",
});
