import type { ErrorCode } from "../errors.ts";
import type { Reached } from "../workflow/steps.ts";

/** Where a managed object stands. `running` until the consumers moved; `grace` while both credentials live; `held`: a gate is shut. */
export type Phase = "idle" | "running" | "grace" | "held" | "retiring" | "rolling-back";

/** How a rotation ended. `observed`: observe mode, nothing was changed. `kept`: done, but the old credential could not be retired. */
export type Outcome = "rotated" | "rolled-back" | "failed" | "refused" | "observed" | "stale" | "kept";

/** A managed object's row. References and times (ISO 8601, by the cloud) only. */
export interface ObjectState {
  readonly phase: Phase;
  readonly rotationId?: string;
  readonly step?: string;
  readonly sourceVersion?: string;
  /** When the source version expires. */
  readonly expiresAt?: string;
  readonly publishedVersion?: string;
  readonly publishedAt?: string;
  /** When the published version ends: a CA may give less than the policy asks. */
  readonly publishedUntil?: string;
  /** Since when the old credential was seen idle without a break, in which round of suspending: in a hold between two rounds nobody looks. */
  readonly idleSince?: string;
  readonly idleRound?: number;
  /** From here on a rollback is answered with 409. */
  readonly pointOfNoReturn: boolean;
  readonly attempts: number;
  readonly retryNotBefore?: string;
  readonly quarantined: boolean;
  readonly outcome?: Outcome;
  readonly code?: ErrorCode;
  readonly message?: string;
  readonly endedAt?: string;
  /** Versions that were current before: a late event for one of them starts nothing. The last 20. */
  readonly superseded: readonly string[];
  /** When every consumer was proven to have left a version that serves on. ISO 8601. The last 20. */
  readonly left?: readonly { readonly version: string; readonly at: string }[];
  /** A request that came when it could not be served, and the person who made it, if one did; the sweep acts on it later. */
  readonly remembered?: { readonly version: string; readonly at: string; readonly why: string; readonly by?: Actor };
  readonly lastCommand?: string;
  /** It waits for its window, and gave its place in the fleet back meanwhile. */
  readonly parked?: true;
  /** What the running rotation has come to: all that is needed to take it up again when its orchestration is lost. */
  readonly reached?: Reached;
  /** The rotation for which the negative control was made: a retry must not lock the account out. */
  readonly controlledFor?: string;
  /** What its rotator remembers between steps and rotations: references, never a secret. */
  readonly notes?: Readonly<Record<string, string>>;
  /** Since when a candidate is waited for. */
  readonly pendingSince?: string;
  /** When a person was last reminded of what is waited for. */
  readonly remindedAt?: string;
  /** What the issuer said of a version's renewal, and when it was asked. ISO 8601; without `at` it has no wish. */
  readonly renewal?: { readonly version: string; readonly askedAt: string; readonly at?: string };
  /** Versions the object had when it was last published; a backup holds 500 at most. */
  readonly versionCount?: number;
  /** What the sweep saw: due date, drift of pins; and the current version, of what may be rotated. */
  readonly report?: {
    readonly at: string;
    readonly current?: { readonly version: string; readonly madeAt: string };
    readonly dueAt?: string;
    readonly expiresAt?: string;
    readonly notes: readonly string[];
  };
}

export type Verb = "start" | "rollback" | "finish" | "merge" | "withdraw";

/** Who asked. For an event or the sweep the actor is the vault or the timer, and such a record can only start. */
export interface Actor {
  readonly kind: "person" | "app" | "key" | "vault" | "timer";
  /** Entra object id of a person or app; the vault's or timer's name otherwise. */
  readonly id: string;
  readonly roles: readonly string[];
}

/** A command record: written before anything is woken, the only authority there is (design 3.2). */
export interface Command {
  readonly id: string;
  readonly verb: Verb;
  readonly rotationId: string;
  /** The version of the managed object that the command means. */
  readonly version: string;
  readonly actor: Actor;
  /** ISO 8601. */
  readonly at: string;
  readonly reason?: string;
  readonly change?: string;
}
