import { z } from "zod";
import { PinionError } from "../errors.ts";
import type { Context } from "./context.ts";
import { unseen } from "./finding.ts";

/** Reads a resource by its ARM id, with `query` where it takes more than an api-version; undefined where there is none. */
export async function readArm<T>(
  { arm }: Context,
  id: string,
  apiVersion: string,
  schema: z.ZodType<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  const found = await arm({ method: "GET", path: id, apiVersion, mayBeAbsent: true, signal }).catch(
    (error: unknown) => {
      throw error instanceof PinionError && error.code === "CONSUMER_FORBIDDEN" ? forbidden(id) : error;
    },
  );
  return found === undefined ? undefined : schema.parse(found);
}

/** Every resource of a collection, over all its pages. */
export async function listArm<T>(
  context: Context,
  collection: string,
  apiVersion: string,
  schema: z.ZodType<T>,
  signal: AbortSignal,
): Promise<readonly T[]> {
  const page = z.object({ value: z.array(schema), nextLink: z.string().nullish() });
  const all: T[] = [];
  for (let next: string | undefined = collection; next !== undefined;) {
    const found: z.output<typeof page> | undefined = await readArm(context, next, apiVersion, page, signal);
    all.push(...(found?.value ?? []));
    const link: string | null | undefined = found?.nextLink;
    // Only the path: a token is never sent to a host that a reply names.
    next = link ? pathOf(link) : undefined;
  }
  return all;
}

function pathOf(link: string): string {
  const { pathname, search } = new URL(link, "https://localhost");
  return pathname + search;
}

const forbidden = (id: string) =>
  unseen(
    `The identity may not read ${id.split("?")[0]?.split("/").slice(-2).join("/")} in Azure Resource Manager (403).`,
    `To let the doctor see it, assign ${roleFor(id)}.`,
  );

/** Which role at which scope shows what the id names. */
export function roleFor(id: string): string {
  const own = /^.*\/(Microsoft\.KeyVault\/vaults|Microsoft\.EventGrid\/systemTopics)\/[^/?]+/i.exec(id)?.[0];
  if (own !== undefined) return `the role read-events of infra/roles.json at ${own}`;
  if (/\/providers\/Microsoft\.EventGrid\/systemTopics$/i.test(id))
    return `the role find-topics of infra/roles.json at ${scopeOf(id)}`;
  return `the role read-own of infra/roles.json at ${scopeOf(id)}`;
}

/** The resource group of an id, else its subscription. */
export const scopeOf = (id: string): string => /^\/subscriptions\/[^/]+(\/resourceGroups\/[^/]+)?/i.exec(id)?.[0] ?? id;
export const nameOf = (id: string): string => id.split("/").at(-1) ?? "";
export const sameId = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase();
