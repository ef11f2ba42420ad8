import { AsyncLocalStorage } from "node:async_hooks";
import type { Change } from "./collection.ts";
import type { SecretVersion, Vault, VersionRecord } from "./model.ts";
import { Refusal } from "./refusal.ts";

// Azure Policy's built-in definitions for the contents of a vault, with the effect Deny: a write whose result would
// break one is refused with 403 and changes nothing.

/** What is asked of every version that is written; absent: nothing. */
export interface ObjectRules {
  /** It must have an expiry. */
  readonly expirySet?: boolean | undefined;
  /** From now to its expiry, if it has one, at least so many days. */
  readonly minimumValidityDays?: number | undefined;
  /** From its nbf, or its creation, to its expiry, if it has one, at most so many days. */
  readonly maximumValidityDays?: number | undefined;
}

/** The policies assigned to a vault. */
export interface PolicyRules {
  readonly secrets?: (ObjectRules & { readonly contentTypeSet?: boolean | undefined }) | undefined;
  readonly keys?: ObjectRules | undefined;
  readonly certificates?: ObjectRules | undefined;
}

/** Told of changes before they are made; it may throw. */
type Judge = (changes: readonly Change[]) => void;

/** The judge of the request that is being served. */
const current = new AsyncLocalStorage<Judge>();

/** To be called with changes before they are written down. */
export const judge: Judge = (changes) => current.getStore()?.(changes);

const writing = /^(secret|key|certificate)\.(set|create|import|update|rotate|merge)$/;
const day = 86_400;

/** Does the work of an operation under the vault's policies. What a restore brings back is not judged. */
export function underPolicy<T>(vault: Vault, operation: string, now: number, work: () => T): T {
  const { policy } = vault.settings;
  const noun = policy && writing.exec(operation)?.[1];
  const kind = noun && (`${noun}s` as keyof PolicyRules);
  const rules = kind && policy[kind];
  if (!rules) return work();
  return current.run((changes) => {
    for (const { record } of changes) {
      if (record.kind !== kind) continue;
      for (const version of (record.versions ?? []) as readonly VersionRecord[])
        check(vault, kind, rules, version, now);
    }
  }, work);
}

function check(
  vault: Vault,
  kind: keyof PolicyRules,
  rules: NonNullable<PolicyRules["secrets"]>,
  version: VersionRecord,
  now: number,
): void {
  const { exp, nbf = Math.floor(version.created / 1000) } = version;
  const { expirySet, minimumValidityDays: least, maximumValidityDays: most, contentTypeSet } = rules;
  const what = `${kind[0]!.toUpperCase()}${kind.slice(1)}`;
  if (expirySet && exp === undefined) throw denied(vault, `Key Vault ${kind} should have an expiration date`);
  if (least !== undefined && exp !== undefined && exp - now / 1000 < least * day) {
    throw denied(vault, `${what} should have more than the specified number of days before expiration (${least})`);
  }
  if (most !== undefined && exp !== undefined && exp - nbf > most * day) {
    throw denied(vault, `${what} should have the specified maximum validity period (${most} days)`);
  }
  if (contentTypeSet && !(version as SecretVersion).contentType) {
    throw denied(vault, `${what} should have content type set`);
  }
}

const denied = ({ name }: Vault, policy: string): Refusal =>
  new Refusal(
    403,
    "Forbidden",
    `Operation was disallowed by policy. Policy: '${policy}'.\r\nVault: ${name};location=local`,
    "ForbiddenByPolicy",
  );
