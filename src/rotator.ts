import type { z } from "zod";
import type { AzureRole, Need } from "./azure/role.ts";
import type { CertificateSlot, KeySlot, Notes, Ports } from "./ports.ts";

export type * from "./azure/role.ts";
export type * from "./ports.ts";

/** What opens a target: a string, or the version of a vault object whose private part never leaves the vault. */
export type Material = string | { readonly vaultVersion: string };

/** Public facts about a credential, safe in durable history. `id` is the account's name in the target. */
export interface CredentialRef {
  readonly id: string;
  readonly slot?: string;
  /** ISO 8601. */
  readonly expiresAt?: string;
}

/** A credential with its material. Lives in memory inside one activity only. */
export interface Credential extends CredentialRef {
  readonly material: Material;
  /** `https://<vault>/secrets/<name>/<version>`: where the material is read, for targets that are told references only. */
  readonly reference?: string;
}

/** A checked statement with its outcome. `detail` is for people and holds no secret. */
export interface Proof {
  readonly name: string;
  readonly ok: boolean;
  readonly detail?: string;
}

/** What every call of a rotator gets. `signal` aborts when the step's lease or deadline is over: pass it to every outside call. */
export interface Step<T> {
  readonly target: T;
  readonly rotationId: string;
  /** Which suspension of this rotation it is, from 1: a hold lifts one and begins the next. One of an earlier round is a late copy. */
  readonly round: number;
  readonly ports: Ports;
  readonly notes: Notes;
  /** Where the candidate is made, for objects of kind certificate only. */
  readonly slot?: CertificateSlot;
  /** Where the candidate is made, for objects of kind key only. */
  readonly keySlot?: KeySlot;
  readonly signal: AbortSignal;
}

/** What the target looks like now, found without changing it. */
export interface Observed {
  /** The account that the current value names, proven by a login. */
  readonly current: CredentialRef;
  /** The account a rotation would change: the idle one, or the current one itself for `in-place`. */
  readonly idle: CredentialRef;
  readonly proofs: readonly Proof[];
  /** Facts for evidence and the log; no secret. */
  readonly facts?: Readonly<Record<string, string>>;
}

/** Who still uses a credential. `active` counts live sessions or calls seen while sampling. */
export interface Usage {
  readonly active: number;
  /** Names for people: application, client address. */
  readonly users: readonly string[];
  /** ISO 8601 of the last use seen, when the target tells. */
  readonly lastUsedAt?: string;
}

/** Whether a wrong password is to be tried as well. */
export interface Control {
  readonly negativeControl: boolean;
}

/** A document without secrets, with the headers that it is served with. */
export interface PublicDocument {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

interface Common<T> {
  readonly kind: string;
  readonly target: z.ZodType<T>;
  /** What it rotates. Absent: a secret. */
  readonly manages?: "certificate" | "key";
  /** Whether the candidate comes in the object itself although it could be staged beside: because somebody else asks the vault for it. */
  madeInObject?(target: T): boolean;
  /**
   * What becomes of the former credential where nothing can or may kill it: a certificate `expires`, and its version is disabled; a key
   * `serves` on, since data that it encrypted must be read. Absent: it dies, and that is proven.
   */
  readonly former?: "expires" | "serves";
  /** Seconds over which a new credential may take to work everywhere in the target; 0 or absent: at once. */
  readonly settleSeconds?: number;
  /** Every role that {@link needs} may name; empty where nothing beside the object is touched in Azure. */
  readonly roles: readonly AzureRole[];
  /** What a rotation of this target does in Azure beside its object, and where: preflight refuses without it, and onboarding grants it. */
  needs?(target: T): readonly Need[];
  /** The account that a value without a user name belongs to, where the target has only one. */
  soleAccount?(target: T): string;
  /** Every account that a rotation may change. Two objects that share one must be declared a pair. */
  accounts(target: T): readonly string[];
  /** No consumer may follow the newest version: a new credential is accepted nowhere until it was set and has settled. */
  readonly pinnedOnly?: true;
  /** The least grace, in milliseconds, beside the consumers' lag: what the former credential gave out lives as long. */
  leastGrace?(target: T): number;
  /** The lease key: equal for everything that one change touches (both roles of a pair). "" where nothing beyond the object itself is. */
  account(target: T): string;
  /**
   * Read only. Logs in as `current`, shows that a wrong password is refused (`negativeControl`: once per account and rotation),
   * that the rotator may change what it must, and finds the idle slot.
   */
  observe(step: Step<T>, current: Credential, options: Control): Promise<Observed>;
  /**
   * Makes a candidate for the idle slot. Client-made values change nothing in the target yet. What takes longer than one step may is done
   * in pieces: each call does the next one, and throws `ISSUANCE_PENDING` (transient) until the candidate is there.
   */
  create(step: Step<T>, seen: Pick<Observed, "current" | "idle">): Promise<Credential>;
  /**
   * Positive, identity, privileges equal to the old one's, the policy's own probe; and, last and only where all of that holds, that a
   * wrong password is refused (`negativeControl`: once per account and rotation, so that nothing locks out). Throws when a check could
   * not be made, or proves nothing: `WRONG_PASSWORD_ACCEPTED`.
   */
  validate(step: Step<T>, next: Credential, old: Credential, options: Control): Promise<readonly Proof[]>;
  /** Set where a candidate comes only when a person does something: then they are told at once. */
  readonly waitsFor?: "person";
  /** Undoes what an unfinished `create` left behind (orders, challenges). Harmless when there is nothing. */
  abandon?(step: Step<T>): Promise<readonly Proof[]>;
  /** Intermediate authorities (PEM) that the policy knows, where a certificate's readers are told of them by nothing else. */
  issuers?(step: Step<T>): readonly string[];
  /** What the app serves to everybody for this object; undefined where it is published elsewhere. */
  document?(step: Step<T>): Promise<PublicDocument | undefined>;
  /** The emergency: takes something that is published away at once, whatever that breaks. */
  withdraw?(step: Step<T>, id: string): Promise<readonly Proof[]>;
  /** Whether a credential was taken away so: it works nowhere, and nothing is asked of it. */
  withdrawn?(step: Step<T>, credential: Credential): Promise<boolean>;
  /** ISO 8601: when the current credential is to be replaced, where the issuer has a wish (ARI); earlier than the policy's own date only. */
  renewAt?(step: Step<T>, current: Credential): Promise<string | undefined>;
  /** Whether a login with this credential works now. Used to prove the new one alive and the old one dead. */
  works(step: Step<T>, credential: Credential): Promise<boolean>;
}

/** Whether the rotator can see that the old credential is idle; evidence says which. */
type Idleness<T> =
  | { readonly idle: "observable"; usage(step: Step<T>, old: CredentialRef): Promise<Usage> }
  | { readonly idle: "unobservable"; readonly usage?: never };

interface Setting<T> {
  /** Puts the candidate into the target. Asks first whether it already logs in; a second call is harmless. */
  set(step: Step<T>, next: Credential, current: Credential): Promise<readonly Proof[]>;
}

interface Retiring<T> {
  /** The reversible kill of a credential, and its undoing. Both harmless when already done. */
  readonly suspension?: {
    suspend(step: Step<T>, old: CredentialRef): Promise<readonly Proof[]>;
    resume(step: Step<T>, old: CredentialRef): Promise<readonly Proof[]>;
  };
  /** Final. Already dead is success. Serves to retire the old credential, and a candidate that was rolled back. */
  revoke(step: Step<T>, old: Credential): Promise<readonly Proof[]>;
}

/** Makes a new credential beside the old, later removes the old. */
export type Dual<T> = Common<T> &
  Setting<T> &
  Retiring<T> &
  Idleness<T> &
  NeverRestoring & { readonly strategy: "dual" };

/** Two slots or users: changes the idle one. */
export type Alternating<T> = Common<T> &
  Setting<T> &
  Retiring<T> &
  Idleness<T> &
  NeverRestoring & { readonly strategy: "alternating" };

/** One slot, no overlap: there is a gap, and it is measured. Nothing to suspend or revoke: the change itself ends the old value. */
export type InPlace<T> = Common<T> &
  Setting<T> &
  Idleness<T> & { readonly strategy: "in-place"; readonly suspension?: never; readonly revoke?: never } & (
    | {
        readonly restorable: true;
        /** Puts the former credential back, over the candidate. A second call is harmless; a late `set` finds that it happened. */
        restore(step: Step<T>, previous: Credential, candidate: Credential): Promise<readonly Proof[]>;
      }
    | {
        /** The target refuses former values (history, minimum age): failure rolls forward. */
        readonly restorable: false;
        readonly restore?: never;
      }
  );

interface NeverRestoring {
  readonly restorable?: never;
  readonly restore?: never;
}

/** A plug-in that knows one kind of target and one strategy. One kind may have several strategies: one rotator each. */
export type Rotator<T> = Dual<T> | Alternating<T> | InPlace<T>;

export type Strategy = "dual" | "alternating" | "in-place";

/** Declares a rotator; the type checker refuses a shape that mixes strategies or leaves out what its facts promise. */
export function defineRotator<const S extends Strategy, T>(
  rotator: Extract<Rotator<T>, { readonly strategy: S }> & { readonly strategy: S; readonly target: z.ZodType<T> },
): typeof rotator {
  return rotator;
}
