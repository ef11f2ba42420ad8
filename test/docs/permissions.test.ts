import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { needOf } from "../../local/vault/actions.ts";
import { permits, roleNamed } from "../../local/vault/roles.ts";
import { rotators } from "../../rotators/index.ts";
import { challengeConfig, challengeNeeds } from "../../rotators/shared/challenge.ts";
import { actionsOf } from "../../src/activities/rights.ts";
import { findConsumer } from "../../src/consumers/index.ts";
import { type ConsumerKind, readable } from "../../src/policy-consumers.ts";
import { firstCertificate, firstKey, names } from "../life/first.ts";
import { live } from "../life/live.ts";
import { openObject, openWorld, type World } from "../life/world.ts";
import { codesIn, readFile, tableOf } from "./page.ts";

// The rights of docs/permissions.md are what preflight asks for, what consumers declare, and what whole rotations use.

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
const objects = {
  "a secret": "secret",
  "a certificate, exportable": "certificate",
  "a certificate, not exportable": "certificate",
  "a key": "key",
} as const;

describe.each(Object.entries(objects))("%s", (object, kind) => {
  const { own, sibling } = vaultRights(object);

  test("all that preflight asks for is there", () => {
    const without = (actions: readonly string[]) => actions.map((action) => action.replace(prefix, ""));
    expect([...own]).toEqual(expect.arrayContaining(without(actionsOf[kind].object)));
    if (sibling.size > 0) expect([...sibling]).toEqual(expect.arrayContaining(without(actionsOf[kind].staging)));
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

describe("used by whole rotations", () => {
  let world: World;
  beforeAll(async () => void (world = await openWorld()));
  afterAll(async () => await world.close());

  /** What the vault was asked since its log had so many entries. */
  async function asked(since: number) {
    const reply = await fetch(`${world.uri}/_emulator/log`);
    const { value } = (await reply.json()) as { value: { operation?: string; name?: string }[] };
    const actions = (own: boolean) =>
      value
        .slice(since)
        .filter(({ name = "" }) => name.startsWith("pinion-stage-") !== own)
        .map(({ operation = "" }) => needOf(operation)!.action);
    return { count: value.length, own: new Set(actions(true)), sibling: new Set(actions(false)) };
  }

  const selfSigned = { kind: "certificate-self-signed", strategy: "dual", target: {} };
  const byVault = { kind: "key", rotator: { kind: "key", strategy: "dual", target: {} } } as const;
  const certificate = (exportable: boolean) =>
    ({ kind: "certificate", certificate: { names, exportable }, rotator: selfSigned }) as const;

  test.each([
    ["a certificate, exportable", [[certificate(true), (name: string) => firstCertificate(world, name)]]],
    ["a certificate, not exportable", [[certificate(false), (name: string) => firstCertificate(world, name, false)]]],
    [
      "a key",
      [
        [byVault, (name: string) => firstKey(world, name)],
        [byVault, (name: string) => firstKey(world, name, "EC")],
      ],
    ],
  ] as const)("%s: nothing beyond the page, and nothing on the page for nothing", async (object, rotations) => {
    const used = { own: new Set<string>(), sibling: new Set<string>() };
    for (const [at, [declared, first]] of rotations.entries()) {
      const name = `${object.replaceAll(/\W+/g, "-")}-${at}`;
      const source = await first(name);
      const { count } = await asked(0);
      const lived = await live(world, openObject(world, { name, object: declared }), source);
      expect(lived.outcome).toBe("rotated");
      const seen = await asked(count);
      for (const action of seen.own) used.own.add(action);
      for (const action of seen.sibling) used.sibling.add(action);
    }
    const { own, sibling } = vaultRights(object);
    // A rollback needs them, and preflight asks for them.
    const spare = new Set<string>(actionsOf[objects[object]].object.map((action) => action.replace(prefix, "")));
    expect([...used.own].filter((action) => !own.has(action))).toEqual([]);
    expect([...own].filter((action) => !used.own.has(action) && !spare.has(action))).toEqual([]);
    expect(used.sibling).toEqual(sibling);
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
