import type { z } from "zod";
import type { Json, Reply } from "./model.ts";
import { badParameter } from "./refusal.ts";
import { parseJson } from "./request.ts";

/** A reply that holds `value`. */
export const ok = (value: unknown, status = 200): Reply => ({ status, body: { value: value as Json } });

/** Does the work and answers 204. */
export function done(work: () => void): Reply {
  work();
  return { status: 204 };
}

/** The body by its schema; refuses anything else with 400, saying what is wrong where. */
export function parse<T>(schema: z.ZodType<T>, raw: Buffer): T {
  const result = schema.safeParse(parseJson(raw));
  if (result.success) return result.data;
  throw badParameter(
    result.error.issues.map(({ path, message }) => `${path.join(".") || "body"}: ${message}`).join("; "),
  );
}

/** The members that are not undefined. */
export function definite<T extends object>(given: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
