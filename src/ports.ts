import type { Arm } from "./azure/arm.ts";

// What a rotator may reach besides its target: the vault's certificates, keys and secrets, and Azure Resource Manager.

/** One version of a certificate as its vault shows it. The private key stays there. */
export interface VaultCertificate {
  /** `https://<vault>/certificates/<name>/<version>`, also what {@link Material} names. */
  readonly url: string;
  readonly version: string;
  /** `https://<vault>/keys/<name>/<version>`: the key that signs for this version. */
  readonly keyUrl: string;
  /** DER. */
  readonly leaf: Uint8Array;
  readonly enabled: boolean;
  readonly tags: Readonly<Record<string, string>>;
}

/** One version of a key, without its private part. */
export interface VaultKey {
  /** `https://<vault>/keys/<name>/<version>` */
  readonly url: string;
  readonly version: string;
  /** Public part only (RFC 7517): kty and n, e, or crv, x, y. */
  readonly jwk: Readonly<Record<string, string>>;
  /** What it may be used for: `sign`, `verify`, `wrapKey`, ... */
  readonly operations: readonly string[];
  readonly enabled: boolean;
  readonly tags: Readonly<Record<string, string>>;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly expiresAt?: string;
}

/** A version of a key as a list of them shows it: without its public part, which a disabled version does not show. */
export type KeyVersion = Pick<VaultKey, "url" | "version" | "enabled" | "createdAt" | "expiresAt">;

/** Signature algorithms of Key Vault (RFC 7518). An ES* signature is r and s, one after the other. */
export type SignatureAlgorithm =
  | "RS256"
  | "RS384"
  | "RS512"
  | "PS256"
  | "PS384"
  | "PS512"
  | "ES256"
  | "ES384"
  | "ES512";

/** The vault's keys, by full URL; without a version: the newest. Errors are the vault's (`VAULT_FORBIDDEN`, `SECRET_NOT_FOUND`, ...). */
export interface KeyPort {
  get(url: string): Promise<VaultKey>;
  /** All versions of the key that `url` names, also the disabled ones, newest first. */
  versions(url: string): Promise<readonly KeyVersion[]>;
  /** Signs a digest of the algorithm's hash. */
  sign(url: string, algorithm: SignatureAlgorithm, digest: Uint8Array): Promise<Uint8Array>;
  verify(url: string, algorithm: SignatureAlgorithm, digest: Uint8Array, signature: Uint8Array): Promise<boolean>;
  wrap(url: string, key: Uint8Array): Promise<Uint8Array>;
  unwrap(url: string, wrapped: Uint8Array): Promise<Uint8Array>;
}

/** What a rotation remembers of its object between calls and crashes: references, never a secret. Later rotations find it too. */
export interface Notes {
  read(name: string): string | undefined;
  /** Written durably before it resolves; undefined forgets. 16,000 characters at most for all of them together. */
  write(name: string, text: string | undefined): Promise<void>;
}

/** The pending operation of a slot: the vault has made a key pair and waits for its certificate. */
export interface PendingCertificate {
  /** DER of the PKCS #10 request. */
  readonly csr: Uint8Array;
  /** 32 hex digits: another operation of the same name has another. */
  readonly requestId: string;
}

/**
 * The place in a vault where a rotation's certificate is made; the private key is made there and never leaves it. Every call finds what an
 * earlier one did, also that of a process which died: a version newer than the source is adopted, never made again.
 */
export interface CertificateSlot {
  /** What the policy asks of the certificate. */
  readonly wanted: CertificateWish;
  /** The version that is to be replaced. */
  source(): Promise<VaultCertificate | undefined>;
  /** The version of this rotation, once the vault has it whole. */
  made(): Promise<VaultCertificate | undefined>;
  /**
   * The pending operation of this rotation; begins one where there is none. `issuer` is whom the vault asks: `Unknown` (default: the
   * chain is merged), `Self`, or one that is registered with the vault. An operation of somebody else is `OUT_OF_BAND_CHANGE`; one that
   * the issuer refused is `TARGET_REFUSED`.
   */
  pending(issuer?: string): Promise<PendingCertificate>;
  /** Merges the chain (DER, leaf first) into the pending operation. A second call with the same leaf is harmless. */
  merge(chain: readonly Uint8Array[]): Promise<VaultCertificate>;
  /** The certificates beside the leaf (DER) that this rotation merged, or that a PEM of the version shows; empty where nothing tells. */
  chain(version: string): Promise<readonly Uint8Array[]>;
}

/** The key in which a rotation's version is made, by the vault itself. */
export interface KeySlot {
  /** The version of this rotation: a version newer than the source is adopted, otherwise the vault makes one. */
  make(): Promise<VaultKey>;
  /**
   * Brings the vault's own rotation policy in step with Pinion's: new versions end after the object's validity, and the vault tells of it
   * by the policy's rotateBefore. It no longer rotates by itself, beside Pinion. True when it had to be changed.
   */
  keepPolicy(): Promise<boolean>;
}

/** What the policy asks of a certificate. */
export interface CertificateWish {
  /** X.500 name of the subject, `CN=www.contoso.com`; empty: none is needed. */
  readonly subject: string;
  /** DNS names, lower case, the subject's own among them; a wildcard as `*.contoso.com`. */
  readonly names: readonly string[];
  /** Milliseconds. */
  readonly validity: number;
  /** Milliseconds before its end at which the next one is due: one that ends sooner would be due at once. */
  readonly rotateBefore: number;
  readonly key:
    | { readonly type: "RSA"; readonly size: 2048 | 3072 | 4096 }
    | { readonly type: "EC"; readonly curve: "P-256" | "P-384" | "P-521" };
  readonly exportable: boolean;
  /** OIDs of the extended key usage. */
  readonly usages: readonly string[];
  /** What it must chain to: the roots of the platform, or these (PEM). */
  readonly roots: "system" | readonly string[];
  readonly revocation: "check" | "ignore";
}

/** The newest version of a secret, whatever it is for. */
export interface NewestSecret {
  readonly version: string;
  readonly value: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** What a rotator may reach besides its target. */
export interface Ports {
  /** A certificate's version by its URL. */
  certificate(url: string): Promise<VaultCertificate>;
  /** The certificate with its private key as its reader gets it (PFX without a password, or PEM): for a handshake in memory only. `undefined` where it is not exportable. */
  keyed(url: string): Promise<{ readonly pfx: Uint8Array } | { readonly pem: string } | undefined>;
  readonly keys: KeyPort;
  /** Azure Resource Manager. */
  readonly arm: Arm;
  /** Milliseconds since 1970 by the cloud's clock. */
  now(): number;
  /**
   * The value of a secret by its full URL (an administrator's password, say), read through the vault. It may be a minute old: after a
   * login that was refused, ask again with `fresh`.
   */
  secret(url: string, options?: { readonly fresh?: boolean }): Promise<string>;
  /** The newest version of a secret that is itself a target (a verifier's list, say), never out of a memory. */
  newestSecret(url: string): Promise<NewestSecret>;
  /**
   * Writes the next version of such a secret and returns its id: content type and tags stay, `tags` are added. Only where the newest version is
   * still `expectedVersion`, else `OUT_OF_BAND_CHANGE`; a vault knows no conditional write, so the lease on the account guards what is between.
   */
  writeSecret(
    url: string,
    expectedVersion: string,
    value: string,
    tags?: Readonly<Record<string, string>>,
  ): Promise<string>;
  /** An Entra access token for a scope, by the app's managed identity. */
  token(scope: string): Promise<string>;
  /**
   * Holds a lease while `work` runs, on what this rotator's objects share beyond the account whose lease the step holds already; `name` says
   * what. `LEASE_HELD` (transient) when another holds it. It outlives the step.
   */
  withLease<R>(name: string, work: () => Promise<R>): Promise<R>;
}
