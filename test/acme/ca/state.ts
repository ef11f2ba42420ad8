import type { JsonWebKey } from "node:crypto";
import type { Authority } from "./authority.ts";
import type { CaOrder, CaProblem } from "./orders.ts";

/** A resource of the stand-in, as tests name it. */
export type Resource =
  | "directory"
  | "newNonce"
  | "newAccount"
  | "newOrder"
  | "order"
  | "authz"
  | "challenge"
  | "finalize"
  | "cert"
  | "account"
  | "orders"
  | "ari"
  | "revoke"
  | "keyChange";

/** An answer in place of the proper one. A text is sent as it is; "cut" ends the connection. */
export interface Instead {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: CaProblem | string;
}

/** How the CA behaves; tests change it as they go. */
export interface Manners {
  profiles?: Readonly<Record<string, string>>;
  /** Absent: no renewal information. */
  window?: {
    readonly start: string;
    readonly end: string;
    readonly retryAfter?: string;
    readonly explanationURL?: string;
  };
  listsOrders?: boolean;
  /** Whether a second request for the same names gets the same open order, as at Let's Encrypt. */
  reusesOrders?: boolean;
  /** How often a finalized order is shown as processing, and with which Retry-After. */
  slow?: { readonly looks: number; readonly retryAfter?: string };
  /** Whether the directory offers to change an account's key. Default: it does. */
  changesKeys?: false;
  /** Asks for http-01 in the place of dns-01; then `lookup` gets `<domain>/<token>`. */
  http?: boolean;
  /** The token of every challenge. */
  token?: string;
  /** Names whose validation fails. */
  readonly failing: Map<string, CaProblem>;
  /** Answers in place of the next proper ones. */
  readonly instead: Map<Resource, Instead[]>;
}

export interface CaAccount {
  jwk: JsonWebKey;
  contact: readonly string[];
}

/** What the CA knows. */
export interface State {
  /** `http://127.0.0.1:port` */
  base: string;
  readonly authority: Authority;
  readonly manners: Manners;
  readonly accounts: Map<string, CaAccount>;
  readonly orders: CaOrder[];
  readonly replaced: Set<string>;
  readonly revoked: Set<string>;
  readonly nonces: Set<string>;
  /** The values at a name, as the CA's resolver sees them. */
  lookup(name: string): readonly string[];
}

export type Answer = readonly [status: number, body: unknown, headers?: Readonly<Record<string, string>> | undefined];

export const problem = (status: number, type: string, detail: string): Answer => [status, document({ type, detail })];

/** As it goes over the wire. */
export const document = ({ type, ...more }: CaProblem) => ({ type: `urn:ietf:params:acme:error:${type}`, ...more });
