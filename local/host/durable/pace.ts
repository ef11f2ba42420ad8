/** Lets at most `most` pieces of work run at once; the others wait in order. */
export function createLimit(most: number): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await work();
    } finally {
      // The place goes to who waited longest, without being free in between.
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}

/** Makes keys that sort in the order they were made, across restarts too. */
export function createKeys(now: () => number): { next(): string; after(key: string): void } {
  let last = 0;
  let count = 0;
  return {
    next() {
      const at = now();
      count = at > last ? 0 : count + 1;
      last = Math.max(last, at);
      return `${String(last).padStart(15, "0")}-${String(count).padStart(6, "0")}`;
    },
    /** Makes sure that what comes is later than `key`, even if the clock has been set back between two runs. */
    after(key) {
      last = Math.max(last, Number(key.slice(0, 15)) + 1);
    },
  };
}
