import type { ErrorClass, Fault } from "../errors.ts";

/** Seconds between tries, and how long to go on. */
export interface RetryPolicy {
  readonly first: number;
  readonly factor: number;
  readonly most: number;
  /** Seconds after the first failure at which trying ends. */
  readonly total: number;
  /** False: a shut window is a failure like any other. Default: it is waited for, however long that takes. */
  readonly waits?: false;
}

const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;

/** One policy for each class of error; `undefined`: never again. */
export const byClass: Readonly<Record<ErrorClass, RetryPolicy | undefined>> = {
  permanent: undefined,
  transient: { first: 2, factor: 2, most: 5 * minute, total: 30 * minute },
  throttled: { first: 5, factor: 2, most: 10 * minute, total: 2 * hour },
  propagation: { first: 10, factor: 1.5, most: 2 * minute, total: 30 * minute },
};

/** A gate that is shut: the old credential stays, and is looked at again, ever more seldom. 30 days are under 50 looks. */
export const hold: RetryPolicy = { first: 5 * minute, factor: 2, most: 1 * day, total: Number.POSITIVE_INFINITY };

/** What a look at a shut gate gets beyond its first try: another look follows. */
export const glance: RetryPolicy = { first: 5, factor: 2, most: 60, total: 60 };

/**
 * While a credential is, or may be, suspended somebody may be missing it: what does not hold by then lifts the suspension. Longer than
 * a lost lease. Not even a shut window is waited for.
 */
export const whileSuspended: RetryPolicy = { first: 5, factor: 2, most: 30, total: 2 * minute, waits: false };

/** A suspension that must be lifted: somebody is without a credential for as long as that does not succeed. */
export const lift: RetryPolicy = { first: 5, factor: 2, most: 30 * minute, total: 7 * day };

/** A place in the fleet, once the window has opened: it comes when it comes. */
export const place: RetryPolicy = { first: 1 * minute, factor: 2, most: 30 * minute, total: Number.POSITIVE_INFINITY };

/** A candidate that somebody else makes, in seconds: a CA within a minute, a person within days. */
export const issuance = (seconds: number): RetryPolicy => ({ first: 2, factor: 1.3, most: hour, total: seconds });

/** A cache or a verifier that holds the former state for a time that is known: it is waited for, whatever it is. */
export const settling: RetryPolicy = { first: 5, factor: 2, most: hour, total: Number.POSITIVE_INFINITY };

/** Seconds after a suspension at which the watch looks: soon, since whoever misses it fails now, then ever more seldom. */
export function looksWithin(watchSeconds: number): readonly number[] {
  const looks: number[] = [];
  for (let at = 2 * minute, step = 8 * minute; at < watchSeconds; at += step, step *= 4) looks.push(at);
  return looks;
}

/** What must not be left half done (taking a candidate away, writing the record): tried like a hold, and never given up early. */
export const cleanup: RetryPolicy = { first: 10, factor: 2, most: 6 * hour, total: 7 * day };

/** Seconds to wait before try number `attempt + 1`, or undefined when the policy is used up. Both in seconds since the first failure. */
export function nextDelay(policy: RetryPolicy, attempt: number, elapsed: number, fault?: Fault): number | undefined {
  const grown = Math.min(policy.first * policy.factor ** (attempt - 1), policy.most);
  const delay = Math.max(grown, fault?.retryAfterSeconds ?? 0);
  return elapsed + delay > policy.total ? undefined : delay;
}
