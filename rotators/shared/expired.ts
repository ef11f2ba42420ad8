import type { Step, VaultKey } from "../../src/rotator.ts";

/**
 * Whether a key's time is over. From then on its vault only decrypts, unwraps and verifies with it, so that nothing is lost (Key Vault,
 * "About keys", date-time controlled operations); it signs and wraps no more.
 */
export const hasExpired = ({ ports }: Pick<Step<unknown>, "ports">, { expiresAt }: VaultKey): boolean =>
  expiresAt !== undefined && Date.parse(expiresAt) <= ports.now();
