import type { Json, VaultObject, VersionRecord } from "../model.ts";

// What certificates are made of, in the wire's own words where it has any.

export type KeyType = "RSA" | "EC";
export type Curve = "P-256" | "P-384" | "P-521" | "P-256K";
export type Sans = Readonly<Partial<Record<SanKind, readonly string[]>>>;
export type SanKind = "emails" | "dns_names" | "upns" | "uris" | "ipAddresses";

/** The key to be made: `key_size` in bits; `crv` for EC only. */
export interface KeyProps {
  readonly exportable: boolean;
  readonly kty: KeyType;
  readonly key_size: number;
  readonly reuse_key: boolean;
  readonly crv?: Curve | undefined;
}

/** What the X.509 certificate will say. Subject or a SAN is there. */
export interface X509Props {
  readonly subject?: string | undefined;
  readonly sans?: Sans | undefined;
  readonly ekus: readonly string[];
  readonly key_usage: readonly string[];
  readonly validity_months: number;
  readonly basic_constraints: { readonly ca: boolean };
}

/** What happens before the end: exactly one of the trigger's members is there. */
export interface LifetimeAction {
  readonly trigger: {
    readonly lifetime_percentage?: number | undefined;
    readonly days_before_expiry?: number | undefined;
  };
  readonly action: { readonly action_type: "AutoRenew" | "EmailContacts" };
}

export interface IssuerParameters {
  /** `Self`, `Unknown`, or the name of a registered issuer. */
  readonly name: string;
  readonly cty?: string | undefined;
  readonly cert_transparency?: boolean | undefined;
}

/** How a certificate and its next versions are made: the wire's form, with the service's defaults filled in. */
export interface Policy {
  readonly key_props: KeyProps;
  readonly secret_props: { readonly contentType: ContentType };
  readonly x509_props: X509Props;
  readonly lifetime_actions: readonly LifetimeAction[];
  readonly issuer: IssuerParameters;
  /** Of a disabled policy the lifetime actions rest. */
  readonly enabled: boolean;
  /** Milliseconds. */
  readonly created: number;
  readonly updated: number;
}

export type ContentType = "application/x-pkcs12" | "application/x-pem-file";

export const pkcs12Type = "application/x-pkcs12";
export const pemType = "application/x-pem-file";

/** A version; without `cer` it stands in for one that is being made, or never came to be. */
export interface CertificateVersion extends VersionRecord {
  /** DER in base64. */
  readonly cer?: string | undefined;
  /** The lifetime action `EmailContacts` has had its turn. */
  readonly emailed?: boolean | undefined;
  /** The caller's order of the chain was to be kept; its secret shows it. */
  readonly keepOrder?: boolean | undefined;
}

/** The making of a version: the running one, or the last one. */
export interface PendingOperation {
  /** 32 hex characters. */
  readonly requestId: string;
  /** The placeholder that becomes the version. */
  readonly versionId: string;
  /** As it was when the operation began. */
  readonly policy: Policy;
  /** DER in base64. */
  readonly csr: string;
  /** PKCS#8 in base64, while it is in progress. */
  readonly key?: string | undefined;
  readonly status: "inProgress" | "completed" | "cancelled" | "failed";
  readonly cancellationRequested: boolean;
  /** Instant (ms) at which it ends by itself; absent: it waits for a merge. */
  readonly due?: number | undefined;
  readonly error?: OperationError | undefined;
  readonly keepOrder: boolean;
  /** Whether the version is to be enabled. */
  readonly enabled: boolean;
}

export interface OperationError {
  /** For instance `Request rejected` or `Certificate issuer error`. */
  readonly code: string;
  readonly message: string;
}

export interface CertificateObject extends VaultObject<CertificateVersion> {
  /** One for all versions. */
  readonly policy: Policy;
  readonly pending?: PendingOperation | undefined;
}

/** A registered issuer, with the authority that plays it. A collection of single versions. */
export interface IssuerVersion extends VersionRecord {
  readonly provider: string;
  readonly accountId?: string | undefined;
  readonly organization?: Json;
  /** DER in base64. */
  readonly authority: { readonly certificate: string; readonly key: string };
}

/** The people to be told, under the one name `contacts`. */
export interface ContactsVersion extends VersionRecord {
  readonly contacts: readonly Contact[];
}

export interface Contact {
  readonly email?: string | undefined;
  readonly name?: string | undefined;
  readonly phone?: string | undefined;
}
