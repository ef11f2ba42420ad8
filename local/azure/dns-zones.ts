import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { fail } from "./arm.ts";
import type { ArmRequest, ArmRoute, ArmRouter } from "./arm.ts";
import { isRecord } from "./http.ts";
import type { Reply } from "./http.ts";
import { openFolder } from "./store.ts";

/** A public DNS zone, as `Microsoft.Network/dnsZones` has it. */
export interface DnsZoneDeclaration {
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  /** `contoso.com` */
  readonly name: string;
}

/** The Azure DNS stand-in: TXT record sets only. */
export interface DnsZones {
  readonly route: ArmRouter;
  /** The texts of a name, for the name server that plays Azure's. Undefined: no zone here holds it. */
  readonly texts: (name: string) => readonly string[] | undefined;
}

interface RecordSet {
  readonly etag: string;
  readonly properties: { readonly TTL: number; readonly TXTRecords: readonly TxtRecord[]; readonly metadata?: unknown };
}

interface TxtRecord {
  readonly value: readonly string[];
}

interface ZoneState {
  readonly declaration: DnsZoneDeclaration;
  /** By relative name, lower case. */
  readonly txt: Readonly<Record<string, RecordSet>>;
}

interface Zone {
  state: ZoneState;
  readonly save: (txt: ZoneState["txt"]) => void;
}

/** The ARM id of a zone. */
export function dnsZoneId({ subscriptionId, resourceGroup, name }: DnsZoneDeclaration): string {
  return `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}/providers/Microsoft.Network/dnsZones/${name}`;
}

const setPath =
  /^(\/subscriptions\/[^/]+\/resourcegroups\/([^/]+)\/providers\/microsoft\.network\/dnszones\/([^/]+))\/txt\/([^/]+)$/i;

/** Opens the zones with what the state folder holds of them. */
export function createDnsZones(stateDir: string, declarations: readonly DnsZoneDeclaration[]): DnsZones {
  const disk = openFolder<ZoneState>(join(stateDir, "dns-zones"));
  const kept = new Map(disk.all().map((state) => [dnsZoneId(state.declaration).toLowerCase(), state]));
  const zones = declarations.map((declaration): Zone => {
    const id = dnsZoneId(declaration).toLowerCase();
    const zone: Zone = {
      state: kept.get(id) ?? { declaration, txt: {} },
      save(txt) {
        zone.state = { declaration, txt };
        disk.put(Buffer.from(declaration.name).toString("hex"), zone.state);
      },
    };
    return zone;
  });
  return {
    route: (request) => route(zones, request),
    texts(name) {
      const holders = zones.filter(({ state: { declaration } }) => `.${name}`.endsWith(`.${declaration.name}`));
      const [zone] = holders.sort((a, b) => b.state.declaration.name.length - a.state.declaration.name.length);
      if (!zone) return undefined;
      const relative = name.slice(0, -zone.state.declaration.name.length - 1) || "@";
      return (zone.state.txt[relative]?.properties.TXTRecords ?? []).map(({ value }) => value.join(""));
    },
  };
}

function route(zones: readonly Zone[], { method, path, json, headers }: ArmRequest): ArmRoute | undefined {
  const [, id, group, name, relative] = setPath.exec(path) ?? [];
  if (!id || relative === undefined) return undefined;
  const zone = zones.find(({ state }) => dnsZoneId(state.declaration).toLowerCase() === id.toLowerCase());
  const does = (verb: string, operation: string, run: (zone: Zone) => Reply): ArmRoute => ({
    operation,
    action: `Microsoft.Network/dnsZones/TXT/${verb}`,
    run: () =>
      zone
        ? run(zone)
        : fail(
            404,
            "ParentResourceNotFound",
            `Can not perform requested operation on nested resource. Parent resource '${name}' not found.`,
          ),
  });
  const key = decodeURIComponent(relative).toLowerCase();
  switch (method) {
    case "GET":
      return does("read", "recordsets.get", (zone) => {
        const set = zone.state.txt[key];
        const where = `The resource record '${key}' does not exist in resource group '${group}' of subscription.`;
        return set ? { status: 200, body: bodyOf(zone, key, set) } : fail(404, "NotFound", where);
      });
    case "PUT":
      return does("write", "recordsets.put", (zone) => put(zone, key, json, headers));
    case "DELETE":
      return does("delete", "recordsets.delete", (zone) => {
        const { [key]: set, ...rest } = zone.state.txt;
        if (!set) return { status: 204 };
        const unmet = precondition(set, headers);
        if (unmet) return unmet;
        zone.save(rest);
        return { status: 200 };
      });
    default:
      return undefined;
  }
}

/** "Record Sets - Create Or Update": the body replaces the set. */
function put(zone: Zone, key: string, json: unknown, headers: ArmRequest["headers"]): Reply {
  const properties = isRecord(json) && isRecord(json["properties"]) ? json["properties"] : {};
  const { TTL, TXTRecords, metadata } = properties;
  if (typeof TTL !== "number" || !isTxt(TXTRecords)) {
    return fail(400, "BadRequest", "The record set's TTL or its records are missing or malformed.");
  }
  const old = zone.state.txt[key];
  const unmet = precondition(old, headers);
  if (unmet) return unmet;
  const set = { etag: randomUUID(), properties: { TTL, TXTRecords, ...(metadata === undefined ? {} : { metadata }) } };
  zone.save({ ...zone.state.txt, [key]: set });
  return { status: old ? 200 : 201, body: bodyOf(zone, key, set) };
}

/** The documentation names 412 and the two headers; the wording, and 412 for an If-Match on what is not there, are unconfirmed. */
function precondition(set: RecordSet | undefined, headers: ArmRequest["headers"]): Reply | undefined {
  const { "if-match": match, "if-none-match": noneMatch } = headers;
  if (noneMatch === "*" && set) {
    return fail(412, "PreconditionFailed", "The condition '*' in the If-None-Match header was not satisfied.");
  }
  if (match !== undefined && match !== set?.etag) {
    return fail(412, "PreconditionFailed", `The condition '${match}' in the If-Match header was not satisfied.`);
  }
  return undefined;
}

function isTxt(value: unknown): value is readonly TxtRecord[] {
  const texts = (one: unknown) => Array.isArray(one) && one.length > 0 && one.every((text) => typeof text === "string");
  return Array.isArray(value) && value.every((one) => isRecord(one) && texts(one["value"]));
}

function bodyOf({ state: { declaration } }: Zone, key: string, { etag, properties }: RecordSet) {
  const fqdn = key === "@" ? `${declaration.name}.` : `${key}.${declaration.name}.`;
  return {
    id: `${dnsZoneId(declaration)}/TXT/${key}`,
    name: key,
    type: "Microsoft.Network/dnszones/TXT",
    etag,
    properties: { ...properties, fqdn, targetResource: {}, provisioningState: "Succeeded" },
  };
}
