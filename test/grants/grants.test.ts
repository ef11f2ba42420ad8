import { describe, expect, test } from "vitest";
import { findRotator, rotators } from "../../rotators/index.ts";
import type { AzureRole, Need } from "../../src/azure/role.ts";
import { findConsumer } from "../../src/consumers/index.ts";
import { type Grant, grantsOf, isAsked, isPlaced, placesOf } from "../../src/grants.ts";
import type { Policy } from "../../src/policy.ts";
import type { PolicyConsumer } from "../../src/policy-consumers.ts";
import { roles } from "../../src/roles.ts";
import type { Rotator } from "../../src/rotator.ts";
import { stagingName } from "../../src/vault/staging.ts";
import { consumers, fleet, group, policyOf, targets, vaults } from "./fleet.ts";

// What is granted is what preflight asks for and what is declared: for every rotator and every kind of consumer, in each of their forms.

const registries = { rotator: findRotator, consumer: findConsumer };
const all = (policy: Policy, options?: Parameters<typeof grantsOf>[2]) => grantsOf(policy, registries, options).grants;
const actionsOf = ({ role }: Grant) => [...roles[role]!.actions, ...roles[role]!.dataActions];
const isAbove = (scope: string, place: string) => place === scope || place.startsWith(`${scope}/`);

const whole = policyOf(fleet);

test("the fleet has every rotator and every kind of consumer", () => {
  const shapes = new Set(whole.objects.map(({ rotator }) => `${rotator.kind} ${rotator.strategy}`));
  expect(shapes).toEqual(new Set(rotators.map(({ kind, strategy }) => `${kind} ${strategy}`)));
  const kinds = new Set(whole.objects.flatMap(({ consumers }) => consumers.map(({ kind }) => kind)));
  expect(kinds.size).toBe(8);
});

describe.each(whole.objects.map((object) => [object.id, object] as const))("%s", (_id, object) => {
  const policy = { ...whole, objects: [object] };
  const grants = all(policy);
  const places = placesOf(policy.vaults, object, registries).filter(isPlaced);

  test("everything that is asked for is granted there, and may be asked there", () => {
    for (const { scope, asked } of places.filter(isAsked)) {
      const given = grants.filter((grant) => isAbove(grant.scope, scope)).flatMap(actionsOf);
      for (const action of [...asked.actions, ...asked.dataActions, "Microsoft.Authorization/permissions/read"])
        expect([scope, action, given.includes(action)]).toEqual([scope, action, true]);
    }
  });

  test("nothing is granted that is not asked for, or left out of the asking on purpose", () => {
    const ofRotation = grants.filter(
      ({ role }) => !/^(inventory-.*|read-events|find-topics|read-permissions)$/.test(role),
    );
    for (const grant of ofRotation) {
      const here = places.filter(({ scope, role }) => isAbove(grant.scope, scope) && role.key === grant.role);
      const used = here.flatMap((place) => [
        ...place.asked.actions,
        ...place.asked.dataActions,
        ...(place.role.unasked ?? []),
      ]);
      expect([grant, new Set(used)]).toEqual([grant, new Set(actionsOf(grant))]);
    }
  });

  test("every scope is the place itself; of a staging object alone it is the vault", () => {
    for (const { role, scope, part } of places) {
      const at = grants.filter((grant) => grant.role === role.key).map((grant) => grant.scope);
      expect([scope, at]).toEqual([
        scope,
        expect.arrayContaining([part === "staging" ? vaults.main.resourceId : scope]),
      ]);
    }
    const narrow = all(policy, { siblings: "object" }).filter(({ role }) => role.startsWith("staging-"));
    for (const { scope } of narrow) expect(scope).toContain("/pinion-stage-");
  });
});

test("a rotator and a consumer name no role that they do not declare, and declare none that they never name", () => {
  const named = new Map<string, Set<string>>();
  const note = (key: string, needs: readonly Need[]) => {
    for (const { role } of needs) named.set(key, (named.get(key) ?? new Set()).add(role.key));
  };
  for (const [kind, strategy, given] of targets) {
    const rotator = findRotator(kind, strategy);
    note(`${kind} ${strategy}`, rotator.needs?.(rotator.target.parse(given)) ?? []);
  }
  for (const consumer of consumers as readonly PolicyConsumer[]) {
    const reader = findConsumer(consumer.kind);
    note(consumer.kind, [...reader.needs(consumer), ...(reader.retentionNeeds?.(consumer) ?? [])]);
  }
  const declared = [
    ...(rotators as readonly Pick<Rotator<unknown>, "kind" | "strategy" | "roles">[]).map(
      (one) => [`${one.kind} ${one.strategy}`, one.roles] as const,
    ),
    ...new Map((consumers as readonly PolicyConsumer[]).map(({ kind }) => [kind as string, findConsumer(kind).roles])),
  ] satisfies (readonly [string, readonly AzureRole[]])[];
  for (const [key, given] of declared)
    expect([key, named.get(key) ?? new Set()]).toEqual([key, new Set(given.map(({ key: role }) => role))]);
});

test("each once, in an order that the order of the policy does not change", () => {
  const grants = all(whole);
  const keys = grants.map(({ role, scope, identity }) => `${role} ${scope.toLowerCase()} ${identity ?? ""}`);
  expect(new Set(keys).size).toBe(keys.length);
  const turned = { ...whole, objects: whole.objects.toReversed() };
  expect(all(turned)).toEqual(grants);
});

test("of one vault: its own objects' and the sweep of it alone", () => {
  const zone = "44444444-4444-4444-8444-444444444444";
  const file = {
    vaults: {
      ...vaults,
      other: {
        uri: "https://kv-other.vault.azure.net",
        resourceId: `${group}/Microsoft.KeyVault/vaults/kv-other`,
        identity: zone,
      },
    },
    objects: [...fleet.slice(0, 1), { ...fleet[2]!, id: "elsewhere", vault: "other", name: "elsewhere" }],
  };
  const policy = policyOf(file.objects, { vaults: file.vaults });
  const given = all(policy, { vault: "other" });
  expect(new Set(given.map(({ scope }) => scope.split("/")[8]))).toEqual(new Set(["kv-other", "kv-main", undefined]));
  expect(given.filter(({ role }) => role === "secret").map(({ scope }) => scope)).toEqual([
    `${group}/Microsoft.KeyVault/vaults/kv-other/secrets/elsewhere`,
  ]);
  // All of it is the zone's; only the doctor looks as the app itself.
  for (const { role, identity } of given)
    expect([role, identity]).toEqual([role, /^(read-events|find-topics)$/.test(role) ? undefined : zone]);
  expect(all(policy, { vault: "main" }).some(({ identity }) => identity !== undefined)).toBe(false);
});

test("a staging vault gets the staging's rights, and nothing else does", () => {
  const stage = `${group}/Microsoft.KeyVault/vaults/kv-stage`;
  const policy = policyOf(fleet.slice(0, 1), {
    vaults: {
      main: { ...vaults.main, staging: "stage" },
      stage: { uri: "https://kv-stage.vault.azure.net", resourceId: stage },
    },
  });
  const staging = all(policy).filter(({ role }) => role.startsWith("staging-"));
  expect(staging.map(({ scope }) => scope)).toEqual([stage]);
  const [place] = placesOf(policy.vaults, policy.objects[0]!, registries).filter(({ part }) => part === "staging");
  expect(place!.scope).toBe(`${stage}/secrets/${stagingName("kv-main--secret--" + policy.objects[0]!.name)}`);
});

test("what has an address and no ARM id is told, and not granted", () => {
  const secret = "https://kv-unknown.vault.azure.net/secrets/admin";
  const [kind, strategy, target] = targets.find(([one]) => one === "postgres")!;
  const policy = policyOf([
    { ...fleet[0]!, rotator: { kind, strategy, target: { ...target, admin: { user: "admin", secret } } } },
  ]);
  const { grants, unplaced } = grantsOf(policy, registries);
  expect(unplaced).toEqual([{ role: "read-secret", address: secret, for: [fleet[0]!.id] }]);
  expect(grants.every(({ scope }) => scope.startsWith("/subscriptions/"))).toBe(true);
});
