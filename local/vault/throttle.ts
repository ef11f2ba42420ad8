/** Requests in ten seconds of one vault, from the service's limits page; the rest of an operation's kind shares one count. */
const limits = { create: 300, other: 4000 } as const;
const windowMs = 10_000;

/** True when the vault may serve the operation at the instant `now`; refused requests do not count. */
export type Throttle = (operation: string, now: number) => boolean;

/** Makes the counters of one vault. */
export function createThrottle(): Throttle {
  let since = -Infinity;
  let counts = { create: 0, other: 0 };
  return (operation, now) => {
    if (now - since >= windowMs) {
      since = now;
      counts = { create: 0, other: 0 };
    }
    const kind = operation === "secret.set" ? "create" : "other";
    if (counts[kind] >= limits[kind]) return false;
    counts[kind] += 1;
    return true;
  };
}
