import type { Grant, Place } from "../../src/grants.ts";
import { roles } from "../../src/roles.ts";

// Calls that were made against rights that are declared, both ways.

/** One call: what Azure asks for it, where. */
export interface Call {
  readonly action: string;
  readonly scope: string;
  /** Azure lists no such operation. */
  readonly unlisted?: boolean;
}

/** One action of a role that is given somewhere. */
export interface Held {
  readonly role: string;
  readonly action: string;
  readonly scope: string;
}

/** The actions of role assignments, one by one. */
export const heldBy = (grants: readonly Pick<Grant, "role" | "scope">[]): readonly Held[] =>
  grants.flatMap(({ role, scope }) =>
    [...roles[role]!.actions, ...roles[role]!.dataActions].map((action) => ({ role, action, scope })),
  );

/** What is used of the roles of places, each once. That it is all that is given there, and all of it is given, is grants.test.ts' to say. */
export function heldAt(places: readonly Place[]): readonly Held[] {
  const all = places.flatMap(({ role, scope, used }) =>
    [...used.actions, ...used.dataActions].map((action): Held => ({ role: role.key, action, scope })),
  );
  return [...new Map(all.map((one) => [`${one.role} ${one.action} ${one.scope}`.toLowerCase(), one])).values()];
}

/** Azure compares without case; `*` stands for anything. */
const fits = (pattern: string, action: string): boolean =>
  new RegExp(`^${pattern.replaceAll(".", "\\.").replaceAll("*", ".*")}$`, "i").test(action);

/** Whether an ARM id is the scope, or below it. */
export const isWithin = (scope: string, at: string): boolean =>
  `${at}/`.toLowerCase().startsWith(`${scope}/`.toLowerCase());

/** A pattern is held for what Azure has no name for, and counts for nothing else. */
export const allows = (held: Omit<Held, "role">, { action, scope, unlisted = false }: Call): boolean =>
  held.action.includes("*") === unlisted && fits(held.action, action) && isWithin(held.scope, scope);

/** Calls that nothing allows. */
export const uncovered = (calls: readonly Call[], held: readonly Held[]): readonly string[] => [
  ...new Set(
    calls
      .filter((call) => !held.some((one) => allows(one, call)))
      .map(({ action, scope }) => `${action} at ${shortOf(scope)}`),
  ),
];

/** Rights that no call needs. */
export const unused = (calls: readonly Call[], held: readonly Held[]): readonly Held[] =>
  held.filter((one) => !calls.some((call) => allows(one, call)));

export const shortOf = (scope: string): string => scope.split("/").slice(-4).join("/");
