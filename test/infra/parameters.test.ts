import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import type { Template } from "./harness/arm.ts";
import { root } from "./harness/infra.ts";
import { describeBicep, useInfra } from "./harness/promise.ts";

// A prediction of all resources takes seconds, and many on a busy machine.
vi.setConfig({ testTimeout: 300_000 });

const template = "infra/main.bicep";
const base = "infra/dev.bicepparam";
const subnet = "/subscriptions/s/resourceGroups/hub/providers/Microsoft.Network/virtualNetworks/v/subnets/";
const network = {
  access: "private",
  subnets: { source: "new", addressPrefix: "10.80.0.0/24" },
  zones: { source: "new" },
};
const newVault = { owner: "payments", dataClassification: "confidential", costCenter: "1", sku: "standard" };
const guid = "00000000-0000-0000-0000-000000000000";

describeBicep("wrong parameters stop a deployment with a sentence that names them", () => {
  const bed = useInfra();
  const refusalOf = (params: Record<string, unknown>) =>
    bed.own.predict({ template, base, params }).then(
      () => "accepted",
      (error: Error) => error.message,
    );

  test("what one parameter alone can tell, the compiler says", async () => {
    const refusal = await refusalOf({
      org: "a",
      cloud: "AzureGermanCloud",
      plan: "Consumption",
      nodeVersion: "20",
      delivery: "poll",
      evidence: { retentionDays: 0, lockedAccount: "" },
      authentication: { clientId: "pinion" },
      network: { ...network, subnets: { source: "existing", endpointsSubnetId: `${subnet}b` } },
    });
    for (const says of [
      /too short/,
      /AzureUSGovernment/,
      /FlexConsumption/,
      /'22' \| '24'/,
      /'queue' \| 'webhook'/,
      /minimum/,
      /length is 36/,
      /integrationSubnetId/,
    ])
      expect(refusal).toMatch(says);
  });

  test("what parameters tell together is a list of sentences", async () => {
    const first = await refusalOf({
      org: "Acme",
      app: "pin-ion",
      environmentName: "pre-prod",
      location: "mars",
      cloud: "AzureUSGovernment",
      durableBackend: "DurableTaskScheduler",
      delivery: "webhook",
      topic: true,
      network,
      authentication: { clientId: "g".repeat(36), tenantId: "0".repeat(36) },
      zones: ["a", "a"],
      newVault,
      evidence: { retentionDays: 1, lockedAccount: "stother" },
    });
    for (const says of [
      "org: expected lower-case",
      "app: expected lower-case",
      "environmentName: expected lower-case",
      "location: infra/regions.json has no short name for mars",
      "newVault: the vault would be called kv-Acme-pin-ion-pre-prod-, 25 characters",
      "plan: AzureUSGovernment has no FlexConsumption",
      "durableBackend: AzureUSGovernment has no DurableTaskScheduler",
      "authentication: expected a GUID as clientId",
      "authentication: expected a GUID as tenantId",
      "delivery: Event Grid cannot call an app whose network is private",
      "topic: the custom topic would be public",
      "zones: expected different names",
      "evidence: lockedAccount is stother",
    ])
      expect(first).toContain(says);
    const subnets = { source: "existing", integrationSubnetId: "/subnet", endpointsSubnetId: "b" };
    const second = await refusalOf({ zones: ["a b"], network: { ...network, subnets } });
    expect(second).toMatch(/network: subnets\.integrationSubnetId .*network: subnets\.endpointsSubnetId .*zones: /);
    expect(second).not.toMatch(/org: |plan: |delivery: /);
  });

  test.each([
    ["dev", { plan: "Dedicated", delivery: "webhook", topic: true, zones: ["payments", "core-bank"] }],
    [
      "prod",
      {
        plan: "ElasticPremium",
        cloud: "AzureUSGovernment",
        newVault,
        authentication: { clientId: guid, tenantId: guid },
        network: {
          ...network,
          subnets: { source: "existing", integrationSubnetId: `${subnet}a`, endpointsSubnetId: `${subnet}b` },
        },
      },
    ],
  ])("right ones are let through: %s", async (environment, params) => {
    const { resources } = await bed.own.predict({ template, base: `infra/${environment}.bicepparam`, params });
    expect(resources.length).toBeGreaterThan(40);
  });

  test("infra/README.md has every parameter as it is", async () => {
    const readme = readFileSync(join(root, "infra/README.md"), "utf8");
    const table = readme.split("<!-- parameters -->")[1]?.split("<!-- /parameters -->")[0]?.trim();
    expect(table).toBe(tableOf(await bed.own.compile(template)));
  });
});

function tableOf({ parameters = {} }: Template): string {
  const rows = Object.entries(parameters).map(([name, { defaultValue, metadata }]) => {
    const value = defaultValue === undefined ? "" : `\`${JSON.stringify(defaultValue)}\``;
    return `| \`${name}\` | ${value} | ${metadata?.description ?? ""} |`;
  });
  return ["| parameter | default | what it says |", "| --- | --- | --- |", ...rows].join("\n");
}
