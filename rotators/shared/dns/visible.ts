import { isIPv6 } from "node:net";
import { PinionError } from "../../../src/errors.ts";
import { nameServers, writtenName, zoneOf } from "./lookup.ts";
import type { ChallengeRecord, ChallengeStep, Lookup, Visibility } from "./provider.ts";
import { ask, parseServer, serverText } from "./query.ts";
import type { Server } from "./query.ts";

/** What one address says. `unreachable`: this machine has no way there, as with IPv6 in most of Azure. */
export type Told = "shows" | "lacks" | "silent" | "unreachable";

/** What the addresses of one server say. */
export interface Asked {
  /** Name of the server, or its address where only that is known. */
  readonly name: string;
  /** By address; undefined: its addresses could not be looked up. */
  readonly told: readonly AddressTold[] | undefined;
}

interface AddressTold {
  readonly server: Server;
  readonly told: Told;
}

/**
 * Asks every authoritative server of the zone, at each of its addresses, for the TXT (recursion off): a CA may ask any of them.
 * A server that has no address is left out, and so is an IPv6 address that cannot be reached from here while an IPv4 address of the
 * same server shows the value; the detail says so.
 */
export async function visible(at: ChallengeStep<Lookup>, record: ChallengeRecord): Promise<Visibility> {
  const name = await writtenName(record.name, at.config, at.signal);
  return await shownByAll(name, record.value, at.config, at.signal);
}

/** {@link visible} for the very name that holds the TXT. `port`: where the zone's own servers listen. */
export async function shownByAll(
  name: string,
  value: string,
  lookup: Lookup,
  signal: AbortSignal,
  port = 53,
): Promise<Visibility> {
  const servers = await serversOf(name, lookup, signal, port);
  const asked = await Promise.all(
    servers.map(async ({ name: server, addresses }): Promise<Asked> => ({
      name: server,
      told:
        addresses &&
        (await Promise.all(
          addresses.map(async (one) => ({ server: one, told: await askFor(one, name, value, signal) })),
        )),
    })),
  );
  return judge(asked);
}

async function serversOf(
  name: string,
  lookup: Lookup,
  signal: AbortSignal,
  port: number,
): Promise<readonly { readonly name: string; readonly addresses: readonly Server[] | undefined }[]> {
  const { servers } = lookup;
  if (servers !== undefined) return servers.map((text) => ({ name: text, addresses: [parseServer(text)] }));
  const found = await nameServers(await zoneOf(name, lookup, signal), lookup, signal);
  return found.map((one) => ({ name: one.name, addresses: one.addresses?.map((host) => ({ host, port })) }));
}

async function askFor(server: Server, name: string, value: string, signal: AbortSignal): Promise<Told> {
  try {
    const { answers } = await ask(server, { name, type: "TXT" }, { recurse: false, signal });
    return answers.some((one) => one.type === "TXT" && text(one.data) === value) ? "shows" : "lacks";
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof PinionError)) throw error;
    return isIPv6(server.host) && hasNoWay(error.cause) ? "unreachable" : "silent";
  }
}

/** A TXT is one text in pieces of up to 255 bytes (RFC 7208 section 3.3 says how they join). */
const text = (data: string | Buffer | readonly (string | Buffer)[]): string =>
  (Array.isArray(data) ? data : [data]).map(String).join("");

/** Whether a connection failed because this machine has no way there. */
export const hasNoWay = (cause: unknown): boolean =>
  cause instanceof Error &&
  "code" in cause &&
  ["ENETUNREACH", "EHOSTUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT"].includes(String(cause.code));

/** Adds up what was told. */
export function judge(asked: readonly Asked[]): Visibility {
  const faults: string[] = [];
  const asides: string[] = [];
  let [shown, all] = [0, 0];
  for (const { name, told } of asked) {
    if (told?.length === 0) {
      asides.push(`${name} has no address`);
      continue;
    }
    all += 1;
    const byIpv4 = told?.some((one) => one.told === "shows" && !isIPv6(one.server.host)) ?? false;
    const passed = (one: AddressTold) => one.told !== "shows" && byIpv4 && isOutOfReach(one);
    const bad = told?.filter((one) => one.told !== "shows" && !passed(one));
    if (bad === undefined) faults.push(`${name} cannot be looked up`);
    else if (bad.length === 0) shown += 1;
    else
      faults.push(
        ...bad.map((one) => `${place(name, one.server)} ${one.told === "lacks" ? "does not" : "does not answer"}`),
      );
    for (const { server } of told?.filter(passed) ?? [])
      asides.push(`${place(name, server)} cannot be reached from here`);
  }
  if (all === 0) return { everywhere: false, detail: "There is no server with an address." };
  const everyone = all === 1 ? "The only server shows it" : `All ${all} servers show it`;
  const count = faults.length === 0 ? everyone : `${shown} of ${all} servers show it`;
  return { everywhere: faults.length === 0, detail: `${[count, ...faults, ...asides].join("; ")}.` };
}

const isOutOfReach = ({ server, told }: AddressTold): boolean =>
  isIPv6(server.host) && (told === "unreachable" || told === "silent");

const place = (name: string, server: Server): string =>
  name.startsWith(server.host) || name.startsWith("[") ? name : `${name} (${serverText(server)})`;
