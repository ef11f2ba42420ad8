import { setTimeout as delay } from "node:timers/promises";

/** What the app's process can call: each of these goes through a proxy of its own. */
export type Place = "vault" | "arm" | "topic" | "identity" | "blob" | "table" | "postgres" | "health";

/** One outside call of the app. */
export interface Call {
  /** From 1, since the last `reset`. */
  readonly number: number;
  readonly place: Place;
  /** What it asks for, without values: `vault PUT /secrets/orders-db`. */
  readonly name: string;
  /** How many calls of this name there were before it, plus one. */
  readonly nth: number;
  /** Whether it was forwarded: then its work was done, whatever became of the reply. */
  readonly sent: boolean;
  /** Whether the reply was passed on. */
  readonly answered: boolean;
  /** The reply's status, for HTTP. */
  readonly status?: number;
}

/** When a fault strikes: the call never arrives; the work is done and the reply never arrives; the reply has arrived. */
export type Phase = "before" | "work" | "after";
export const phases = ["before", "work", "after"] as const;

/**
 * What happens to a call. `kill` runs the function and lets nothing more through until the process is gone. `freeze` holds the call until
 * the promise resolves; then it goes on, unless the app has given its connection up. `drop` breaks the connection. `answer` replies
 * in the service's place (HTTP only).
 */
export type Action =
  | { readonly kill: () => Promise<void>; readonly when: Phase }
  | { readonly freeze: Promise<void> }
  | { readonly drop: "before" | "work" }
  | { readonly answer: 429 | 503; readonly retryAfter?: number };

/** Chooses; undefined lets the call pass. */
export type Decide = (call: Call) => Action | undefined;

/** A call as its proxy handles it: the steps are asked in this order, and `false` means: break the connection. */
export interface Passage {
  readonly answer: { readonly status: 429 | 503; readonly retryAfter?: number } | undefined;
  /** Before the call is forwarded. `gone` tells whether the app has given the connection up. */
  send(gone: () => boolean): Promise<boolean>;
  /** When the service has done its work. */
  reply(status?: number): Promise<boolean>;
  /** When the reply was handed to the app's connection. */
  replied(): void;
}

/** Numbers calls and applies what was decided for them. */
export interface Gate {
  readonly calls: readonly Call[];
  open(place: Place, name: string): Passage;
  decide(next: Decide | undefined): void;
  reset(): void;
}

type Recorded = { -readonly [K in keyof Call]: Call[K] };

/** The app gets this long after a reply before it is killed, unless it makes its next call sooner. */
const aMoment = 15;
/** Requests that a killed process has left in sockets are read, and thrown away, within this time. */
const drained = 30;

export function createGate(): Gate {
  let calls: Recorded[] = [];
  let seen = new Map<string, number>();
  let choose: Decide | undefined;
  /** Set while a process is being killed: nothing passes until it is dead. */
  let dying: Promise<void> | undefined;
  let arrived: (() => void) | undefined;

  const execute = (kill: () => Promise<void>, first: Promise<unknown> = Promise.resolve()): Promise<void> => {
    dying = (async () => {
      await first;
      await kill();
      await delay(drained);
      dying = undefined;
    })();
    return dying;
  };

  return {
    get calls() {
      return calls;
    },
    decide: (next) => void (choose = next),
    reset() {
      calls = [];
      seen = new Map();
    },
    open(place, what) {
      const name = `${place} ${what}`;
      if (dying !== undefined) {
        // It never leaves the dying process, so it is no call at all.
        const killed = dying;
        arrived?.();
        const never = () => killed.then(() => false);
        return { answer: undefined, send: never, reply: never, replied: () => {} };
      }
      const nth = (seen.get(name) ?? 0) + 1;
      seen.set(name, nth);
      const call: Recorded = { number: calls.length + 1, place, name, nth, sent: false, answered: false };
      calls.push(call);
      const action = choose?.(call);
      const kill = action !== undefined && "kill" in action ? action : undefined;
      return {
        answer:
          action !== undefined && "answer" in action
            ? { status: action.answer, ...(action.retryAfter !== undefined && { retryAfter: action.retryAfter }) }
            : undefined,
        async send(gone) {
          if (action !== undefined && "freeze" in action) {
            await action.freeze;
            // A broken connection is noticed a turn later than it is broken.
            await delay(1);
          }
          if (kill?.when === "before") await execute(kill.kill);
          if (
            gone() ||
            kill?.when === "before" ||
            (action !== undefined && "drop" in action && action.drop === "before")
          )
            return false;
          call.sent = true;
          return true;
        },
        async reply(status) {
          if (status !== undefined) call.status = status;
          if (kill?.when === "work") await execute(kill.kill);
          if (kill?.when === "work" || (action !== undefined && "drop" in action)) return false;
          return true;
        },
        replied() {
          call.answered = true;
          if (kill?.when !== "after") return;
          const next = new Promise<void>((resolve) => (arrived = resolve));
          void execute(kill.kill, Promise.race([next, delay(aMoment)]));
        },
      };
    },
  };
}
