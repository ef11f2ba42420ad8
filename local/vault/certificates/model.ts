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
  /** Milliseconds. */
  readonly created: number;
  readonly updated: number;
}

export type ContentType = "application/x-pkcs12" | "application/x-pem-file";

export const pkcs12Type = "application/x-pkcs12";
export const pemType = "application/x-pem-file";
