/** Where instances live between checkpoints. */
export interface Store {
  /** Opens the store, making its tables when absent. */
  open(): Promise<void>;
  close(): Promise<void>;
}

/** A store in memory: for tests; nothing outlives the process. */
export function createMemoryStore(): Store {
  throw new Error("The Durable stand-in is being written.");
}

/** A store in Azurite's tables, named `<hub>Standin*`: the real extension never meets them. */
export function createTableStore(_options: { readonly connectionString: string; readonly hub: string }): Store {
  throw new Error("The Durable stand-in is being written.");
}
