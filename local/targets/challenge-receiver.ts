import { createHmac, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import type { PebbleDns } from "./pebble.ts";

export interface ChallengeReceiverOptions {
  /** Where the values are published. */
  readonly dns: Pick<PebbleDns, "addTxt" | "clearTxt">;
  /** `whsec_` and base64, as in the vault. */
  readonly secret: string;
  /** Milliseconds, by the clock of the caller. */
  readonly now: () => number;
}

export interface ChallengeReceiver {
  readonly url: string;
  stop(): Promise<void>;
}

const tolerance = 300;

/**
 * The receiver at the other end of the `webhook` challenger (docs/rotators/dns.md), in front of `pebble-challtestsrv`: it checks signature,
 * time and name, adds a value beside others, and takes exactly the one named away.
 */
export async function startChallengeReceiver({
  dns,
  secret,
  now,
}: ChallengeReceiverOptions): Promise<ChallengeReceiver> {
  const key = Buffer.from(secret.replace("whsec_", ""), "base64");
  const values = new Map<string, readonly string[]>();
  const isSigned = (headers: IncomingHttpHeaders, body: string): boolean => {
    const [id, time, given] = ["id", "timestamp", "signature"].map((name) => String(headers[`webhook-${name}`]));
    const right = Buffer.from(`v1,${createHmac("sha256", key).update(`${id}.${time}.${body}`).digest("base64")}`);
    const signature = Buffer.from(given ?? "");
    const recent = Math.abs(now() / 1000 - Number(time)) < tolerance;
    return recent && signature.length === right.length && timingSafeEqual(signature, right);
  };

  // The name server takes all values of a name away at once, so calls go one after the other.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = async (work: () => Promise<void>): Promise<void> => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    await mine;
  };
  const become = async (name: string, wanted: readonly string[]): Promise<void> => {
    await dns.clearTxt(name);
    for (const value of wanted) await dns.addTxt(name, value);
    values.set(name, wanted);
  };

  const take = async (headers: IncomingHttpHeaders, body: string): Promise<number> => {
    if (!isSigned(headers, body)) return 401;
    const { action, name, value } = JSON.parse(body) as { action: string; name: string; value: string };
    if (!name.startsWith("_acme-challenge.")) return 403;
    if (action !== "publish" && action !== "withdraw") return 400;
    await inTurn(async () => {
      const there = values.get(name) ?? [];
      const others = there.filter((one) => one !== value);
      const wanted = action === "publish" ? [...others, value] : others;
      if (wanted.length !== there.length) await become(name, wanted);
    });
    return 204;
  };

  const server = createServer((request, reply) => {
    const answer = async (): Promise<number> => {
      let body = "";
      for await (const part of request as AsyncIterable<Buffer>) body += part.toString();
      return await take(request.headers, body);
    };
    void answer()
      .catch(() => 500)
      .then((status) => reply.writeHead(status).end());
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/acme`,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => void server.close(resolve));
    },
  };
}
