import { expect, test, vi } from "vitest";
import { at, ofType } from "./harness/arm.ts";
import { describeBicep, useInfra } from "./harness/promise.ts";
import { networks } from "./harness/scenarios.ts";

// Every parameter file with every plan, backend and network that it may be asked for.

// A prediction takes a second, and several on a busy machine.
vi.setConfig({ testTimeout: 300_000 });

// main.bicepparam takes the preset of one of them.
const files = ["dev", "test", "prod"] as const;
const plans = { FlexConsumption: "functionapp", ElasticPremium: "elastic", Dedicated: "linux" } as const;
const backends = ["AzureStorage", "DurableTaskScheduler"] as const;
const reaches = { public: networks.public, private: networks.new } as const;

const delegations = {
  FlexConsumption: "Microsoft.App/environments",
  ElasticPremium: "Microsoft.Web/serverFarms",
  Dedicated: "Microsoft.Web/serverFarms",
};

const cases = files.flatMap((file) =>
  Object.entries(plans).flatMap(([plan, kind]) =>
    backends.flatMap((backend) =>
      Object.entries(reaches).map(([reach, network]) => ({
        file,
        plan: plan as keyof typeof plans,
        kind,
        backend,
        reach,
        network,
      })),
    ),
  ),
);

describeBicep("every parameter file with every plan, backend and network", () => {
  const bed = useInfra();

  test.each(["dev", "test", "prod", "main"])("%s.bicepparam as it is", async (name) => {
    const base = `infra/${name}.bicepparam`;
    const { resources, notes } = await bed.own.predict({ template: "infra/main.bicep", base });
    expect(notes).toEqual([]);
    expect(ofType(resources, "Microsoft.Web/sites")).toHaveLength(1);
    // dev is public; test is as prod, so that what a private network breaks is seen there.
    const isPrivate = ofType(resources, "Microsoft.Network/virtualNetworks").length === 1;
    expect(isPrivate).toBe(name === "test" || name === "prod");
    const values = await bed.own.parameters(base);
    expect({ observe: values["observe"], stop: values["stop"] }).toEqual({ observe: true, stop: false });
  });

  test.each(cases)("$file, $plan, $backend, $reach", async ({ file, plan, kind, backend, reach, network }) => {
    const { resources, notes } = await bed.own.predict({
      template: "infra/main.bicep",
      base: `infra/${file}.bicepparam`,
      params: { plan, durableBackend: backend, network },
    });
    expect(notes).toEqual([]);
    const [farm] = ofType(resources, "Microsoft.Web/serverfarms");
    expect({ kind: farm?.kind, linux: at(farm, "properties", "reserved") }).toEqual({ kind, linux: true });
    const schedulers = ofType(resources, "Microsoft.DurableTask/schedulers");
    expect(schedulers).toHaveLength(backend === "DurableTaskScheduler" ? 1 : 0);
    const made = ofType(resources, "Microsoft.Network/virtualNetworks");
    expect(made).toHaveLength(reach === "private" ? 1 : 0);
    const [subnet] = (at(made[0], "properties", "subnets") ?? []) as unknown[];
    if (subnet !== undefined)
      expect(at(subnet, "properties", "delegations", 0, "properties", "serviceName")).toBe(delegations[plan]);
    const endpoints = ofType(resources, "Microsoft.Network/privateEndpoints");
    expect(endpoints).toHaveLength(reach === "public" ? 0 : backend === "DurableTaskScheduler" ? 6 : 5);
  });
});
