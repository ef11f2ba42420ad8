import type { z } from "zod";

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
}

/** A checked statement with its outcome. `detail` is for people and holds no secret. */
export interface Proof {
  readonly name: string;
  readonly ok: boolean;
  readonly detail?: string;
}

/** What a rotator may reach besides its target. */
export interface Ports {
  /**
   * The value of a secret by its full URL (an administrator's password, say), read through the vault. It may be a minute old: after a
   * login that was refused, ask again with `fresh`.
   */
  secret(url: string, options?: { readonly fresh?: boolean }): Promise<string>;
  /** An Entra access token for a scope, by the app's managed identity. */
  token(scope: string): Promise<string>;
}

/** What every call of a rotator gets. `signal` aborts when the step's lease or deadline is over: pass it to every outside call. */
export interface Step<T> {
  readonly target: T;
  readonly rotationId: string;
  /** Which suspension of this rotation it is, from 1: a hold lifts one and begins the next. One of an earlier round is a late copy. */
  readonly round: number;
  readonly ports: Ports;
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

/** An Azure role action the rotator needs, and at which scope. */
export interface AzureRole {
  readonly actions: readonly string[];
  readonly scope: string;
}

/** Whether a wrong password is to be tried as well. */
export interface Control {
  readonly negativeControl: boolean;
}

interface Common<T> {
  readonly kind: string;
  readonly target: z.ZodType<T>;
  /** Seconds over which a new credential may take to work everywhere in the target; 0 or absent: at once. */
  readonly settleSeconds?: number;
  readonly roles: readonly AzureRole[];
  /** The account that a value without a user name belongs to, where the target has only one. */
  soleAccount?(target: T): string;
  /** Every account that a rotation may change. Two objects that share one must be declared a pair. */
  accounts(target: T): readonly string[];
  /** The lease key: equal for everything that one change touches (both roles of a pair). */
  account(target: T): string;
  /**
   * Read only. Logs in as `current`, shows that a wrong password is refused (`negativeControl`: once per account and rotation),
   * that the rotator may change what it must, and finds the idle slot.
   */
  observe(step: Step<T>, current: Credential, options: Control): Promise<Observed>;
  /** Makes a candidate for the idle slot. Client-made values change nothing in the target yet. */
  create(step: Step<T>, seen: Pick<Observed, "current" | "idle">): Promise<Credential>;
  /**
   * Positive, identity, privileges equal to the old one's, the policy's own probe; and, last and only where all of that holds, that a
   * wrong password is refused (`negativeControl`: once per account and rotation, so that nothing locks out). Throws when a check could
   * not be made, or proves nothing: `WRONG_PASSWORD_ACCEPTED`.
   */
  validate(step: Step<T>, next: Credential, old: Credential, options: Control): Promise<readonly Proof[]>;
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
