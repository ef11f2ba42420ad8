/** One request, without values. */
export interface LogEntry {
  /** ISO 8601, by the cloud's clock. */
  readonly time: string;
  readonly vault: string;
  readonly method: string;
  /** Absent where the path is no operation. */
  readonly operation?: string;
  readonly name?: string;
  readonly version?: string;
  /** 0: the connection was cut by a fault. */
  readonly status: number;
  readonly caller?: string;
}

/** As it is added: the time in milliseconds, too. */
export type Added = Omit<LogEntry, "time"> & { readonly time: string | number };

/** The last requests, oldest first. */
export interface Log {
  /** Takes the time in milliseconds, too. */
  readonly add: (entry: Added) => void;
  readonly list: (vault?: string) => LogEntry[];
  readonly clear: (vault?: string) => void;
}

const kept = 10_000;

/** Makes an empty log that keeps the last 10,000 entries. */
export function createLog(): Log {
  let entries: Added[] = [];
  return {
    add(entry) {
      entries.push(entry);
      if (entries.length > 2 * kept) entries = entries.slice(-kept);
    },
    list: (vault) =>
      entries
        .filter((entry) => vault === undefined || entry.vault === vault)
        .slice(-kept)
        .map((entry) => ({ ...entry, time: new Date(entry.time).toISOString() })),
    clear(vault) {
      entries = vault === undefined ? [] : entries.filter((entry) => entry.vault !== vault);
    },
  };
}
