import { isIP } from "node:net";
import { z } from "zod";
import type { Ports } from "../../../src/rotator.ts";
import { parseServer } from "./query.ts";

/** What every call of a challenger gets. `signal` ends every outside call. */
export interface ChallengeStep<T> {
  readonly config: T;
  readonly ports: Ports;
  readonly signal: AbortSignal;
}

/** What a CA will look for. Public: everybody may read it. */
export interface ChallengeRecord {
  /** dns-01: `_acme-challenge.<domain>` without a trailing dot; http-01: `<domain>/<token>`. */
  readonly name: string;
  /** dns-01: the text of the TXT record; http-01: the key authorization. */
  readonly value: string;
  /** dns-01: the name that holds the TXT, where that was noted; a CNAME may lead elsewhere by now. Absent: where it leads. */
  readonly place?: string;
}

/**
 * A place where the answers to ACME challenges are published (RFC 8555 section 8.3 and 8.4). Every call looks first at what is there, so a
 * second one, or one after a crash, is harmless. Faults: `TARGET_UNREACHABLE` (transient or throttled), `TARGET_FORBIDDEN` (the credential
 * or its rights), `TARGET_MISCONFIGURED` (no such zone, account or name), `TARGET_REFUSED`, `CONFLICT` (others write all the time), and
 * `CLOCK_SKEW`.
 */
export interface Challenger<T> {
  readonly kind: string;
  readonly config: z.ZodType<T>;
  /** Read only, before an order: each of these names, one for each value, has a place to go. `TARGET_MISCONFIGURED` where one has none. */
  demandPlaces?(at: ChallengeStep<T>, names: readonly string[]): Promise<void>;
  /** Adds the value beside those that are there; a second call is harmless. */
  publish(at: ChallengeStep<T>, record: ChallengeRecord): Promise<void>;
  /** Takes away exactly this value; already gone is success. */
  withdraw(at: ChallengeStep<T>, record: ChallengeRecord): Promise<void>;
  /** Whether every server that a CA may ask shows the value. */
  visible(at: ChallengeStep<T>, record: ChallengeRecord): Promise<Visibility>;
}

/** `detail` is a sentence for people: `2 of 3 servers show it; ns2.contoso.com (192.0.2.2) does not.` */
export interface Visibility {
  readonly everywhere: boolean;
  readonly detail: string;
}

/** A secret in a vault by its URL. */
export const secretUrl = z.url({ protocol: /^https$/ });

/** A DNS name, lower case and without its trailing dot. */
export const dnsName = z
  .string()
  .transform((name) => name.toLowerCase().replace(/\.$/, ""))
  .refine(
    (name) => name.length <= 253 && /^[a-z0-9_]([a-z0-9_-]{0,62})?(\.[a-z0-9_]([a-z0-9_-]{0,62})?)*$/.test(name),
    "a DNS name such as _acme-challenge.contoso.com",
  );

/** An address with or without a port: `192.0.2.1`, `127.0.0.1:5353`, `2001:db8::1`, `[2001:db8::1]:53`. */
export const serverAddress = z.string().refine((text) => {
  const { host, port } = parseServer(text);
  return isIP(host) !== 0 && port >= 1 && port <= 65_535;
}, "an IP address, with :port where it is not 53");

/** Where names are looked up; all optional. */
export const lookupFields = {
  /** Recursive resolvers. Absent: the system's. */
  resolvers: z.array(serverAddress).min(1).optional(),
  /** The authoritative servers to ask, where the zone's NS records do not name those that a CA reaches. */
  servers: z.array(serverAddress).min(1).optional(),
  /** The name that the TXT is written to. Absent: the challenge's own, or where its CNAME leads. */
  delegatedTo: dnsName.optional(),
};

/** What the config of every DNS provider may say about looking names up. */
export interface Lookup {
  readonly resolvers?: readonly string[] | undefined;
  readonly servers?: readonly string[] | undefined;
  readonly delegatedTo?: string | undefined;
}
