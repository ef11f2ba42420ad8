/** The facts that each signal carries, flat and in this order after `counter`. References, codes, counts and times (ISO 8601); never a secret. */
interface Declared {
  /** What happened when it is logged. */
  readonly says: string;
  readonly facts: readonly string[];
}

const ended = ["object", "rotationId", "outcome", "code"] as const;

/**
 * The stable counters of Pinion's log, which alert rules and workbooks ask for: a name is never renamed, its facts are only added to. A step
 * may run twice, or late, and then logs twice: count rotations with `dcount(rotationId)`, never lines.
 *
 * A line is a sentence, a blank and the facts as one flat JSON object that begins with `counter`; in Log Analytics:
 * `AppTraces | extend facts = parse_json(extract(@'(\{"counter":[^{}]*\})$', 1, Message)) | where facts.counter == 'rotation.failed'`.
 */
export const signals = {
  "rotation.started": {
    says: "A rotation took its object; preflight begins. Without `rotation.ended` for the same rotationId it still runs, or is stuck.",
    facts: ["object", "rotationId"],
  },
  "rotation.ended": {
    says: "A rotation is over, with the outcome that its evidence has: rotated, kept, rolled-back, failed, refused, observed or stale. `code` is that of its fault, or empty.",
    facts: ended,
  },
  "rotation.failed": {
    says: "A rotation is over and gave no new credential, by a fault: failed, refused, or rolled back by itself. A rollback that a person asked for is none.",
    facts: ended,
  },
  "rotation.held": {
    says: "A gate before the end of the old credential is shut, and why; `escalated` is true when it is shut for longer than the policy allows. Repeated for as long as it is.",
    facts: ["object", "rotationId", "code", "escalated"],
  },
  "step.failed": {
    says: "One try of a step failed; most are tried again. `code` tells what refused: TARGET_FORBIDDEN, CONSUMER_FORBIDDEN, STORAGE_UNAVAILABLE.",
    facts: ["object", "rotationId", "step", "code"],
  },
  "rotation.lost": {
    says: "The sweep found a rotation under way by its record (`phase`) while nothing runs it, and could not take it up: it moves no more. Once in each sweep.",
    facts: ["object", "rotationId", "phase"],
  },
  "rotation.recovered": {
    says: "A rotation lost its orchestration, and another one goes on where its record stood (`phase`).",
    facts: ["object", "rotationId", "phase"],
  },
  "record.rebuilt": {
    says: "The sweep found an object that Pinion had rotated and has no record of, and rebuilt that from the vault's tags. `formerEnabled`: the version before is still enabled, as when a rotation never ended.",
    facts: ["object", "rotationId", "formerEnabled"],
  },
  "object.seen": {
    says: "The sweep looked at an object: where it stands (`phase`, with its last or running rotation), since when, and when it is due and expires. `since` is when the running step began, or the last rotation ended; what is not known is empty. Once in each sweep.",
    facts: ["object", "phase", "rotationId", "since", "dueAt", "expiresAt"],
  },
  "object.overdue": {
    says: "The sweep found the newest version of an object expired, or long past its due date. Once in each sweep.",
    facts: ["object", "dueAt", "expiresAt"],
  },
  "pins.drifted": {
    says: "The sweep found a consumer pinned to another version than the current one: the old credential may be dead. Once in each sweep.",
    facts: ["object", "consumer"],
  },
  sweep: {
    says: "A sweep is over: objects seen, due, started, and not readable; and the faults of the policy. Its absence means that the app does not run.",
    facts: ["seen", "due", "started", "unreadable", "policyFaults"],
  },
  "vault.forbidden": {
    says: "A vault (its host) refused the app's identity: 403, or a token of another tenant.",
    facts: ["vault"],
  },
  "vault.throttled": { says: "A vault (its host) answered 429.", facts: ["vault"] },
  "events.started": { says: "A vault's event started a rotation.", facts: [] },
  "events.running": { says: "A vault's event is about a rotation that runs already.", facts: [] },
  "events.ignored": { says: "A vault's event asks for nothing.", facts: [] },
  "events.refused": { says: "A vault's event could start nothing now; the sweep comes back to it.", facts: [] },
  "events.malformed": { says: "A message of the queue or the webhook is no Key Vault event.", facts: [] },
  "events.foreign": { says: "An event of a vault that is not in the policy.", facts: [] },
  "settings.faulty": {
    says: "The app started with faults in its settings: it rotates nothing until they are corrected. `faults` counts them.",
    facts: ["faults"],
  },
} as const satisfies Readonly<Record<string, Declared>>;

/** The name of a signal. */
export type Counter = keyof typeof signals;

type Fact = string | number | boolean;

/** A signal with its facts; a wrong name, or a fact that is missing, does not compile. */
export type Signal = {
  [C in Counter]: { readonly counter: C } & Readonly<Record<(typeof signals)[C]["facts"][number], Fact>>;
}[Counter];

/** What goes with a line of the log: a signal, or facts that nobody counts. */
export type Facts = Signal | { readonly [name: string]: unknown; readonly counter?: never };

export type Level = "info" | "warning" | "error";

/** Writes a line of Pinion's log. */
export type Log = (level: Level, message: string, facts?: Facts) => void;

/** The text of a line. The counter comes first, then its facts as they are declared. */
export function logLine(message: string, facts?: Facts): string {
  if (facts === undefined) return message;
  const { counter, ...rest } = facts;
  return `${message} ${JSON.stringify(counter === undefined ? rest : { counter, ...rest })}`;
}
