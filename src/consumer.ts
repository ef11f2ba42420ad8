import type { Arm } from "./azure/arm.ts";
import type { AzureRole, Need } from "./azure/role.ts";
import type { ConsumerKind, ConsumerOf } from "./policy-consumers.ts";
import type { Ports, Proof } from "./rotator.ts";

/** What a consumer needs to know of the managed object: its address without a version. */
export interface ObjectAddress {
  /** `https://<vault>/secrets/<name>`, or `/keys/<name>`, `/certificates/<name>` */
  readonly baseUrl: string;
}

/** What every call of a consumer gets. `signal` ends every outside call. */
export interface ConsumerStep<K extends ConsumerKind = ConsumerKind> {
  readonly consumer: ConsumerOf<K>;
  readonly object: ObjectAddress;
  readonly arm: Arm;
  /** A consumer may have a secret of its own, to be told that it is Pinion who calls. */
  readonly secret: Ports["secret"];
  /** Milliseconds since 1970 by the cloud's clock. */
  now(): number;
  readonly signal: AbortSignal;
}

/** What a consumer points at now. */
export interface Reference {
  /** The reference's own text, which holds no secret; rollback writes exactly this back. */
  readonly text: string;
  /** The version in the text; absent when it follows the newest one. */
  readonly pinned?: string;
  /** The version the consumer's platform last resolved for a reference without one, when it tells. */
  readonly active?: string;
}

/** For how long a version that a consumer left may still be needed, to restore a backup say. */
export interface Retention {
  /** From the move on; the longest of all that was found. */
  readonly days: number;
  /** What needs it that long, for people. */
  readonly why: string;
}

/**
 * One kind of reader of managed objects (design 3, cutover and verify). Without a kind: whichever the policy names, as `findConsumer`
 * gives it for a consumer's own kind.
 */
export interface Consumer<K extends ConsumerKind = ConsumerKind> {
  readonly kind: K;
  /** Every role that {@link needs} and {@link retentionNeeds} may name. */
  readonly roles: readonly AzureRole[];
  /** What moving and reading this one needs, and where; only actions that Azure documents, since preflight refuses without them. */
  needs(consumer: ConsumerOf<K>): readonly Need[];
  /** What reading the retention needs beside that. */
  retentionNeeds?(consumer: ConsumerOf<K>): readonly Need[];
  /** The lease key: cutovers of one resource never overlap. */
  resource(consumer: ConsumerOf<K>): string;
  /** Read only. `CONSUMER_MISCONFIGURED` when the setting is not a reference to the object. */
  read(step: ConsumerStep<K>): Promise<Reference>;
  /** The text that pins a version, or that follows the newest. */
  reference(step: ConsumerStep<K>, version: string): string;
  /** Writes a reference, or refreshes one that follows the newest version. Compares first; a second call changes nothing. */
  move(step: ConsumerStep<K>, text: string): Promise<void>;
  /** Whether the consumer serves with `version` now; `false` means not yet. Never throws for an unhealthy consumer. */
  prove(step: ConsumerStep<K>, version: string): Promise<readonly Proof[]>;
  /**
   * Read through ARM; `now` is milliseconds since 1970 by the cloud's clock. Undefined, or no such call, when nothing tells how long:
   * then no version may be disabled for its sake.
   */
  retention?(step: ConsumerStep<K>, now: number): Promise<Retention | undefined>;
}
