import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import type { ArmRequest } from "../../../src/azure/arm.ts";
import type { AzureRole, Need } from "../../../src/azure/role.ts";
import { PinionError } from "../../../src/errors.ts";
import { fewAtOnce } from "../few-at-once.ts";
import { isWithin, placeOf, writtenName } from "./lookup.ts";
import { lookupFields } from "./provider.ts";
import type { ChallengeRecord, ChallengeStep, Challenger } from "./provider.ts";
import { visible } from "./visible.ts";

const zoneId = /^\/subscriptions\/[^/]+\/resourceGroups\/[^/]+\/providers\/Microsoft\.Network\/dnsZones\/[^/]+$/i;

export const azureDnsConfig = z.strictObject({
  kind: z.literal("azure-dns"),
  /** Resource ids of the zones that may be written. Of those that hold a name, the longest counts. */
  zones: z.array(z.string().regex(zoneId, "a resource id /subscriptions/.../dnsZones/contoso.com")).min(1),
  /** Seconds, for record sets that are made; one that is there keeps its own. */
  ttl: z.int().min(1).max(2_147_483_647).default(60),
  ...lookupFields,
});
export type AzureDnsConfig = z.output<typeof azureDnsConfig>;

type Step = ChallengeStep<AzureDnsConfig>;

// Microsoft.Network/dnsZones, "Record Sets - Create Or Update": a PUT replaces the whole set, so it goes with the ETag that was read.
const recordSet = z.object({
  etag: z.string(),
  properties: z.object({
    TTL: z.number(),
    TXTRecords: z.array(z.object({ value: z.array(z.string()) })).default([]),
    metadata: z.record(z.string(), z.string()).optional(),
  }),
});
type RecordSet = z.output<typeof recordSet>;
type TxtRecord = RecordSet["properties"]["TXTRecords"][number];

/** How often a set that others write at the same time is read and written again. */
const tries = 10;

/** Azure DNS, public zones. Each value is one of a record set; concurrent writers are told apart by its ETag. */
export const azureDns: Challenger<AzureDnsConfig> = {
  kind: "azure-dns",
  config: azureDnsConfig,
  async demandPlaces(at, names) {
    await fewAtOnce([...new Set(names)], 4, async (name) => setPath(at, await writtenName(name, at.config, at.signal)));
  },
  publish: async (at, record) =>
    await change(at, record, (records) =>
      records.some(holds(record)) ? records : [...records, { value: pieces(record.value) }],
    ),
  withdraw: async (at, record) =>
    await change(at, record, (records) =>
      records.some(holds(record)) ? records.filter((one) => !holds(record)(one)) : records,
    ),
  visible,
};

/** At a zone: these three actions, of all that "DNS Zone Contributor" may do. */
export const dnsTxtRole: AzureRole = {
  key: "dns-txt",
  description: "Writes and takes away TXT records of a DNS zone: the answers to a CA's challenges.",
  actions: ["read", "write", "delete"].map((verb) => `Microsoft.Network/dnsZones/TXT/${verb}`),
};

export const azureDnsNeeds = ({ zones }: AzureDnsConfig): readonly Need[] =>
  zones.map((at) => ({ role: dnsTxtRole, at }));

const holds =
  ({ value }: ChallengeRecord) =>
  (record: TxtRecord): boolean =>
    record.value.join("") === value;

const pieces = (value: string): string[] => value.match(/.{1,255}/gs) ?? [];

/** Reads the set, applies a change, writes it where it changed anything, and begins again where somebody else wrote in between. */
async function change(
  at: Step,
  record: ChallengeRecord,
  apply: (records: readonly TxtRecord[]) => readonly TxtRecord[],
): Promise<void> {
  const path = setPath(at, await placeOf(record, at.config, at.signal));
  for (let left = tries; ; left -= 1) {
    const found = await arm(at, { method: "GET", path, mayBeAbsent: true });
    const set = found === undefined ? undefined : recordSet.parse(found);
    const before = set?.properties.TXTRecords ?? [];
    const after = apply(before);
    if (after === before) return;
    try {
      return await write(at, path, set, after);
    } catch (error) {
      if (!(error instanceof PinionError && error.code === "CONFLICT") || left <= 1) throw error;
      await delay(50 + Math.random() * 200, undefined, { signal: at.signal });
    }
  }
}

async function write(at: Step, path: string, set: RecordSet | undefined, records: readonly TxtRecord[]): Promise<void> {
  if (set === undefined) {
    const body = { properties: { TTL: at.config.ttl, TXTRecords: records } };
    await arm(at, { method: "PUT", path, body, headers: { "if-none-match": "*" } });
    return;
  }
  const headers = { "if-match": set.etag };
  if (records.length === 0) {
    await arm(at, { method: "DELETE", path, headers, mayBeAbsent: true });
    return;
  }
  const { TTL, metadata } = set.properties;
  const body = { properties: { TTL, ...(metadata === undefined ? {} : { metadata }), TXTRecords: records } };
  await arm(at, { method: "PUT", path, body, headers });
}

/** The record set's path in the longest zone that holds the name. */
function setPath({ config }: Step, name: string): string {
  const zones = config.zones.map((id) => ({ id, zone: id.slice(id.lastIndexOf("/") + 1).toLowerCase() }));
  const [longest] = zones.filter(({ zone }) => isWithin(name, zone)).sort((a, b) => b.zone.length - a.zone.length);
  if (longest === undefined) {
    throw new PinionError(
      "TARGET_MISCONFIGURED",
      `None of the Azure DNS zones in the policy holds ${name}: add its zone.`,
    );
  }
  const relative = name === longest.zone ? "@" : name.slice(0, -longest.zone.length - 1);
  return `${longest.id}/TXT/${relative}`;
}

/** ARM speaks of consumers; here its subject is a DNS zone. */
async function arm(at: Step, request: Omit<ArmRequest, "apiVersion" | "signal">): Promise<unknown> {
  try {
    return await at.ports.arm({ ...request, apiVersion: "2018-05-01", signal: at.signal });
  } catch (error) {
    if (!(error instanceof PinionError)) throw error;
    const zone = request.path.split("/TXT/")[0]!;
    switch (error.code) {
      case "CONSUMER_FORBIDDEN":
        throw new PinionError(
          "TARGET_FORBIDDEN",
          `Azure refused to ${request.method} a TXT record: give the app's identity Microsoft.Network/dnsZones/TXT/read, write and delete at ${zone}.`,
          { class: error.class, cause: error },
        );
      case "CONSUMER_MISCONFIGURED":
        throw new PinionError(
          "TARGET_MISCONFIGURED",
          `Azure cannot write TXT records in ${zone}: check the resource id in the policy, and that no CNAME has the name.`,
          { cause: error },
        );
      case "CONSUMER_UNREACHABLE":
        throw new PinionError("TARGET_UNREACHABLE", error.message, {
          class: error.class,
          retryAfterSeconds: error.retryAfterSeconds,
          cause: error,
        });
      default:
        throw error;
    }
  }
}
