import { createHash } from "node:crypto";
import { z } from "zod";
import type { Notes } from "../../../src/rotator.ts";

/** A note by its schema; one that is damaged, or of another release, counts as none. */
export function parseNote<T>(text: string | undefined, schema: z.ZodType<T>): T | undefined {
  try {
    return text === undefined ? undefined : schema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

const orderNote = z.object({
  rotationId: z.string(),
  /** The account's URL. */
  kid: z.string(),
  /** {@link setOf} the names. */
  set: z.string(),
  /** Milliseconds: when we meant to order. */
  since: z.number(),
  /** The order's URL, as soon as the CA has told it. */
  url: z.string().optional(),
  /** Whether the order replaces a certificate by ARI. */
  replacing: z.boolean().optional(),
  /** How many of the noted values are published, and since when all are. */
  published: z.int().optional(),
  publishedAt: z.number().optional(),
  /** Whether the CA was told to look. */
  answered: z.boolean().optional(),
});

/** What we remember of an order from before it is made until its certificate is merged and its values are withdrawn. */
export type OrderNote = z.output<typeof orderNote>;

const name = "acme-order";

export function readOrderNote(notes: Notes): OrderNote | undefined {
  return parseNote(notes.read(name), orderNote);
}

export async function writeOrderNote(notes: Notes, note: OrderNote): Promise<OrderNote> {
  await notes.write(name, JSON.stringify(note));
  return note;
}

export async function forgetOrder(notes: Notes): Promise<void> {
  if (notes.read(name) !== undefined) await notes.write(name, undefined);
}

/** A short hash of a set of names: rate limits of CAs count by it. */
export function setOf(names: readonly string[]): string {
  const text = [...new Set(names.map((one) => one.toLowerCase()))].sort().join(" ");
  return createHash("sha256").update(text).digest("base64url").slice(0, 16);
}
