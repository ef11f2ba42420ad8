import type { Vault } from "../model.ts";
import type { CertificateObject, CertificateVersion, LifetimeAction, Policy } from "./model.ts";

// When things happen by themselves, in milliseconds of the cloud's clock.

const day = 86_400_000;

/** When an operation that begins now is answered by its issuer; undefined: it waits for people. */
export function dueOf({ settings }: Vault, { issuer: { name } }: Policy, now: number): number | undefined {
  if (name === "Unknown") return undefined;
  return now + (name === "Self" ? settings.certificateDelayMs : settings.issuerDelayMs);
}

/** When an action of that type has its turn for a version; Infinity: never. */
export function actionAt(
  { policy }: CertificateObject,
  { nbf, exp }: CertificateVersion,
  type: LifetimeAction["action"]["action_type"],
): number {
  const trigger = policy.lifetime_actions.find(({ action }) => action.action_type === type)?.trigger;
  if (!policy.enabled || !trigger || nbf === undefined || exp === undefined) return Infinity;
  const { lifetime_percentage, days_before_expiry } = trigger;
  if (days_before_expiry !== undefined) return exp * 1000 - days_before_expiry * day;
  return (nbf + ((exp - nbf) * lifetime_percentage!) / 100) * 1000;
}
