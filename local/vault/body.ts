import { isObject } from "./attributes.ts";
import { badParameter } from "./refusal.ts";

/** A JSON body, or an object inside one. */
export type Body = Readonly<Record<string, unknown>>;

/** A member that must be there, a string. */
export function requireText(body: Body, name: string): string {
  const value = body[name] ?? undefined;
  if (value === undefined) throw badParameter(`Property '${name}' is required.\r\n`);
  if (typeof value !== "string") throw badParameter(`Property '${name}' is not a string.\r\n`);
  return value;
}

/** A member that must be there, bytes in base64url without padding. */
export function requireBytes(body: Body, name: string): Buffer {
  const bytes = fromBase64url(requireText(body, name));
  if (!bytes) throw badParameter(`Content of '${name}' is not base64url.\r\nProperty '${name}' is required.\r\n`);
  return bytes;
}

/** The bytes of a text in base64url without padding, or undefined when it is anything else. */
export function fromBase64url(text: string): Buffer | undefined {
  return /^[\w-]*$/.test(text) && text.length % 4 !== 1 ? Buffer.from(text, "base64url") : undefined;
}

/** A whole number from `least` to `most`, or undefined when it is not there. */
export function readInteger(body: Body, name: string, least: number, most: number): number | undefined {
  const value = body[name] ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most) {
    throw badParameter(`Property '${name}' is not a whole number from ${least} to ${most}.\r\n`);
  }
  return value;
}

/** An object, or undefined when it is not there. */
export function readObject(body: Body, name: string): Body | undefined {
  const value = body[name] ?? undefined;
  if (value === undefined || isObject(value)) return value;
  throw badParameter(`Property '${name}' is not an object.\r\n`);
}

/** An array, or undefined when it is not there. */
export function readArray(body: Body, name: string): readonly unknown[] | undefined {
  const value = body[name] ?? undefined;
  if (value === undefined || Array.isArray(value)) return value;
  throw badParameter(`Property '${name}' is not an array.\r\n`);
}
