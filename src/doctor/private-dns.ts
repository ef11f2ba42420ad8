import { BlockList, isIP } from "node:net";
import type { Context } from "./context.ts";
import { type Check, fault, ok, type Said } from "./finding.ts";
import { eachShut } from "./network.ts";
import { reasonOf } from "./vault-ask.ts";

/** That the names of whatever is shut to the public network lead to its private endpoint. */
export const privateDns: Check<Context> = {
  id: "private-dns",
  area: "Network",
  about: "names of vaults and storage that are shut to the public resolve to private addresses",
  needs: ["settings", "identity", "policy"],
  run: (context, signal) =>
    eachShut(context, signal, async ({ name, hosts }) => {
      const said = await Promise.all(hosts.map((host) => resolve(context, host)));
      const bad = said.filter(({ level }) => level !== "ok");
      return bad.length > 0 ? bad : [ok(name, "resolves to private addresses")];
    }),
};

async function resolve(context: Context, host: string): Promise<Said> {
  const todo =
    context.place === "app"
      ? `Link the private DNS zone ${zoneOf(host)} to the app's network, with a record for the endpoint; with a DNS server of your own, let it forward to 168.63.129.16.`
      : "Look from inside the network: ask the app with --url.";
  try {
    const found = await context.addresses(host);
    const open = found.filter((address) => !isPrivate(address));
    return open.length === 0
      ? ok(host, "resolves to a private address")
      : fault(host, `resolves to the public address ${open[0]}`, todo);
  } catch (error) {
    return fault(host, `does not resolve (${reasonOf(error)})`, todo);
  }
}

/** The private DNS zone of a host: `kv.vault.azure.net` is in `privatelink.vaultcore.azure.net`; in every cloud of Azure alike. */
const zoneOf = (host: string): string =>
  host.replace(/^[^.]+\.(vault|blob|queue|table)\./, (_, service: string) =>
    service === "vault" ? "privatelink.vaultcore." : `privatelink.${service}.`,
  );

const privateRanges = new BlockList();
for (const [base, bits] of [
  ["10.0.0.0", 8],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
] as const)
  privateRanges.addSubnet(base, bits, "ipv4");
for (const [base, bits] of [
  ["fc00::", 7],
  ["fe80::", 10],
  ["::1", 128],
] as const)
  privateRanges.addSubnet(base, bits, "ipv6");

const isPrivate = (address: string): boolean => privateRanges.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
