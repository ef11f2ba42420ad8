import { expect, test, vi } from "vitest";
import { samples, startCompiler } from "../../scripts/bicep/compiler.ts";
import { infraIn, root } from "./harness/infra.ts";
import { describeBicep } from "./harness/promise.ts";

// What the variables of the network make of each environment's.

// A compiler takes a second to start, and many on a busy machine.
vi.setConfig({ testTimeout: 300_000 });

const hub = "/subscriptions/00000000-0000-0000-0000-0000000000cc/resourceGroups/rg-hub";
const runner = `${hub}/providers/Microsoft.Network/virtualNetworks/vnet-runners`;
const subnets = {
  PINION_APP_SUBNET_ID: `${hub}/providers/Microsoft.Network/virtualNetworks/vnet-hub/subnets/snet-app`,
  PINION_ENDPOINTS_SUBNET_ID: `${hub}/providers/Microsoft.Network/virtualNetworks/vnet-hub/subnets/snet-endpoints`,
};
const existing = {
  source: "existing",
  integrationSubnetId: subnets.PINION_APP_SUBNET_ID,
  endpointsSubnetId: subnets.PINION_ENDPOINTS_SUBNET_ID,
};
const newIn = (addressPrefix: string) => ({ source: "new", addressPrefix });

async function networkOf(file: string, variables: Readonly<Record<string, string>>): Promise<unknown> {
  const compiler = startCompiler({ ...samples, ...variables });
  try {
    return (await infraIn(root, compiler).parameters(`infra/${file}.bicepparam`))["network"];
  } finally {
    await compiler.close();
  }
}

describeBicep("variables of the network", () => {
  test.each([
    ["dev", {}, { access: "public" }],
    ["prod", {}, { access: "private", subnets: newIn("10.80.0.0/24"), zones: { source: "new", linkedNetworkIds: [] } }],
    [
      "test",
      { PINION_LINKED_NETWORKS: `${runner},${runner}2`, PINION_ADDRESS_PREFIX: "10.9.0.0/25" },
      {
        access: "private",
        subnets: newIn("10.9.0.0/25"),
        zones: { source: "new", linkedNetworkIds: [runner, `${runner}2`] },
      },
    ],
    [
      "main",
      { PINION_ENVIRONMENT: "prod", ...subnets, PINION_DNS_ZONES: "policy" },
      { access: "private", subnets: existing, zones: { source: "policy" } },
    ],
    [
      "dev",
      { PINION_ADDRESS_PREFIX: "10.9.0.0/25" },
      { access: "private", subnets: newIn("10.9.0.0/25"), zones: { source: "new", linkedNetworkIds: [] } },
    ],
  ])("%s with %o", async (file, variables, network) => {
    expect(await networkOf(file, variables)).toEqual(network);
  });

  test.each([
    ["AzureCloud", "privatelink.blob.core.windows.net", 6],
    ["AzureUSGovernment", "privatelink.blob.core.usgovcloudapi.net", 5],
    ["AzureChinaCloud", "privatelink.blob.core.chinacloudapi.cn", 5],
  ])("zones that exist have the names of %s", async (cloud, blob, count) => {
    const network = await networkOf("test", { PINION_CLOUD: cloud, ...subnets, PINION_DNS_ZONES: hub });
    const { zones } = network as { zones: { source: string; ids: Record<string, string> } };
    expect(zones.source).toBe("existing");
    expect(zones.ids["blob"]).toBe(`${hub}/providers/Microsoft.Network/privateDnsZones/${blob}`);
    expect(Object.keys(zones.ids)).toHaveLength(count);
  });

  test.each([
    ["test", "PINION_APP_SUBNET_ID", /endpointsSubnetId|length/],
    ["test", "PINION_ENDPOINTS_SUBNET_ID", /integrationSubnetId|length/],
    // Without a word it would be public.
    ["dev", "PINION_ENDPOINTS_SUBNET_ID", /integrationSubnetId|length/],
  ] as const)("%s with %s alone is refused", async (file, name, says) => {
    await expect(networkOf(file, { [name]: subnets[name] })).rejects.toThrow(says);
  });
});
