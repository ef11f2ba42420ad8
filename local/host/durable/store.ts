import type { HistoryEvent } from "./history.ts";
import type { Instance, Message } from "./instance.ts";

/** A message as stored: it always has a key. */
export type StoredMessage = Message & { readonly key: string };

/** What changes at once for one instance. All of it is stored, or nothing. */
export interface Commit {
  readonly instance: Instance;
  /** The instance did not exist, or is replaced: its input and the like are stored too. */
  readonly whole: boolean;
  /** One row of history; empty: none. */
  readonly append: readonly HistoryEvent[];
  readonly enqueue: readonly StoredMessage[];
  /** Keys of messages. */
  readonly consume: readonly string[];
}

/** An instance as stored, with what belongs to its current execution. */
export interface Stored {
  readonly instance: Instance;
  readonly history: readonly HistoryEvent[];
  /** In order of their keys. */
  readonly inbox: readonly StoredMessage[];
}

/**
 * Where instances live between checkpoints. Every call is durable once it has resolved. One process uses a hub at a
 * time; should two meet after all, `commit` rejects with `Conflict` and the loser loads again.
 */
export interface Store {
  /** Makes the tables when absent. */
  open(): Promise<void>;
  close(): Promise<void>;
  /** All instances of the hub. */
  list(): Promise<Instance[]>;
  load(id: string): Promise<Stored | undefined>;
  commit(change: Commit): Promise<void>;
  /** Stores one message. */
  enqueue(id: string, message: StoredMessage): Promise<void>;
  /** Deletes all rows of an instance. */
  remove(id: string): Promise<void>;
  /** Deletes what earlier executions have left; it no longer counts either way. */
  tidy(instance: Instance): Promise<void>;
}

/** Somebody else has written this instance's checkpoint. */
export class Conflict extends Error {}
