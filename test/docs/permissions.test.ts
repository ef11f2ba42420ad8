import { describe, expect, test } from "vitest";
import { permits, roleNamed } from "../../local/vault/roles.ts";
import { rotators } from "../../rotators/index.ts";
import { challengeConfig, challengeNeeds } from "../../rotators/shared/challenge.ts";
import { actionsOf } from "../../src/activities/rights.ts";
import { findConsumer } from "../../src/consumers/index.ts";
import { type ConsumerKind, readable } from "../../src/policy-consumers.ts";
import { codesIn, readFile, tableOf } from "./page.ts";

// The rights of docs/permissions.md are what preflight asks for, and what consumers declare. That rotations use them is test/life/rights.test.ts's.

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
  ["a key", "key"],
] as const;
/** What is not asked for beforehand: a key is tried instead, and a sibling that somebody deleted is seldom. */
const unasked: Readonly<Record<string, readonly string[]>> = {
  "a key": ["sign", "verify", "wrap", "unwrap"].map((verb) => `keys/${verb}/action`),
  "a secret": ["secrets/recover/action"],
};

describe.each(objects)("%s", (object, row) => {
  const { own, sibling } = vaultRights(object);

  test("the page has what preflight asks for, and nothing more", () => {
    const asked = (actions: readonly string[]) => new Set(actions.map((action) => action.replace(prefix, "")));
    const besides = unasked[object] ?? [];
    const without = (shown: ReadonlySet<string>) => new Set([...shown].filter((one) => !besides.includes(one)));
    expect(without(own)).toEqual(asked(actionsOf[row].object));
    expect(without(sibling)).toEqual(asked(actionsOf[row].staging));
    expect([...own, ...sibling]).toEqual(expect.arrayContaining([...besides]));
  });

  test("the built-in roles have all of it", () => {
    // Of two tables with that heading the second one names roles.
    const [roles = ""] = tableOf(page.slice(page.indexOf("Built-in roles")), "the object is")
      .filter(([cell]) => cell === object)
      .map(([, cell]) => cell);
    const given = roles.split(", ").map(roleNamed);
    for (const action of [...own, ...sibling])
      expect([action, given.some((role) => permits(role, action))]).toEqual([action, true]);
  });
});

test("every consumer, with the actions that it declares", () => {
  expect(tableOf(page, "consumer").map(([kind = ""]) => codesIn(kind)[0])).toEqual(Object.keys(readable));
  for (const kind of Object.keys(readable) as ConsumerKind[]) {
    const [[scope = "", actions = ""] = []] = rowOf("consumer", `\`${kind}\``);
    const declared = findConsumer(kind).roles;
    expect([kind, scope]).toEqual([kind, declared[0]?.scope ?? "none"]);
    if (declared.length > 0) expect([kind, codesIn(actions)]).toEqual([kind, declared.flatMap((role) => role.actions)]);
  }
});

test("every rotator once, in order", () => {
  const kinds = [...new Set(rotators.map(({ kind }) => kind))];
  expect(tableOf(page, "rotator").map(([kind = ""]) => codesIn(kind)[0])).toEqual(kinds);
  // What a rotator declares of Azure's roles would have to stand there.
  for (const { kind, roles } of rotators) {
    const [[needs = ""] = []] = rowOf("rotator", `\`${kind}\``);
    const actions = (roles as readonly { readonly actions: readonly string[] }[]).flatMap((role) => role.actions);
    expect(codesIn(needs)).toEqual(expect.arrayContaining(actions));
  }
});

test("the actions of a challenge in Azure DNS", () => {
  const zone =
    "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/rg/providers/Microsoft.Network/dnsZones/contoso.com";
  const [needs] = challengeNeeds(challengeConfig.parse({ kind: "azure-dns", zones: [zone] }));
  const line = page.split("\n").find((one) => one.startsWith("Challenges in Azure DNS"))!;
  expect(codesIn(line)).toEqual(needs!.actions);
});
