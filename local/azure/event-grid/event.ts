import { randomUUID } from "node:crypto";
import { isRecord } from "../http.ts";

/** The two schemas that Event Grid accepts and delivers. */
export const schemas = ["EventGridSchema", "CloudEventSchemaV1_0"] as const;
export type Schema = (typeof schemas)[number];

/** An event as it was published: in its own schema, with what delivery needs to know. */
export interface Published {
  readonly schema: Schema;
  /** The fields of the event, in `schema`. */
  readonly event: Readonly<Record<string, unknown>>;
  /** Milliseconds since 1970, by the cloud's clock. */
  readonly publishedAt: number;
}

/** One condition on a field of the event, by its path (`data.ObjectName`): `values` are tried one by one. */
export interface AdvancedFilter {
  readonly operatorType: string;
  readonly key: string;
  readonly values: readonly string[];
}

/** Which events of its topic a subscription wants; absent fields let everything through. Compared without regard to case. */
export interface Filters {
  /** All of them must hold. */
  readonly advancedFilters?: readonly AdvancedFilter[];
  readonly includedEventTypes?: readonly string[];
  readonly subjectBeginsWith?: string;
  readonly subjectEndsWith?: string;
}

/** What a vault tells about an object: the fields of all `Microsoft.KeyVault.*` events. */
export interface VaultEvent {
  /** For instance `Microsoft.KeyVault.SecretNearExpiry`. */
  readonly type: string;
  readonly vaultName: string;
  /** ARM id of the vault: the event's topic or source. */
  readonly resourceId: string;
  /** A UUID; absent: a new one. */
  readonly eventId?: string;
  readonly objectName: string;
  readonly version?: string;
  /** The object's URL with its version. */
  readonly id: string;
  /** Seconds since 1970. */
  readonly nbf?: number | undefined;
  readonly exp?: number | undefined;
  /** When it happened, ISO 8601. */
  readonly time: string;
}

/** Azure's form of a time: seven decimals. */
export function azureTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace("Z", "0000Z");
}

/** Wraps what a vault tells as Event Grid does (facts: learn.microsoft.com/azure/event-grid/event-schema-key-vault). */
export function vaultEvent(told: VaultEvent, publishedAt: number): Published {
  const objectType = /\.(Secret|Key|Certificate|Vault)\w+$/.exec(told.type)?.[1] ?? "";
  return {
    schema: "EventGridSchema",
    publishedAt,
    event: {
      id: told.eventId ?? randomUUID(),
      topic: told.resourceId,
      subject: told.objectName,
      eventType: told.type,
      eventTime: azureTime(Date.parse(told.time)),
      data: {
        Id: told.id,
        VaultName: told.vaultName,
        ObjectType: objectType,
        ObjectName: told.objectName,
        Version: told.version ?? null,
        NBF: told.nbf ?? null,
        EXP: told.exp ?? null,
      },
      dataVersion: "1",
      metadataVersion: "1",
    },
  };
}

/** The event in the wanted schema. An event published as a CloudEvent stays one, as in Azure. */
export function inSchema({ schema, event }: Published, wanted: Schema): Record<string, unknown> {
  if (schema === wanted || schema === "CloudEventSchemaV1_0") return { ...event };
  const { id, topic, subject, eventType, eventTime, data } = event;
  return { id, source: topic, subject, type: eventType, time: eventTime, data, specversion: "1.0" };
}

/** The schema in which a subscription gets this event. */
export function deliveredAs(published: Published, wanted: Schema): Schema {
  return published.schema === "CloudEventSchemaV1_0" ? "CloudEventSchemaV1_0" : wanted;
}

/** A field as text; empty when it is none. */
export function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** The event's type, whatever its schema. */
export function eventType({ event }: Published): string {
  return text(event["eventType"] ?? event["type"]);
}

/** True when the subscription wants the event. */
export function matches(published: Published, filters: Filters = {}): boolean {
  const subject = text(published.event["subject"]).toLowerCase();
  const type = eventType(published).toLowerCase();
  const types = filters.includedEventTypes;
  return (
    (types === undefined || types.some((included) => included.toLowerCase() === type)) &&
    subject.startsWith((filters.subjectBeginsWith ?? "").toLowerCase()) &&
    subject.endsWith((filters.subjectEndsWith ?? "").toLowerCase()) &&
    (filters.advancedFilters ?? []).every((filter) => holds(published, filter))
  );
}

type Compare = (field: string, value: string) => boolean;
const begins: Compare = (field, value) => field.startsWith(value);
const ends: Compare = (field, value) => field.endsWith(value);
const contains: Compare = (field, value) => field.includes(value);
const is: Compare = (field, value) => field === value;
const comparisons: Readonly<Record<string, Compare>> = {
  BeginsWith: begins,
  EndsWith: ends,
  Contains: contains,
  In: is,
};

/** The operators for strings. A `Not` holds where the field is missing, too. */
function holds({ event }: Published, { operatorType, key, values }: AdvancedFilter): boolean {
  const [, not, name = ""] = /^String(Not)?(\w+)$/.exec(operatorType) ?? [];
  const compare = comparisons[name];
  if (compare === undefined) throw new Error(`the local Event Grid knows no operator ${operatorType}`);
  const found = key.split(".").reduce<unknown>((at, part) => (isRecord(at) ? at[part] : undefined), event);
  const field = text(found).toLowerCase();
  return values.some((value) => compare(field, value.toLowerCase())) !== (not !== undefined);
}

const required: Readonly<Record<Schema, readonly string[]>> = {
  EventGridSchema: ["id", "subject", "eventType", "eventTime", "dataVersion"],
  CloudEventSchemaV1_0: ["id", "source", "type", "specversion"],
};

/** The events of a publish request, or the sentence that says what is wrong with it. */
export function parseEvents(json: unknown, schema: Schema, topicId: string, now: number): Published[] | string {
  const name = schema === "EventGridSchema" ? "EventGridEvent" : "CloudEventV10";
  const wrong = `This resource is configured to receive event in '${name}' schema. The JSON received does not conform to the expected schema.`;
  if (json === undefined) return `${wrong} The body is not JSON.`;
  if (schema === "EventGridSchema" && !Array.isArray(json)) {
    return `${wrong} Token Expected: StartArray, Actual Token Received: StartObject.`;
  }
  const events = [json].flat();
  if (events.length === 0) return wrong;
  const published: Published[] = [];
  for (const event of events) {
    if (!isRecord(event)) return wrong;
    const missing = required[schema].find((field) => typeof event[field] !== "string");
    if (missing) return `${wrong} The required property '${missing}' is missing or not a string.`;
    if (schema === "CloudEventSchemaV1_0" && event["specversion"] !== "1.0") return `${wrong} specversion must be 1.0.`;
    const whole = schema === "EventGridSchema" ? { ...event, topic: topicId, metadataVersion: "1" } : event;
    published.push({ schema, event: whole, publishedAt: now });
  }
  return published;
}
