// `node --import <this file>` with an IPC channel: answers every message with what the process has used so far;
// "collected": after its garbage is gone.

/** What a process has used. */
export interface Meter {
  /** Microseconds on a processor, since it began. */
  readonly cpu: number;
  /** Bytes: of the whole process, and of live JavaScript objects. */
  readonly rss: number;
  readonly heap: number;
}

process.on("message", (message) => {
  if (message === "collected") globalThis.gc?.();
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  process.send?.({ cpu: user + system, rss, heap: heapUsed } satisfies Meter);
});
