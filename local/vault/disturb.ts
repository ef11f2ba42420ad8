import { setTimeout as sleep } from "node:timers/promises";
import type { VaultEvent } from "./model.ts";

/** What befalls the next events; each number is counted down. Absent: as before. */
export interface Disturbance {
  /** So many events are given twice. */
  readonly duplicate?: number | undefined;
  /** So many events are held until all of them are there, then given in reverse order. */
  readonly reorder?: number | undefined;
  /** So many events are lost. */
  readonly lose?: number | undefined;
}

type Receiver = (event: VaultEvent) => void | Promise<void>;

/** A receiver that disturbs what it hands on. */
export interface Disturbed {
  readonly onEvent: Receiver;
  /** What was held by an earlier `reorder` is let go when this one asks for none. */
  readonly disturb: (disturbance: Disturbance) => void;
}

/** Real milliseconds between events that were held, so that what comes after keeps their order. */
const apart = 50;

/** Hands events on to `receiver` undisturbed, until asked otherwise. */
export function createDisturbed(receiver: Receiver): Disturbed {
  const left = { duplicate: 0, reorder: 0, lose: 0 };
  const held: (() => void)[] = [];
  const takeOne = (name: keyof typeof left) => left[name] > 0 && left[name]-- > 0;
  const release = async () => {
    for (const go of held.splice(0).toReversed()) {
      go();
      await sleep(apart);
    }
  };
  return {
    async onEvent(event) {
      if (takeOne("lose")) return;
      const again = takeOne("duplicate");
      if (takeOne("reorder")) {
        const turn = new Promise<void>((go) => void held.push(go));
        if (left.reorder === 0) void release();
        await turn;
      }
      await receiver(event);
      if (again) await receiver(event);
    },
    disturb(disturbance) {
      Object.assign(left, Object.fromEntries(Object.entries(disturbance).filter(([, value]) => value !== undefined)));
      if (left.reorder === 0) void release();
    },
  };
}
