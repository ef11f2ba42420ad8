import type { KeyVersion, Vault } from "./model.ts";

/** Units in ten seconds of one vault, from the service's limits page (software keys). */
const limits = {
  /** Secrets made; imports of keys and certificates count with them. */
  imports: 300,
  /** Keys made, those of certificates too. */
  creations: 20,
  /** All other requests about keys: 4000 for RSA 2048 and EC; larger keys weigh more. */
  keys: 4000,
  other: 4000,
} as const;
const windowMs = 10_000;
/** All vaults of a subscription together may do so many times what one may. */
const subscriptionFactor = 5;

type Bucket = keyof typeof limits;

/** Counts requests in windows of ten seconds. */
export interface Budget {
  readonly fits: (bucket: Bucket, cost: number, now: number) => boolean;
  readonly take: (bucket: Bucket, cost: number) => void;
  readonly reset: () => void;
}

function createBudget(factor: number): Budget {
  let since = -Infinity;
  let counts: Record<Bucket, number> = { imports: 0, creations: 0, keys: 0, other: 0 };
  const reset = (now = -Infinity) => {
    since = now;
    counts = { imports: 0, creations: 0, keys: 0, other: 0 };
  };
  return {
    fits(bucket, cost, now) {
      if (now - since >= windowMs || now < since) reset(now);
      return counts[bucket] + cost <= factor * limits[bucket];
    },
    take: (bucket, cost) => void (counts[bucket] += cost),
    reset: () => reset(),
  };
}

/** What all vaults of a subscription share. */
export const createSubscription = (): Budget => createBudget(subscriptionFactor);

/** Counts the requests of one vault. */
export interface Throttle {
  /** True when the vault may serve the operation at the instant `now`; refused requests do not count. */
  readonly admits: (operation: string, now: number, weight?: number) => boolean;
  readonly reset: () => void;
}

/** Makes the counters of one vault. */
export function createThrottle(subscription: Budget = createSubscription()): Throttle {
  const budgets = [createBudget(1), subscription];
  return {
    reset() {
      for (const budget of budgets) budget.reset();
    },
    admits(operation, now, weight = 1) {
      const bucket = bucketOf(operation);
      const cost = bucket === "keys" ? weight : 1;
      if (!budgets.every((budget) => budget.fits(bucket, cost, now))) return false;
      for (const budget of budgets) budget.take(bucket, cost);
      return true;
    },
  };
}

function bucketOf(operation: string): Bucket {
  if (/^(secret\.set|key\.import|certificate\.import)$/.test(operation)) return "imports";
  if (/^(key\.create|key\.rotate|certificate\.create)$/.test(operation)) return "creations";
  return operation.startsWith("key.") ? "keys" : "other";
}

/** What a request about this key counts: 1 for EC and RSA 2048, 4 for RSA 3072 (1000 in ten seconds), 8 for 4096 (500). */
export function keyWeight(vault: Pick<Vault, "keys">, name: string, version: string): number {
  const versions: readonly KeyVersion[] = vault.keys.find(name)?.versions ?? [];
  const key = version ? versions.find(({ id }) => id === version) : versions.at(-1);
  const bits = (key?.jwk.n?.length ?? 0) * 6;
  return bits > 4000 ? 8 : bits > 3000 ? 4 : 1;
}
