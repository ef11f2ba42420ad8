import { getServers } from "node:dns";
import type { Answer, Question } from "dns-packet";
import { PinionError } from "../../../src/errors.ts";
import type { ChallengeRecord, Lookup } from "./provider.ts";
import { ask, parseServer, serverText } from "./query.ts";
import type { Reply, Server } from "./query.ts";

/** CNAMEs in a row before they count as a loop. */
const longestChain = 8;

/** An authoritative server of a zone. No addresses: its name has none; undefined: its name could not be looked up. */
export interface NameServer {
  readonly name: string;
  readonly addresses: readonly string[] | undefined;
}

/**
 * The name that the TXT of a challenge is written to: the `delegatedTo` of the config, else where the CNAME at the challenge's own name
 * leads (RFC 8555 section 8.4 lets a CA follow it), else that name. A CNAME that a wildcard makes is not followed: it is gone as soon as
 * the TXT is there.
 */
export async function writtenName(name: string, lookup: Lookup, signal: AbortSignal): Promise<string> {
  if (lookup.delegatedTo !== undefined) return lookup.delegatedTo;
  const target = await aliasOf(name, lookup, signal);
  if (target === undefined) return name;
  const sibling = `_pinion-no-such-name.${parentOf(name)}`;
  if ((await aliasOf(sibling, lookup, signal)) === target) return name;
  let end = target;
  for (let steps = 1; steps <= longestChain; steps += 1) {
    const next = await aliasOf(end, lookup, signal);
    if (next === undefined) return end;
    end = next;
  }
  throw new PinionError(
    "TARGET_MISCONFIGURED",
    `The CNAMEs from ${name} do not come to an end: let it point at a name that has no CNAME.`,
  );
}

/** The noted place of a value, or else its {@link writtenName}. */
export async function placeOf(record: ChallengeRecord, lookup: Lookup, signal: AbortSignal): Promise<string> {
  return record.place ?? (await writtenName(record.name, lookup, signal));
}

async function aliasOf(name: string, lookup: Lookup, signal: AbortSignal): Promise<string | undefined> {
  const { answers } = await resolve({ name, type: "CNAME" }, lookup, signal);
  return answers.flatMap((one) => (one.type === "CNAME" && plain(one.name) === name ? [plain(one.data)] : []))[0];
}

/** The zone that holds a name, by its SOA record. */
export async function zoneOf(name: string, lookup: Lookup, signal: AbortSignal): Promise<string> {
  for (let at = name; at !== ""; at = parentOf(at)) {
    const zone = soaOwner(at, await resolve({ name: at, type: "SOA" }, lookup, signal));
    if (zone !== undefined) return zone;
  }
  throw new PinionError("TARGET_MISCONFIGURED", `No DNS zone holds ${name}: check the name and the resolvers.`);
}

/**
 * The owner of the SOA in an answer, or beside an empty one (RFC 2308 section 3). Beside a CNAME it may be that of the other zone, so that
 * tells nothing: the name above has to be asked.
 */
export function soaOwner(name: string, { answers, authorities }: Reply): string | undefined {
  if (answers.some(({ type }) => type === "CNAME")) return undefined;
  const owners = [...answers, ...authorities].flatMap((one) => (one.type === "SOA" ? [plain(one.name)] : []));
  return owners.find((owner) => isWithin(name, owner));
}

/** The authoritative servers of a zone, with all their addresses. */
export async function nameServers(zone: string, lookup: Lookup, signal: AbortSignal): Promise<readonly NameServer[]> {
  const { answers } = await resolve({ name: zone, type: "NS" }, lookup, signal);
  const names = answers.flatMap((one) => (one.type === "NS" ? [plain(one.data)] : []));
  return await Promise.all(
    [...new Set(names)].sort().map(async (name): Promise<NameServer> => {
      const addresses = await addressesOf(name, lookup, signal).catch(() => undefined);
      signal.throwIfAborted();
      return { name, addresses };
    }),
  );
}

/** Every IPv4 and IPv6 address of a name. */
export async function addressesOf(name: string, lookup: Lookup, signal: AbortSignal): Promise<readonly string[]> {
  const types = ["A", "AAAA"] as const;
  const found = await Promise.all(types.map(async (type) => await resolve({ name, type }, lookup, signal)));
  return found.flatMap(({ answers }) => answers.flatMap(address));
}

const address = (answer: Answer): string[] => (answer.type === "A" || answer.type === "AAAA" ? [answer.data] : []);

/** The answer of the first resolver that gives one: the record, or that there is none. */
async function resolve(
  question: { readonly name: string; readonly type: Question["type"] },
  { resolvers = getServers() }: Lookup,
  signal: AbortSignal,
): Promise<Reply> {
  const servers = resolvers.map(parseServer);
  let failed: unknown;
  for (const server of servers) {
    try {
      const reply = await ask(server, question, { recurse: true, signal });
      if (reply.rcode === "NOERROR" || reply.rcode === "NXDOMAIN") return reply;
      failed = refusal(server, question.name, reply.rcode);
    } catch (error) {
      signal.throwIfAborted();
      failed = error;
    }
  }
  throw failed ?? new PinionError("TARGET_MISCONFIGURED", "This machine has no DNS resolver: name some in resolvers.");
}

function refusal(server: Server, name: string, rcode: string): PinionError {
  return new PinionError(
    "TARGET_UNREACHABLE",
    `The resolver ${serverText(server)} cannot look up ${name} (${rcode}).`,
    {
      class: "transient",
    },
  );
}

/** Whether a name is the zone's own or below it. */
export function isWithin(name: string, zone: string): boolean {
  return name === zone || name.endsWith(`.${zone}`);
}

/** `www.contoso.com` to `contoso.com`, `com` to nothing. */
export function parentOf(name: string): string {
  const dot = name.indexOf(".");
  return dot < 0 ? "" : name.slice(dot + 1);
}

const plain = (name: string): string => name.toLowerCase().replace(/\.$/, "");
