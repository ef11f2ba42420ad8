import { vi } from "vitest";
import { at, ofType } from "./harness/arm.ts";
import { describeBicep, type Promised, testPromise, useInfra } from "./harness/promise.ts";
import { app, networks, predictions } from "./harness/scenarios.ts";

// What Flex Consumption asks of its app, by its documents: without it a deployment is refused, or says what counts for nothing.

// A prediction takes a second, and several on a busy machine.
vi.setConfig({ testTimeout: 300_000 });

/** Properties of siteConfig that its documents call deprecated: the plan has none of it, or is told by functionAppConfig. */
const deprecated = [
  "alwaysOn",
  "ftpsState",
  "functionAppScaleLimit",
  "functionsRuntimeScaleMonitoringEnabled",
  "healthCheckPath",
  "linuxFxVersion",
  "minimumElasticInstanceCount",
  "preWarmedInstanceCount",
  "use32BitWorkerProcess",
  "vnetRouteAllEnabled",
];

const scenarios = {
  "one zone": app(),
  "three zones, private": app({ zoneRedundant: true, network: networks.new }),
};

const flex: Promised = {
  name: "Flex Consumption gets what it takes, and nothing that it refuses",
  scenarios,
  async check(infra, these) {
    const found = await predictions(infra, these);
    return found.flatMap(({ name, resources }) => {
      const [site] = ofType(resources, "Microsoft.Web/sites");
      const ready = (at(site, "properties", "functionAppConfig", "scaleAndConcurrency", "alwaysReady") ?? []) as {
        name: string;
        instanceCount: number;
      }[];
      const needed = name === "one zone" ? 1 : 2;
      const durable = ready.find((one) => one.name === "durable")?.instanceCount ?? 0;
      const settings = at(site, "properties", "siteConfig") as Readonly<Record<string, unknown>>;
      return [
        ...(durable === needed ? [] : [`${name}: ${durable} instances for durable, not ${needed}`]),
        ...deprecated.filter((one) => one in settings).map((one) => `${name}: siteConfig.${one}`),
        ...["endToEndEncryptionEnabled", "outboundVnetRouting"]
          .filter((one) => at(site, "properties", one) !== undefined)
          .map((one) => `${name}: ${one}`),
      ];
    });
  },
  mutations: [
    {
      what: "one instance is kept ready in three zones",
      in: "three zones, private",
      edits: [
        {
          file: "infra/modules/function-app.bicep",
          find: "instanceCount: zoneRedundant ? 2 : 1",
          put: "instanceCount: 1",
        },
      ],
      says: /three zones, private: 1 instances for durable, not 2/,
    },
    {
      what: "end-to-end encryption is asked of it",
      in: "one zone",
      edits: [
        {
          file: "infra/modules/function-app.bicep",
          find: "...(facts.endToEndEncryption ?",
          put: "...(true ?",
        },
      ],
      says: /endToEndEncryptionEnabled/,
    },
  ],
};

describeBicep("Flex Consumption", () => {
  const bed = useInfra();
  testPromise(flex, bed);
});
