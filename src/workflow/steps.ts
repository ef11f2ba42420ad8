import type { Fault } from "../errors.ts";
import type { CredentialRef, Proof } from "../rotator.ts";
import type { Outcome, Verb } from "../store/types.ts";

/** What starts an orchestration: the object and the command record that asked. Without the record nothing happens. */
export interface Start {
  readonly objectId: string;
  readonly rotationId: string;
}

/** The input of an orchestration. `takeUp`: that of this rotation was lost, and another one goes on where the object's record says. */
export interface Begin extends Start {
  readonly takeUp?: true;
}

/** What preflight found and the policy asks, fixed for this rotation. References, versions and seconds; no secret. */
export interface Plan {
  readonly objectId: string;
  readonly rotationId: string;
  readonly strategy: "dual" | "alternating" | "in-place";
  readonly sourceVersion: string;
  /** The earlier versions whose credential the source carries again, after rollbacks. */
  readonly sourceAliases?: readonly string[];
  /** ISO 8601; when the current credential's version says it ends. */
  readonly expiresAt?: string;
  readonly current: CredentialRef;
  readonly idle: CredentialRef;
  /** Whether `suspend` exists between the grace and the final revoke. */
  readonly suspends: boolean;
  /** Whether the vault makes the candidate in the object itself: a version of ours may be there from the stage on. */
  readonly madeInObject?: true;
  /** How long a candidate may take to come, where somebody else makes it. */
  readonly issueSeconds?: number;
  /** How often the candidate must prove itself, and how far apart: for targets that replicate. */
  readonly validations: number;
  readonly validateEverySeconds: number;
  readonly graceSeconds: number;
  /** The slowest consumer's lag: how long somebody may still hold a value after its reference moved. */
  readonly lagSeconds: number;
  /** How long a consumer may take to be proven on a version. */
  readonly uptakeSeconds: number;
  /** Until consumers that do not report their version are asked for their health again; 0 where all of them report it. */
  readonly recheckSeconds: number;
  readonly watchSeconds: number;
  readonly maxHoldSeconds: number;
  readonly consumers: readonly Before[];
}

/** A consumer's reference before the cutover, so that a rollback puts back exactly that. It names a version; it holds no secret. */
export interface Before {
  readonly id: string;
  readonly reads: "pinned" | "latest";
  readonly text: string;
  /** The version in the text, where it names one. */
  readonly pinned?: string;
}

/** The credential to retire, the one that stays, and the version every consumer must be proven on. */
export interface Retirement {
  readonly old: CredentialRef;
  /** The version of the managed object that holds the old one's value. */
  readonly oldVersion: string;
  readonly keptVersion: string;
  /** Counts the suspensions of this rotation from 1, so that a late copy of one is told from the next. */
  readonly round: number;
}

/** What a running rotation has come to, as the object's record keeps it. References and times (ISO 8601) only. */
export interface Reached {
  readonly plan: Plan;
  readonly startedAt: string;
  readonly staged?: { readonly stagedVersion: string; readonly candidate: CredentialRef };
  readonly publishedVersion?: string;
  /** When every consumer was first proven on the published version: the grace counts from here. */
  readonly verifiedAt?: string;
  /** How it ended, noted before anything of the end is done: nothing is decided anew after that. */
  readonly ended?: Ended;
  /** How often it was taken up. */
  readonly takenUp?: number;
}

/** Where a rotation goes on whose orchestration was lost. */
export interface TakenUp extends Reached {
  /** `forward`: up to the moment when the consumers use the candidate. `revoking`: past the point of no return. */
  readonly at: "forward" | "grace" | "suspended" | "revoking" | "turning-back";
  /** A version of this rotation is in the vault already, whether or not its writer lived to say so. */
  readonly written: boolean;
  /** The last round of suspending; absent where none was begun. */
  readonly round?: number;
  readonly rollbackAsked: boolean;
  readonly finishAsked: boolean;
}

/** One line of the evidence: a step with its times from the history (ISO 8601), its proofs, or its fault. */
export interface TimelineEntry {
  readonly step: StepName;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly attempts: number;
  readonly proofs: readonly Proof[];
  readonly fault?: Fault;
}

/** Inputs (beside object and rotation id) and results of every activity. A result holds references only. */
export interface Steps {
  /** `takenUp` where the record says that the rotation had come further. */
  preflight: {
    input: { takeUp?: true };
    result: { plan: Plan; takenUp?: TakenUp } | { end: Extract<Outcome, "observed" | "stale"> };
  };
  stage: {
    input: { sourceVersion: string; current: CredentialRef; idle: CredentialRef };
    result: { stagedVersion: string; candidate: CredentialRef };
  };
  set: { input: Candidate; result: object };
  /** Only the first of several makes the negative control. */
  validate: { input: Candidate & { negativeControl: boolean }; result: object };
  publish: { input: Candidate; result: { publishedVersion: string; expiresAt: string } };
  cutover: { input: { version: string; consumers: readonly Before[] }; result: object };
  /** Proves every consumer on `version`, or, when turning back, on the reference it had before. */
  verify: {
    input: {
      version: string;
      back?: readonly Before[];
      /** Readers of the newest stay where they are, and nothing is asked of them: another version will come for them. */
      followersStay?: true;
    };
    result: object;
  };
  /** `cut`: what the wait ends at; it is heard before what it does not end at. `finish`: one was recorded, whatever is heard. */
  hear: { input: { cut?: "finish" | "merge" }; result: { heard?: Exclude<Verb, "start" | "withdraw">; finish?: true } };
  suspend: { input: Retirement; result: { waitSeconds?: number } };
  /** Looks whether anybody misses the suspended credential. */
  watch: { input: Retirement; result: object };
  revoke: { input: Retirement & { suspended: boolean }; result: object };
  /** Lifts a suspension. */
  resume: { input: { old: CredentialRef; round: number }; result: object };
  /** Proves that the current credential works, after putting its value back where the strategy is in place. */
  restore: { input: Candidate & { publishedVersion?: string }; result: object };
  /** Undoes what an unfinished stage left behind. */
  abandon: { input: { sourceVersion: string }; result: object };
  /** Removes a candidate that was never published. */
  discard: { input: Candidate; result: object };
  retreat: { input: { consumers: readonly Before[] }; result: object };
  /** `candidateVersion` is absent when the candidate was never published. */
  republish: { input: Candidate; result: { version: string; candidateVersion?: string } };
  hold: { input: { fault: Fault; escalate: boolean }; result: object };
  record: { input: Ending; result: { evidence?: string } };
}

/** Where the candidate's value is, and whom it and the current one belong to. */
export interface Candidate {
  readonly stagedVersion: string;
  readonly candidate: CredentialRef;
  readonly sourceVersion: string;
  readonly current: CredentialRef;
}

/** How a rotation ended, as the part that ended it says. */
export type Ended = Pick<Ending, "outcome" | "fault" | "retired">;

export interface Ending {
  readonly outcome: Outcome;
  readonly fault?: Fault;
  readonly plan?: Plan;
  readonly stagedVersion?: string;
  readonly publishedVersion?: string;
  /** Versions whose credential is revoked and proven dead. They are disabled last of all: a disabled version can prove nothing. */
  readonly retired?: readonly string[];
  readonly timeline: readonly TimelineEntry[];
  /** ISO 8601, from the history. */
  readonly startedAt: string;
  readonly endedAt: string;
}

export type StepName = keyof Steps;

/** Every step's name, for registering them; the type checker finds one that is missing. */
export const stepNames = Object.keys({
  preflight: 0,
  stage: 0,
  set: 0,
  validate: 0,
  publish: 0,
  cutover: 0,
  verify: 0,
  hear: 0,
  suspend: 0,
  watch: 0,
  revoke: 0,
  resume: 0,
  restore: 0,
  abandon: 0,
  discard: 0,
  retreat: 0,
  republish: 0,
  hold: 0,
  record: 0,
} satisfies Record<StepName, 0>) as readonly StepName[];
/** `turningBack`: the rotation is being undone, so a rollback command no longer interrupts. */
export type StepInput<S extends StepName> = Start & {
  readonly turningBack: boolean;
  /** The orchestration's own id, which must be the object's: a second instance for one object is refused. */
  readonly instanceId: string;
} & Steps[S]["input"];

/** What an activity returns. It never throws: a thrown error would carry its stack into the history. */
export type Reply<S extends StepName> =
  | { readonly ok: true; readonly result: Steps[S]["result"]; readonly proofs: readonly Proof[] }
  | { readonly ok: false; readonly fault: Fault; readonly proofs: readonly Proof[] }
  | { readonly ok: false; readonly interrupted: "rollback" };

/** Names under which orchestration and event are registered. The SDK compares event names by case. */
export const orchestration = "rotate";
export const commandEvent = "command";

/** What the durable status shows of a running rotation. */
export interface Status {
  readonly rotationId: string;
  readonly step: StepName | "grace" | "lag" | "retry" | "held" | "ended";
  /** ISO 8601. */
  readonly since: string;
  readonly until?: string;
  readonly fault?: Fault;
  readonly outcome?: Outcome;
  readonly timeline: readonly {
    readonly step: StepName;
    readonly startedAt: string;
    readonly endedAt: string;
    /** How many proofs held; the evidence has them in full. */
    readonly proofs: number;
    readonly fault?: Fault;
  }[];
}
