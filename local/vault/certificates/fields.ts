import { isObject } from "../attributes.ts";
import { badParameter } from "../refusal.ts";

// Members of what a caller sent, with the service's text for those that are not what they should be. Null counts as absent.

/** Members of a JSON object, as a caller sent them. */
export type Given = Readonly<Record<string, unknown>>;

const maxText = 4096;
const maxList = 1000;

/** The 400 of a property, in the service's words. */
export const invalid = (path: string, reason: string) =>
  badParameter(`Property ${path} has invalid value. ${reason}\r\n`);

/** A member that is an object; an empty one counts as absent, because official clients send `{}` for nothing. */
export function readSection(from: Given, name: string, path: string): Given | undefined {
  const value = from[name] ?? undefined;
  if (value === undefined) return undefined;
  if (!isObject(value)) throw invalid(path, "It is not an object.");
  return Object.keys(value).length === 0 ? undefined : value;
}

export function boolean(from: Given, name: string, path: string): boolean | undefined {
  const value = from[name] ?? undefined;
  if (value !== undefined && typeof value !== "boolean") throw invalid(path, `${name} is not a boolean.`);
  return value;
}

export function integer(from: Given, name: string, path: string): number | undefined {
  const value = from[name] ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isSafeInteger(value)) throw invalid(path, `${name} is not a whole number.`);
  return value;
}

export function text(from: Given, name: string, path: string): string | undefined {
  const value = from[name] ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== "string" || value.length > maxText) throw invalid(path, `${name} is not a text, or too long.`);
  return value;
}

export function texts(from: Given, name: string, path: string): readonly string[] | undefined {
  const value = from[name] ?? undefined;
  if (value === undefined) return undefined;
  const fits = Array.isArray(value) && value.length <= maxList;
  if (!fits || !value.every((one) => typeof one === "string" && one.length <= maxText)) {
    throw invalid(path, `${name} is not a list of texts, or too long.`);
  }
  return value as string[];
}
