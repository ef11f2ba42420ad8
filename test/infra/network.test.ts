import { expect, test } from "vitest";
import { at, ofType, type Snapshot } from "./harness/arm.ts";
import { describeBicep, useInfra } from "./harness/promise.ts";

const hub = "/subscriptions/00000000-0000-0000-0000-0000000000cc/resourceGroups/rg-hub/providers/Microsoft.Network";
const existingSubnets = {
  source: "existing",
  integrationSubnetId: `${hub}/virtualNetworks/vnet-hub/subnets/snet-a`,
  endpointsSubnetId: `${hub}/virtualNetworks/vnet-hub/subnets/snet-b`,
};
const zoneIds = Object.fromEntries(
  ["blob", "queue", "table", "vault", "sites"].map((group) => [group, `${hub}/privateDnsZones/${group}`]),
);
const newSubnets = { source: "new", addressPrefix: "10.80.0.0/24" };

describeBicep("the network", () => {
  const bed = useInfra();
  const predict = (network: unknown, params: Readonly<Record<string, unknown>> = {}): Promise<Snapshot> =>
    bed.own.predict({
      template: "infra/modules/network.bicep",
      params: { prefix: "acme-pinion-dev-weu", location: "westeurope", plan: "FlexConsumption", network, ...params },
    });
  const names = (snapshot: Snapshot, type: string) => ofType(snapshot.resources, type).map(({ name }) => name);
  const subnetsOf = (snapshot: Snapshot) => {
    const [network] = ofType(snapshot.resources, "Microsoft.Network/virtualNetworks");
    return at(network, "properties", "subnets") as readonly Record<string, unknown>[];
  };

  test.each([
    ["FlexConsumption", "Microsoft.App/environments"],
    ["ElasticPremium", "Microsoft.Web/serverFarms"],
    ["Dedicated", "Microsoft.Web/serverFarms"],
  ])("for %s the subnet of the app is delegated to %s", async (plan, service) => {
    const network = { access: "private", subnets: newSubnets, zones: { source: "new" } };
    const [app, endpoints] = subnetsOf(await predict(network, { plan }));
    expect(at(app, "properties", "delegations", 0, "properties", "serviceName")).toBe(service);
    expect(at(app, "name")).not.toContain("_");
    expect(at(app, "properties", "addressPrefix")).toBe("10.80.0.0/25");
    expect(at(endpoints, "properties", "delegations")).toBeUndefined();
    expect(at(endpoints, "properties", "addressPrefix")).toBe("10.80.0.128/25");
    for (const one of [app, endpoints]) expect(at(one, "properties", "networkSecurityGroup", "id")).toMatch(/nsg-/);
  });

  test.each([
    ["AzureCloud", ["privatelink.vaultcore.azure.net", "privatelink.azurewebsites.net"]],
    ["AzureUSGovernment", ["privatelink.vaultcore.usgovcloudapi.net", "privatelink.azurewebsites.us"]],
    ["AzureChinaCloud", ["privatelink.vaultcore.azure.cn", "privatelink.chinacloudsites.cn"]],
  ])("in %s the zones have the names of that cloud", async (cloud, ends) => {
    const snapshot = await predict({ access: "private", subnets: newSubnets, zones: { source: "new" } }, { cloud });
    const zones = names(snapshot, "Microsoft.Network/privateDnsZones");
    expect(zones).toHaveLength(5);
    expect(zones.slice(3)).toEqual(ends);
    for (const [at, service] of ["blob", "queue", "table"].entries())
      expect(zones[at]).toMatch(new RegExp(`privatelink\\.${service}\\.`));
  });

  test("new zones are linked to the network, to those that are named, and to none twice", async () => {
    const linkedNetworkIds = [`${hub}/virtualNetworks/vnet-hub`, `${hub}/virtualNetworks/vnet-runner`];
    const zones = { source: "new", linkedNetworkIds };
    const snapshot = await predict({ access: "private", subnets: existingSubnets, zones }, { scheduler: true });
    const links = ofType(snapshot.resources, "Microsoft.Network/privateDnsZones/virtualNetworkLinks");
    const linked = links.map((link) => at(link, "properties", "virtualNetwork", "id"));
    expect(links).toHaveLength(6 * 2);
    expect(new Set(linked)).toEqual(new Set(linkedNetworkIds));
    expect(names(snapshot, "Microsoft.Network/privateDnsZones")).toContain("privatelink.durabletask.io");
  });

  test("what exists is used as it is: nothing is made", async () => {
    const snapshot = await predict({
      access: "private",
      subnets: existingSubnets,
      zones: { source: "existing", ids: zoneIds },
    });
    expect(snapshot.resources).toEqual([]);
    expect(snapshot.outputs).toEqual({
      integrationSubnetId: existingSubnets.integrationSubnetId,
      endpointsSubnetId: existingSubnets.endpointsSubnetId,
      networkId: `${hub}/virtualNetworks/vnet-hub`,
      zoneIds: { ...zoneIds, scheduler: "" },
    });
  });

  test("where a policy writes the names there are no zones", async () => {
    const { resources, outputs } = await predict({
      access: "private",
      subnets: existingSubnets,
      zones: { source: "policy" },
    });
    expect(resources).toEqual([]);
    expect(Object.values(outputs["zoneIds"] as object)).toEqual(["", "", "", "", "", ""]);
  });

  test.each([
    ["a range too small", { subnets: { source: "new", addressPrefix: "10.80.0.0/27" } }, {}, /give a \/26 or larger/],
    ["a missing range", { subnets: { source: "new" } }, {}, /addressPrefix/],
    ["an unknown source", { subnets: { source: "old" } }, {}, /source/],
    ["a zone too few", { zones: { source: "existing", ids: { ...zoneIds, vault: undefined } } }, {}, /vault/],
    [
      "a subnet that Flex Consumption would not take",
      { subnets: { ...existingSubnets, integrationSubnetId: `${hub}/virtualNetworks/v/subnets/snet_a` } },
      {},
      /underscore/,
    ],
    [
      "an id that is no subnet's",
      { subnets: { ...existingSubnets, endpointsSubnetId: `${hub}/virtualNetworks/v` } },
      {},
      /end in \/subnets/,
    ],
    [
      "a hub without the zone of the scheduler",
      { zones: { source: "existing", ids: zoneIds } },
      { scheduler: true },
      /network\.zones\.ids\.scheduler is missing/,
    ],
    [
      "a cloud whose zone for the scheduler is not known",
      { zones: { source: "new" } },
      { cloud: "AzureChinaCloud", scheduler: true },
      /not known in AzureChinaCloud/,
    ],
  ])("refuses %s, and names it", async (_, part, params, says) => {
    const network = { access: "private", subnets: newSubnets, zones: { source: "new" }, ...part };
    await expect(predict(network, params)).rejects.toThrow(says);
  });

  test("refuses to be made for a public deployment", async () => {
    await expect(predict({ access: "public" })).rejects.toThrow(/network\.access is public/);
  });
});

describeBicep("a private endpoint", () => {
  const bed = useInfra();
  const params = {
    name: "pep-acme-blob",
    location: "westeurope",
    subnetId: existingSubnets.endpointsSubnetId,
    targetId: "/subscriptions/x/resourceGroups/y/providers/Microsoft.Storage/storageAccounts/z",
    group: "blob",
  };
  const predict = (more: object) =>
    bed.own.predict({ template: "infra/modules/private-endpoint.bicep", params: { ...params, ...more } });

  test("is for one endpoint of one resource, with its name in the zone", async () => {
    const { resources } = await predict({ zoneId: zoneIds["blob"] });
    const [endpoint] = ofType(resources, "Microsoft.Network/privateEndpoints");
    expect(at(endpoint, "properties", "privateLinkServiceConnections", 0, "properties")).toEqual({
      privateLinkServiceId: params.targetId,
      groupIds: ["blob"],
    });
    const [group] = ofType(resources, "Microsoft.Network/privateEndpoints/privateDnsZoneGroups");
    expect(at(group, "properties", "privateDnsZoneConfigs", 0, "properties", "privateDnsZoneId")).toBe(zoneIds["blob"]);
  });

  test("leaves its name to a policy", async () => {
    const { resources } = await predict({ writesName: false });
    expect(resources.map(({ type }) => type)).toEqual(["Microsoft.Network/privateEndpoints"]);
  });

  test("refuses a group that is none", async () => {
    await expect(predict({ group: "file" })).rejects.toThrow(/group|file/);
  });
});
