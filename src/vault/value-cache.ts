/** Keeps values of *versions* in this process's memory for a short while: a version's value never changes. */
export interface ValueCache {
  find(name: string, version: string): string | undefined;
  keep(name: string, version: string, value: string): void;
  forget(name: string, version: string): void;
}

/** Milliseconds of process time, so that neither a moved nor a wrong wall clock lengthens it. */
const lifetime = 5 * 60_000;
const capacity = 64;

/**
 * The steps of one rotation follow each other within seconds and need the same two values; the vault is asked once for each.
 * A version that was disabled meanwhile is still found here, which matters to nobody: the callers ask the vault for the newest
 * version itself wherever its state decides something.
 */
export function createValueCache(now: () => number = () => performance.now()): ValueCache {
  const entries = new Map<string, { value: string; at: number }>();
  const key = (name: string, version: string) => `${name.toLowerCase()}/${version}`;
  return {
    find(name, version) {
      const entry = entries.get(key(name, version));
      if (entry === undefined) return undefined;
      if (now() - entry.at < lifetime) return entry.value;
      entries.delete(key(name, version));
      return undefined;
    },
    keep(name, version, value) {
      entries.delete(key(name, version));
      entries.set(key(name, version), { value, at: now() });
      for (const [oldest, entry] of entries) {
        if (entries.size <= capacity && now() - entry.at < lifetime) break;
        entries.delete(oldest);
      }
    },
    forget(name, version) {
      entries.delete(key(name, version));
    },
  };
}
