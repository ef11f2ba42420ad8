import { describe, expect, test } from "vitest";
import { permits, roleNamed } from "../../local/vault/roles.ts";
import { rotators } from "../../rotators/index.ts";
import { objectRoles } from "../../src/azure/vault-roles.ts";
import type { AzureRole } from "../../src/azure/role.ts";
import { findConsumer } from "../../src/consumers/index.ts";
import { type ConsumerKind, readable } from "../../src/policy-consumers.ts";
import { roles } from "../../src/roles.ts";
import { codesIn, readFile, tableOf } from "./page.ts";

// The roles of docs/permissions.md are those that the code declares. That preflight asks for them, that onboarding gives them and that
// rotations need them are test/grants', test/infra's and test/life's.

const page = readFile("docs/permissions.md");
const prefix = "Microsoft.KeyVault/vaults/";
const rowOf = (heading: string, first: string) => {
  const rows = tableOf(page, heading).filter(([cell]) => cell === first);
  return rows.map(([, ...cells]) => cells);
};
/** By what the object is: the actions at the object, and at its sibling. */
const vaultRights = (object: string) => {
  const [[own = "", sibling = ""] = []] = rowOf("the object is", object);
  return { own: new Set(codesIn(own)), sibling: new Set(codesIn(sibling)) };
};
const objects = [
  ["a secret", "secret"],
  ["a certificate, exportable", "certificate"],
  ["a certificate, not exportable", "inside"],
  ["a certificate that its vault renews", "renewed"],
  ["a key", "key"],
] as const;

describe.each(objects)("%s", (name, kind) => {
  const { own, sibling } = vaultRights(name);

  test("the page has the actions of its roles, and nothing more", () => {
    const declared = (given: readonly AzureRole[]) =>
      new Set(given.flatMap(({ dataActions = [] }) => dataActions).map((action) => action.replace(prefix, "")));
    const { object, staging } = objectRoles[kind];
    expect(own).toEqual(declared(object));
    expect(sibling).toEqual(declared(staging === undefined ? [] : [staging]));
  });

  test("the built-in roles have all of it", () => {
    // Of two tables with that heading the second one names roles.
    const [builtIn = ""] = tableOf(page.slice(page.indexOf("Built-in roles")), "the object is")
      .filter(([cell]) => cell === name)
      .map(([, cell]) => cell);
    const given = builtIn.split(", ").map(roleNamed);
    for (const action of [...own, ...sibling])
      expect([action, given.some((role) => permits(role, action))]).toEqual([action, true]);
  });
});

test("every role once: why it is there, and what it can do when it is stolen", () => {
  const rows = tableOf(page, "role").map(([key = "", ...cells]) => [codesIn(key)[0], cells] as const);
  expect(rows).toHaveLength(Object.keys(roles).length);
  expect(new Set(rows.map(([key]) => key))).toEqual(new Set(Object.keys(roles)));
  for (const [key, cells] of rows)
    expect([key, cells.filter((cell) => cell.length > 3)]).toEqual([key, cells.slice(0, 3)]);
});

/** The roles that a row of the page names. */
const namedIn = (cell: string) => codesIn(cell).filter((code) => Object.hasOwn(roles, code));

test("every consumer, with the roles that it declares", () => {
  expect(tableOf(page, "consumer").map(([kind = ""]) => codesIn(kind)[0])).toEqual(Object.keys(readable));
  for (const kind of Object.keys(readable) as ConsumerKind[]) {
    const [[needs = ""] = []] = rowOf("consumer", `\`${kind}\``);
    const declared = findConsumer(kind).roles.map(({ key }) => key);
    expect([kind, new Set(namedIn(needs))]).toEqual([kind, new Set(declared)]);
  }
});

test("every rotator once, in order, with the roles that it declares", () => {
  const kinds = [...new Set(rotators.map(({ kind }) => kind))];
  expect(tableOf(page, "rotator").map(([kind = ""]) => codesIn(kind)[0])).toEqual(kinds);
  for (const { kind, roles: declared } of rotators as readonly { kind: string; roles: readonly AzureRole[] }[]) {
    const [[needs = ""] = []] = rowOf("rotator", `\`${kind}\``);
    expect([kind, new Set(namedIn(needs))]).toEqual([kind, new Set(declared.map(({ key }) => key))]);
  }
});
