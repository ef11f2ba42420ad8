import { Conflict } from "./store.ts";
import type { Commit, Store, Stored } from "./store.ts";

/** What a memory store keeps: shared by the stores made of it, as tables are shared by the processes that use them. */
export type MemoryRows = Map<string, { readonly text: string; readonly etag: number }>;

/** A store in memory, for tests. It keeps copies only. */
export function createMemoryStore(rows: MemoryRows = new Map()): Store {
  const etags = new Map<string, number>();
  const read = (id: string): Stored | undefined => {
    const row = rows.get(id);
    return row && (JSON.parse(row.text) as Stored);
  };
  const write = (id: string, stored: Stored) => {
    const etag = (rows.get(id)?.etag ?? 0) + 1;
    rows.set(id, { text: JSON.stringify(stored), etag });
    return etag;
  };
  const see = (id: string) => {
    const row = rows.get(id);
    if (row) etags.set(id, row.etag);
    return read(id);
  };
  // As with a table: nothing happens in the caller's turn.
  const later = async <T>(work: () => T): Promise<T> => {
    await Promise.resolve();
    return work();
  };
  const apply = ({ instance, append, enqueue, consume }: Commit) => {
    const { id } = instance;
    const before = read(id);
    if (rows.get(id)?.etag !== etags.get(id)) throw new Conflict(`The instance '${id}' has been written by another.`);
    const history = before?.instance.generation === instance.generation ? before.history : [];
    const kept = (before?.inbox ?? []).filter(({ key }) => !consume.includes(key) && key >= instance.since);
    const inbox = [...kept, ...enqueue].sort((a, b) => (a.key < b.key ? -1 : 1));
    etags.set(id, write(id, { instance, history: [...history, ...append], inbox }));
  };
  return {
    open: async () => {},
    close: async () => {},
    list: () => later(() => [...rows.keys()].map((id) => see(id)!.instance)),
    load: (id) => later(() => see(id)),
    commit: (change) => later(() => apply(change)),
    enqueue: (id, message) =>
      later(() => {
        const row = rows.get(id);
        const stored = read(id);
        // A message is a row of its own: it leaves the instance's tag alone.
        if (row && stored)
          rows.set(id, { ...row, text: JSON.stringify({ ...stored, inbox: [...stored.inbox, message] }) });
      }),
    remove: (id) =>
      later(() => {
        rows.delete(id);
        etags.delete(id);
      }),
    tidy: async () => {},
  };
}
