/** What a vault keeps: a secret, a certificate with its key and secret, or a key alone. */
export type ObjectKind = "secret" | "certificate" | "key";

/** One version of a managed object, without its value. */
export interface ObjectVersion {
  readonly name: string;
  readonly version: string;
  readonly enabled: boolean;
  readonly tags: Readonly<Record<string, string>>;
  readonly contentType?: string;
  readonly createdOn: Date;
  readonly expiresOn?: Date;
}

/** The newest version with its value, and the vault's own time of the reply. */
export interface LatestVersion extends ObjectVersion {
  /** A secret's text; of a certificate or key the URL of the version, since nothing of it leaves the vault here. */
  readonly value: string;
  /** From the reply's `Date`: what expiry and due dates are computed from (design 3.5). */
  readonly at: Date;
}

export interface NewVersion {
  /** A secret's text; a certificate with its private key, as `value` gives it. */
  readonly value: string;
  readonly contentType?: string;
  /** Only a secret is told when it ends; a certificate knows. */
  readonly expiresOn?: Date;
  readonly tags: Readonly<Record<string, string>>;
}

/**
 * The objects of one kind in a vault. Every call is one request where the vault allows it: retries belong to the orchestrator, which
 * knows what was already done.
 */
export interface Vault {
  readonly uri: string;
  readonly kind: ObjectKind;
  /** `https://<vault>/<kind>s/<name>/<version>` */
  url(name: string, version: string): string;
  /**
   * The current version: the newest that is whole, or, where that one was withdrawn, the one that it was withdrawn for.
   * `SECRET_DISABLED` when it is disabled, whatever older ones are.
   */
  latest(name: string, signal: AbortSignal): Promise<LatestVersion>;
  /** The value of one version, from memory when it was read or written a short while ago. A certificate's is its secret's. */
  value(name: string, version: string, signal: AbortSignal): Promise<string>;
  /** Makes a version that holds this value. A key cannot be brought in. */
  write(name: string, next: NewVersion, signal: AbortSignal): Promise<ObjectVersion>;
  /** All whole versions, newest first by creation time (whole seconds: versions of one second have no order). */
  versions(name: string, signal: AbortSignal): Promise<readonly ObjectVersion[]>;
  /** Replaces the tags of one version. */
  tag(name: string, version: string, tags: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void>;
  /** Disables one version and forgets its value. */
  disable(name: string, version: string, signal: AbortSignal): Promise<void>;
  /** Name, tags and expiry of every object's newest version, without versions or values. */
  inventory(signal: AbortSignal): Promise<readonly ObjectSummary[]>;
  /** Brings a soft-deleted object back, waiting for the vault to finish. */
  recover(name: string, signal: AbortSignal): Promise<void>;
}

export interface ObjectSummary {
  readonly name: string;
  /** Empty where the list does not tell it. */
  readonly version: string;
  readonly createdOn: Date;
  readonly enabled: boolean;
  readonly expiresOn?: Date;
  readonly tags: Readonly<Record<string, string>>;
}
