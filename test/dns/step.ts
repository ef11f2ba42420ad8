import type { Ports } from "../../src/rotator.ts";
import type { ChallengeStep } from "../../rotators/shared/dns/provider.ts";

/** What a test gives of the ports; the rest must not be used. */
export interface Given {
  /** By URL. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** What `fresh` gives, where that is another value. */
  readonly fresh?: Readonly<Record<string, string>>;
  readonly arm?: Ports["arm"];
  readonly token?: Ports["token"];
  readonly now?: () => number;
}

export function portsOf({ secrets = {}, fresh = {}, arm, token, now = Date.now }: Given): Ports {
  const never = () => {
    throw new Error("A challenger has no business with this port.");
  };
  return {
    certificate: never,
    withLease: never,
    keyed: never,
    keys: { get: never, versions: never, sign: never, verify: never, wrap: never, unwrap: never },
    arm: arm ?? never,
    token: token ?? never,
    newestSecret: never,
    writeSecret: never,
    now,
    async secret(url, options) {
      const value = (options?.fresh === true ? fresh[url] : undefined) ?? secrets[url];
      if (value === undefined) throw new Error(`No secret at ${url}.`);
      return value;
    },
  };
}

export function stepOf<T>(config: T, given: Given, signal = new AbortController().signal): ChallengeStep<T> {
  return { config, ports: portsOf(given), signal };
}

/** A value as a dns-01 challenge has it: 43 characters of base64url (RFC 8555 section 8.4). */
export const valueOf = (letter: string): string => letter.repeat(43);
