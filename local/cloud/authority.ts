import { join } from "node:path";
import { startChallengeReceiver } from "../targets/challenge-receiver.ts";
import { startPebble } from "../targets/pebble.ts";
import type { Cloud } from "./cloud.ts";

/** An ACME authority on this machine, with the way in which its challenges are answered. */
export interface Authority {
  readonly directory: string;
  /** PEM */
  readonly root: string;
  /** Takes the calls of the `webhook` challenger. */
  readonly challengeUrl: string;
  /** `127.0.0.1:port` of the name server that the authority asks. */
  readonly nameServer: string;
  stop(): Promise<void>;
}

export interface AuthorityOptions {
  /** Of the calls to `challengeUrl`. */
  readonly secret: string;
  /** The instant, by the cloud's clock, at which certificates are to end. */
  readonly validUntil: number;
}

/** Starts pebble for the cloud. It forgets everything at its end, accounts and its own root too. */
export async function startAuthority(cloud: Cloud, { secret, validUntil }: AuthorityOptions): Promise<Authority> {
  // Its certificates begin now by the machine's clock, which the cloud's is ahead of.
  const machine = performance.timeOrigin + performance.now();
  const pebble = await startPebble({
    dir: join(cloud.dir, "pebble"),
    tls: cloud.tls,
    validSeconds: Math.round((validUntil - machine) / 1000),
  });
  const [root, receiver] = await Promise.all([
    pebble.root(),
    startChallengeReceiver({ dns: pebble.dns, secret, now: cloud.clock.now }),
  ]);
  return {
    directory: pebble.directory,
    root,
    challengeUrl: receiver.url,
    nameServer: pebble.dns.address,
    async stop() {
      await Promise.all([receiver.stop(), pebble.stop()]);
    },
  };
}
