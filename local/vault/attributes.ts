import type { Json, Vault, VersionRecord } from "./model.ts";
import { badParameter } from "./refusal.ts";

/** Attributes as a caller may give them. The service's own (created, updated, recoveryLevel ...) are ignored. */
export interface GivenAttributes {
  readonly enabled?: boolean;
  readonly nbf?: number;
  readonly exp?: number;
}

type Fields = Readonly<Record<string, unknown>>;

const maxTags = 15;
/** The end of the year 9999: what the service's own date type can hold. */
const maxTime = 253_402_300_799;

/** Whole seconds, as the wire has them. */
export const seconds = (milliseconds: number): number => Math.floor(milliseconds / 1000);

/** True for a JSON object (not null, not an array). */
export function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `body.attributes`; null counts as absent, here and below, as in the service's own JSON reader. */
export function readAttributes(body: Fields): GivenAttributes {
  const given = body["attributes"] ?? {};
  if (!isObject(given)) throw badParameter("The parameter attributes is not an object.");
  const enabled = given["enabled"] ?? undefined;
  if (enabled !== undefined && typeof enabled !== "boolean") {
    throw badParameter("The parameter attributes.enabled is not a boolean.");
  }
  const nbf = readTime(given, "nbf");
  const exp = readTime(given, "exp");
  return {
    ...(enabled === undefined ? {} : { enabled }),
    ...(nbf === undefined ? {} : { nbf }),
    ...(exp === undefined ? {} : { exp }),
  };
}

function readTime(given: Fields, name: "nbf" | "exp"): number | undefined {
  const value = given[name] ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > maxTime) {
    throw badParameter(`The parameter attributes.${name} is not a number of whole seconds since 1970.`);
  }
  return value;
}

/** `body.tags`: at most 15, names and values as long as the kind of object allows. */
export function readTags(body: Fields, maxLength: number): Readonly<Record<string, string>> | undefined {
  const given = body["tags"] ?? undefined;
  if (given === undefined) return undefined;
  if (!isObject(given)) throw badParameter("The parameter tags is not an object.");
  const entries = Object.entries(given);
  if (entries.length > maxTags) throw badParameter(`The parameter tags has more than ${maxTags} entries.`);
  for (const [name, value] of entries) {
    if (typeof value !== "string") throw badParameter("The parameter tags has a value that is not a string.");
    if (name.length > maxLength || value.length > maxLength) {
      throw badParameter(`The parameter tags has a name or value of more than ${maxLength} characters.`);
    }
  }
  // Entries again: a tag may be named __proto__.
  return Object.fromEntries(entries as [string, string][]);
}

/** A string member of the body with a maximum length, or undefined when it is not there. */
export function readText(body: Fields, name: string, maxLength: number): string | undefined {
  const value = body[name] ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== "string") throw badParameter(`The parameter ${name} is not a string.`);
  if (value.length > maxLength) throw badParameter(`The parameter ${name} is longer than ${maxLength} characters.`);
  return value;
}

/** The `attributes` member of a bundle. */
export function attributesOf(vault: Vault, version: VersionRecord): { readonly [key: string]: Json } {
  return {
    enabled: version.enabled,
    nbf: version.nbf,
    exp: version.exp,
    created: seconds(version.created),
    updated: seconds(version.updated),
    recoveryLevel: recoveryLevel(vault),
    recoverableDays: vault.retentionDays,
  };
}

function recoveryLevel({ retentionDays, purgeProtection }: Vault): string {
  return `${retentionDays < 90 ? "Customized" : ""}Recoverable${purgeProtection ? "" : "+Purgeable"}`;
}
