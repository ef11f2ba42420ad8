import { z } from "zod";
import { readSecretRole, signKeyRole } from "../src/azure/vault-roles.ts";
import { defineRotator } from "../src/rotator.ts";
import type { Credential, Proof, Step, VaultCertificate } from "../src/rotator.ts";
import { acmeFields } from "./shared/acme/target.ts";
import { certificateParts, urlOf } from "./shared/certificates/rotator.ts";
import { challengeConfig, challengeNeeds, challengeRoles, publisherOf } from "./shared/challenge.ts";
import type { Publisher } from "./shared/challenge.ts";

// Certificates of public and private authorities through ACME (RFC 8555). The protocol is loaded with the first one.

/** Where certificates come from, and how the CA is shown that the names are ours. */
export const acmeTarget = z.strictObject({
  ...acmeFields,
  /** Where challenge values are published; `static-website` answers http-01, all others dns-01. */
  challenge: challengeConfig,
});

export type AcmeTarget = z.output<typeof acmeTarget>;

type AcmeStep = Step<AcmeTarget>;

const publisherFor = (step: AcmeStep): Publisher => publisherOf(step.target.challenge, step);

/** Read only: key, directory and challenge would do for an order. Throws TARGET_MISCONFIGURED with what to change. */
export async function observeAcme(step: AcmeStep): Promise<{ readonly proofs: readonly Proof[] }> {
  const { observeIssuance } = await import("./shared/acme/observe.ts");
  return { proofs: await observeIssuance(step, publisherFor(step)) };
}

/** The rotation's certificate, or the next piece of work for it; see `issue` of shared/acme. */
export async function issueByAcme(step: AcmeStep): Promise<VaultCertificate> {
  const { issue } = await import("./shared/acme/issue.ts");
  return await issue(step, publisherFor(step));
}

/** Withdraws every challenge value and forgets the order. Harmless when there is nothing. */
export async function abandonAcme(step: AcmeStep): Promise<readonly Proof[]> {
  const { abandon } = await import("./shared/acme/issue.ts");
  await abandon(step, publisherFor(step));
  return [{ name: "no challenge value is left", ok: true }];
}

/** Tells the CA that a certificate is superseded, where the target wants that. */
export async function revokeByAcme(step: AcmeStep, old: Credential): Promise<readonly Proof[]> {
  if (!step.target.revokeOld) return [];
  const { revokeSuperseded } = await import("./shared/acme/revoke.ts");
  const { leaf } = await step.ports.certificate(urlOf(old));
  return [await revokeSuperseded(step, leaf)];
}

/** The instant in the CA's window (RFC 9773); nothing where the CA has no wish. */
export async function renewByAcme(step: AcmeStep, current: Credential): Promise<string | undefined> {
  const { renewAt } = await import("./shared/acme/ari.ts");
  const { at, by } = await renewAt(step, await step.ports.certificate(urlOf(current)));
  return by === "the CA's window" ? new Date(at).toISOString() : undefined;
}

/** Certificates through ACME: the vault makes the key pair, the CA signs, the account's key signs in its vault. */
export const certificateAcme = defineRotator({
  kind: "certificate-acme",
  target: acmeTarget,
  ...certificateParts<AcmeTarget>({
    observe: observeAcme,
    issue: issueByAcme,
    abandon: abandonAcme,
    revoke: revokeByAcme,
  }),
  renewAt: renewByAcme,
  roles: [signKeyRole, readSecretRole, ...challengeRoles],
  needs: ({ account, eab, challenge }) => [
    { role: signKeyRole, at: account },
    ...(eab === undefined ? [] : [{ role: readSecretRole, at: eab.key }]),
    ...challengeNeeds(challenge),
  ],
  accounts: () => [],
  account: () => "",
});
