import { z } from "zod";

/** A Key Vault event, whichever schema it came in. */
export interface VaultEvent {
  readonly type: string;
  /** The vault's ARM id: `topic` or `source`. */
  readonly resourceId: string;
  readonly vaultName: string;
  readonly objectType: string;
  readonly objectName: string;
  readonly version: string;
  /** When the version ends, in milliseconds since 1970, where the event tells. */
  readonly expiresAt?: number;
}

const text = z.string().trim().max(1024);
const envelope = z.looseObject({
  eventType: text.optional(),
  type: text.optional(),
  topic: text.optional(),
  source: text.optional(),
  data: z.unknown(),
});
const body = z.looseObject({
  vaultname: text,
  objecttype: text,
  objectname: text,
  version: text,
  // A number by the documentation, a text in its sample; a version without an end has none.
  exp: z.union([z.number(), text]).nullish(),
});

/**
 * Reads an event in Event Grid's schema or as a CloudEvent. Names of `data` are compared without case and stray blanks, since the
 * documentation's own sample has both (facts: durable-protocol section 6). Undefined for anything that is not a Key Vault event.
 */
export function readVaultEvent(raw: unknown): VaultEvent | undefined {
  const outer = envelope.safeParse(typeof raw === "string" ? parseJson(raw) : raw);
  if (!outer.success) return undefined;
  const { data } = outer.data;
  const fields = body.safeParse(lowered(typeof data === "string" ? parseJson(data) : data));
  const type = outer.data.eventType ?? outer.data.type;
  const resourceId = outer.data.topic ?? outer.data.source;
  if (!fields.success || type === undefined || resourceId === undefined) return undefined;
  const { vaultname, objecttype, objectname, version, exp } = fields.data;
  const seconds = exp === undefined || exp === null || exp === "" ? Number.NaN : Number(exp);
  return {
    type,
    resourceId,
    vaultName: vaultname,
    objectType: objecttype,
    objectName: objectname,
    version,
    ...(Number.isFinite(seconds) ? { expiresAt: seconds * 1000 } : {}),
  };
}

function lowered(data: unknown): unknown {
  if (typeof data !== "object" || data === null) return data;
  return Object.fromEntries(Object.entries(data).map(([name, value]) => [name.trim().toLowerCase(), value]));
}

function parseJson(textual: string): unknown {
  try {
    return JSON.parse(textual);
  } catch {
    return undefined;
  }
}
