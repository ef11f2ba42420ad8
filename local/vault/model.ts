import type { JsonWebKey } from "node:crypto";
import type { PolicyRules } from "./azure-policy.ts";
import type {
  CertificateObject,
  CertificateVersion,
  ContactsVersion,
  IssuerVersion,
  OperationError,
} from "./certificates/model.ts";
import type { AnyCollection, Collection, Commit } from "./collection.ts";
import type { NetworkRules } from "./network.ts";

/** A vault to serve. */
export interface VaultOptions {
  /** As in `https://<name>.vault.azure.net`. */
  readonly name: string;
  /** On 127.0.0.1; absent: the port of the last run, else a free one. */
  readonly port?: number;
  /** ARM id, which becomes `topic` or `source` of its events. */
  readonly resourceId: string;
  /** Days that deleted objects stay recoverable, 7-90 (90). */
  readonly retentionDays?: number;
  /** With it nobody can purge before the retention is over (false). */
  readonly purgeProtection?: boolean;
}

/** A vault as its operations see it. */
export interface Vault {
  readonly name: string;
  /** `https://127.0.0.1:<port>`, without a slash at the end: the base of all ids. */
  readonly url: string;
  readonly resourceId: string;
  readonly retentionDays: number;
  readonly purgeProtection: boolean;
  readonly secrets: Collection<SecretVersion>;
  readonly keys: Collection<KeyVersion, Key>;
  readonly certificates: Collection<CertificateVersion, CertificateObject>;
  /** Of certificates. */
  readonly issuers: Collection<IssuerVersion>;
  readonly contacts: Collection<ContactsVersion>;
  /** The above, in the order in which a look at all of them goes. */
  readonly collections: readonly AnyCollection[];
  /** Makes changes to several collections as one. */
  readonly commit: Commit;
  /** Seals backups, which any vault of the same state folder can restore. */
  readonly key: Buffer;
  readonly settings: VaultSettings;
  /** To be called after a new version is written. */
  readonly created: (type: ObjectType, object: VaultObject<VersionRecord>, version: VersionRecord) => void;
}

/** What a test may turn while the vaults run. */
export interface VaultSettings {
  /** How long a deletion or recovery takes, in milliseconds of the cloud's clock (0). */
  deleteDelayMs: number;
  /** How long it takes to sign a certificate here, or to cancel that, in milliseconds of the cloud's clock (500). */
  certificateDelayMs: number;
  /** How long registered issuers take to answer, likewise (500). */
  issuerDelayMs: number;
  /** What registered issuers refuse with, e.g. code `Request rejected`; absent: they issue. */
  issuerError?: OperationError | undefined;
  /** Whether the documented rate limits are kept (false). */
  throttling: boolean;
  /** Who is let in; absent: everybody. */
  network?: NetworkRules | undefined;
  /** What may be written; absent: everything. */
  policy?: PolicyRules | undefined;
}

/** The three moments of a version that make an event. */
export type Moment = "NewVersionCreated" | "NearExpiry" | "Expired";

/** What every version of a secret, key or certificate has. */
export interface VersionRecord {
  /** 32 hex characters. */
  readonly id: string;
  /** Milliseconds; the wire has whole seconds. */
  readonly created: number;
  readonly updated: number;
  readonly enabled: boolean;
  /** Seconds since 1970. */
  readonly nbf?: number | undefined;
  readonly exp?: number | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
  /** Of a certificate's secret and key: they change with the certificate only. */
  readonly managed?: boolean | undefined;
  /** Moments whose event has been handed over. */
  readonly announced: readonly Moment[];
}

export interface SecretVersion extends VersionRecord {
  readonly value: string;
  readonly contentType?: string | undefined;
}

export interface KeyVersion extends VersionRecord {
  /** `RSA` or `EC`, with its private part, as node:crypto reads it (curve `secp256k1` for the wire's P-256K). */
  readonly jwk: JsonWebKey;
  /** What the key may be used for: `sign`, `wrapKey` ... */
  readonly keyOps: readonly string[];
}

/** What a key's rotation policy asks for; durations in ISO 8601, as they were given. */
export interface RotationPolicy {
  readonly lifetimeActions: readonly LifetimeAction[];
  /** Age at which versions made by a rotation expire. */
  readonly expiryTime?: string | undefined;
  /** Milliseconds. */
  readonly created: number;
  readonly updated: number;
}

/** What is to happen in the life of a key's newest version, and when. It has one of the two triggers. */
export interface LifetimeAction {
  readonly type: "Rotate" | "Notify";
  readonly timeAfterCreate?: string;
  readonly timeBeforeExpiry?: string;
}

export interface Key extends VaultObject<KeyVersion> {
  readonly rotationPolicy?: RotationPolicy | undefined;
}

/**
 * A named object with all its versions, at least one. Never changed in place. Versions stand in the order of their making,
 * so that those of the same millisecond keep it.
 */
export interface VaultObject<V> {
  /** In the spelling of its first write. */
  readonly name: string;
  readonly versions: readonly V[];
  /** Milliseconds, in the soft-deleted state. */
  readonly deleted?: { readonly at: number; readonly purgeAt: number } | undefined;
  /** The instant at which the last deletion or recovery is, or was, complete. */
  readonly settledAt?: number | undefined;
}

/** Something that happened to a version, before an Event Grid schema is put around it. */
export interface VaultEvent {
  /** For instance `Microsoft.KeyVault.SecretNearExpiry`. */
  readonly type: `Microsoft.KeyVault.${ObjectType}${Moment}` | "Microsoft.KeyVault.VaultAccessPolicyChanged";
  /** A UUID, the same whenever this event is given. */
  readonly eventId: string;
  readonly vaultName: string;
  readonly resourceId: string;
  /** `Vault` where the event is about no object: then the name and the id are the vault's. */
  readonly objectType: ObjectType | "Vault";
  readonly objectName: string;
  readonly version?: string;
  /** The versioned URL. */
  readonly id: string;
  /** Seconds since 1970. */
  readonly nbf?: number;
  readonly exp?: number;
  /** ISO 8601, by the cloud's clock. */
  readonly time: string;
}

export type ObjectType = "Secret" | "Key" | "Certificate";

/** Who calls, or why not. */
export type Authorization = Caller | Denied;

/** One who may do what was asked. */
export interface Caller {
  readonly ok: true;
  /** As the log names them. */
  readonly caller: string;
  /** As the service's texts name them: `appid=...;oid=...;iss=...`. */
  readonly described?: string;
}

/** One who may not; `caller` and `described` as far as the token was good. */
export interface Denied {
  readonly ok: false;
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly inner?: string;
  readonly caller?: string;
  readonly described?: string;
}

/** Judges the bearer token (undefined: none was sent) before anything else of a request is looked at. */
export type Authorize = (
  token: string | undefined,
  vault: Pick<Vault, "name" | "resourceId" | "url">,
  request: { readonly operation?: string; readonly name?: string },
) => Authorization | Promise<Authorization>;

export type Json = string | number | boolean | null | undefined | readonly Json[] | { readonly [key: string]: Json };

/** One authorised request, parsed. */
export interface Call {
  readonly vault: Vault;
  /** The cloud's instant at which the call is served, in milliseconds. */
  readonly now: number;
  /** Empty where the path has none. */
  readonly name: string;
  /** Lower case; empty where the path has none. */
  readonly version: string;
  /** Names in lower case. */
  readonly query: ReadonlyMap<string, string>;
  readonly apiVersion: string;
  /** The body as a JSON object; refuses with 400 otherwise. */
  readonly body: () => Readonly<Record<string, unknown>>;
}

export interface Reply {
  readonly status: number;
  readonly body?: Json;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * One operation of the data plane: its route, and the work, which is done whole or refused whole. What it reads and changes
 * of the vault it does in one tick; work that needs time (making a key) is done before that.
 */
export interface Operation {
  /** As faults and the log name it, e.g. `secret.get`. */
  readonly operation: string;
  readonly method: string;
  /** Segments without the leading slash; `:name` and `:version` are variables, and a literal goes before them. */
  readonly path: string;
  readonly run: (call: Call) => Reply | Promise<Reply>;
}
