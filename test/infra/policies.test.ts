import { readFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { at, ofType } from "./harness/arm.ts";
import { describeBicep, useInfra } from "./harness/promise.ts";
import { app } from "./harness/scenarios.ts";
import { infraFile } from "./queries.ts";

// A prediction takes a second, and several on a busy machine.
vi.setConfig({ testTimeout: 300_000 });

type Effect = "Audit" | "Deny" | "Disabled";

interface Definition {
  readonly reference: string;
  readonly id: string;
  readonly displayName: string;
  readonly why: string;
  readonly effectParameter: string;
  readonly effects: Readonly<Record<Effect, string>>;
  readonly deniesOnlyWhenPrivate: boolean;
  readonly parameters: Readonly<Record<string, string>>;
}

const { definitions } = JSON.parse(infraFile("policies.json")) as { definitions: Definition[] };

test.each(definitions.map((one) => [one.reference, one] as const))("%s is one definition, and told of", (_, one) => {
  expect(one.id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  expect(definitions.filter(({ id, reference }) => id === one.id || reference === one.reference)).toHaveLength(1);
  expect(one.displayName).toMatch(/\b(should|Resource logs)\b/);
  expect(one.why).toMatch(/^[A-Z].*\.$/);
  // The policy of Azure takes no longer sentence.
  expect(one.why.length).toBeLessThanOrEqual(256);
  expect(one.effects.Disabled).toBe("Disabled");
  expect(one.effects.Audit).toMatch(/^Audit/);
});

test("what a vault and its objects must have is all there", () => {
  const names = definitions.map(({ reference }) => reference);
  for (const kind of ["secret", "key"]) expect(names).toContain(`${kind}Expiry`);
  for (const kind of ["secret", "key", "certificate"])
    expect(names).toEqual(expect.arrayContaining([`${kind}Validity`, `${kind}DaysLeft`]));
  expect(names).toEqual(
    expect.arrayContaining([
      "secretContentType",
      "vaultPurgeProtection",
      "vaultSoftDelete",
      "vaultRoles",
      "vaultLogs",
      "vaultFirewall",
      "vaultPublicAccess",
      "vaultPrivateLink",
    ]),
  );
});

// A rollback writes what the former credential has left, and the change that helps must not be refused.
test("nothing is refused because it ends soon", () => {
  const soon = definitions.filter(({ parameters }) => Object.values(parameters).includes("daysBeforeExpiration"));
  expect(soon.map(({ effects }) => effects.Deny)).toEqual(["Audit", "Audit", "Audit"]);
});

test("the maximum validity leaves room for what Pinion stages", () => {
  const [, days] = /const stagedDays = (\d+);/.exec(readFileSync("src/vault/staging.ts", "utf8"))!;
  expect(infraFile("modules/policies.bicep")).toContain(`@minValue(${days})\nparam maximumValidityDays int`);
});

describeBicep("the initiative", () => {
  const bed = useInfra();
  const template = "infra/modules/policies.bicep";
  const made = async (params: Readonly<Record<string, unknown>>) => {
    const { resources } = await bed.own.predict({ template, params: { prefix: "acme-pinion-dev-weu", ...params } });
    const [initiative] = ofType(resources, "Microsoft.Authorization/policySetDefinitions");
    const used = at(initiative, "properties", "policyDefinitions") as {
      readonly policyDefinitionReferenceId: string;
      readonly policyDefinitionId: string;
      readonly parameters: Readonly<Record<string, { readonly value: unknown }>>;
    }[];
    return { resources, used: new Map(used.map((one) => [one.policyDefinitionReferenceId, one])) };
  };

  test("has every built-in definition by its id, with the values that it asks for", async () => {
    const { used } = await made({ maximumValidityDays: 90, maximumValidityMonths: 3, daysBeforeExpiration: 7 });
    expect([...used.keys()]).toEqual([...definitions.map(({ reference }) => reference), "skus"]);
    for (const { reference, id, effectParameter, effects, parameters } of definitions) {
      const one = used.get(reference)!;
      expect(one.policyDefinitionId).toBe(`/providers/Microsoft.Authorization/policyDefinitions/${id}`);
      expect(one.parameters[effectParameter]?.value).toBe(effects.Audit);
      expect(Object.keys(one.parameters).toSorted()).toEqual([effectParameter, ...Object.keys(parameters)].toSorted());
    }
    expect(used.get("secretValidity")?.parameters["maximumValidityInDays"]?.value).toBe(90);
    expect(used.get("certificateValidity")?.parameters["maximumValidityInMonths"]?.value).toBe(3);
    expect(used.get("certificateDaysLeft")?.parameters["daysToExpire"]?.value).toBe(7);
  });

  test.each([
    [false, "Audit"],
    [true, "Deny"],
  ])("with Deny, private %s, gives rules on networks the effect %s", async (isPrivate, effect) => {
    const { used } = await made({ effect: "Deny", isPrivate });
    for (const name of ["vaultFirewall", "vaultPublicAccess"])
      expect([name, used.get(name)?.parameters["effect"]?.value]).toEqual([name, effect]);
    expect(used.get("vaultPrivateLink")?.parameters["audit_effect"]?.value).toBe("Audit");
    expect(used.get("secretExpiry")?.parameters["effect"]?.value).toBe("Deny");
    expect(used.get("vaultLogs")?.parameters["effect"]?.value).toBe("AuditIfNotExists");
  });

  test("is assigned once: to the subscription, or to the resource group that is named", async () => {
    const assigned = async (params: Readonly<Record<string, unknown>>) =>
      ofType((await made(params)).resources, "Microsoft.Authorization/policyAssignments").map(({ id }) => id);
    expect(await assigned({})).toEqual([
      expect.stringMatching(/^\/subscriptions\/[^/]+\/providers\/Microsoft.Authorization\/policyAssignments\/pinion-/),
    ]);
    expect(await assigned({ resourceGroupName: "rg-vaults" })).toEqual([
      expect.stringMatching(/^\/subscriptions\/[^/]+\/resourceGroups\/rg-vaults\/providers\//),
    ]);
  });

  test("leaves out what a cloud lacks", async () => {
    const { used } = await made({ omit: ["vaultRoles"] });
    expect(used.has("vaultRoles")).toBe(false);
    expect(used.size).toBe(definitions.length);
  });

  test("a deployment leaves out what its cloud is not known to have", async () => {
    const inCloud = async (params: Readonly<Record<string, unknown>>) => {
      const { resources } = await bed.own.predict(app(params));
      const [initiative] = ofType(resources, "Microsoft.Authorization/policySetDefinitions");
      const used = at(initiative, "properties", "policyDefinitions") as { policyDefinitionReferenceId: string }[];
      const names = used.map((one) => one.policyDefinitionReferenceId);
      return definitions.map(({ reference }) => reference).filter((reference) => !names.includes(reference));
    };
    expect(await inCloud({})).toEqual([]);
    const government = { cloud: "AzureUSGovernment", plan: "Dedicated", location: "usgovvirginia" };
    expect(await inCloud(government)).toEqual(["vaultRoles"]);
  });
});
