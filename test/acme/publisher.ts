import { Resolver } from "node:dns/promises";
import type { PebbleDns } from "../../local/targets/pebble.ts";
import type { ChallengeRecord } from "../../rotators/shared/dns/provider.ts";
import type { Publisher } from "../../rotators/shared/challenge.ts";
import type { Life } from "./life.ts";

/** What a test asks of a publisher afterwards. */
export interface WatchedPublisher extends Publisher {
  /** Values that are published now. */
  left(): Promise<string[]>;
  /** Every value that ever was. */
  readonly published: Set<string>;
}

const keyOf = ({ name, value }: ChallengeRecord) => `${name} ${value}`;

/** TXT values in pebble-challtestsrv, which can only add one or clear all of a name. */
export function dnsPublisher(life: Life, dns: PebbleDns): WatchedPublisher {
  const published = new Set<string>();
  const names = new Set<string>();
  const resolver = new Resolver();
  resolver.setServers([dns.address]);
  const values = async (name: string) =>
    (await resolver.resolveTxt(name).catch(() => [])).map((parts) => parts.join(""));
  return {
    type: "dns-01",
    published,
    publish: async (record) =>
      await life.outside("dns.publish", async () => {
        names.add(record.name);
        published.add(keyOf(record));
        if (!(await values(record.name)).includes(record.value)) await dns.addTxt(record.name, record.value);
      }),
    withdraw: async ({ name, value }) =>
      await life.outside("dns.withdraw", async () => {
        const others = (await values(name)).filter((one) => one !== value);
        await dns.clearTxt(name);
        for (const other of others) await dns.addTxt(name, other);
      }),
    visible: async ({ name, value }) =>
      await life.outside("dns.visible", async () => {
        const everywhere = (await values(name)).includes(value);
        return { everywhere, detail: everywhere ? "1 of 1 servers shows it." : "0 of 1 servers show it." };
      }),
    left: async () => (await Promise.all([...names].map(values))).flat(),
  };
}

/** Files in pebble-challtestsrv's web server. */
export function httpPublisher(life: Life, dns: PebbleDns): WatchedPublisher {
  const published = new Set<string>();
  const files = new Map<string, string>();
  const tokenOf = (name: string) => name.slice(name.indexOf("/") + 1);
  return {
    type: "http-01",
    published,
    publish: async (record) =>
      await life.outside("http.publish", async () => {
        published.add(keyOf(record));
        files.set(tokenOf(record.name), record.value);
        await dns.addHttp(tokenOf(record.name), record.value);
      }),
    withdraw: async ({ name }) =>
      await life.outside("http.withdraw", async () => {
        files.delete(tokenOf(name));
        await dns.removeHttp(tokenOf(name));
      }),
    visible: async ({ name, value }) =>
      await life.outside("http.visible", () => ({ everywhere: files.get(tokenOf(name)) === value, detail: "asked" })),
    left: async () => await Promise.resolve([...files.keys()]),
  };
}
