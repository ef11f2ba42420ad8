import type { Clock } from "../clock.ts";
import type { AnyCollection } from "./collection.ts";
import type { Vault } from "./model.ts";

/** Vaults being watched for what is due by the clock; after `close` nothing begins or is written any more. */
export interface Clockwork {
  readonly watch: (vault: Vault) => void;
  readonly close: () => void;
  readonly closed: () => boolean;
}

/** What a clockwork looks at. */
export interface ClockworkParts {
  readonly clock: Clock;
  /** Real milliseconds between two looks at the clock. */
  readonly tickMs: number;
  readonly collectionOf: (vault: Vault) => Pick<AnyCollection, "revision">;
  /** Does or begins what is due; returns when, with no change, the next look is due (milliseconds; Infinity: never). */
  readonly look: (vault: Vault, now: number) => number;
  /** Done at every tick, before it is asked whether anything has changed. */
  readonly first?: (vault: Vault, now: number) => void;
}

/** Starts to look at the clock. A vault is looked at when its collection has changed, or when something of it is due. */
export function createClockwork({ clock, tickMs, collectionOf, look, first }: ClockworkParts): Clockwork {
  const watched: { readonly vault: Vault; revision: number; nextAt: number }[] = [];
  let closed = false;
  const tick = () => {
    const now = clock.now();
    for (const one of watched) {
      try {
        first?.(one.vault, now);
        const revision = collectionOf(one.vault).revision();
        if (one.revision === revision && now < one.nextAt) continue;
        Object.assign(one, { revision, nextAt: look(one.vault, now) });
      } catch (error) {
        // A disk that is full, say: the next look tries again.
        console.error(error instanceof Error ? error.stack : error);
      }
    }
  };
  const timer = setInterval(tick, tickMs).unref();
  return {
    watch: (vault) => void watched.push({ vault, revision: -1, nextAt: -Infinity }),
    closed: () => closed,
    close() {
      closed = true;
      clearInterval(timer);
    },
  };
}
