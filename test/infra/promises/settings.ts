import { readSettings, settingNames } from "../../../src/config.ts";
import { at, type Resource } from "../harness/arm.ts";
import { type Environment, environments, evaluate } from "../harness/evaluate.ts";
import type { Infra } from "../harness/infra.ts";
import type { Promised } from "../harness/promise.ts";
import { app, apps, predictions } from "../harness/scenarios.ts";

// The app settings are the ones that src/config.ts knows and the platform's own, and the app starts with them.

/** Settings of the platform, each with what reads it. */
const platform: Readonly<Record<string, string>> = {
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: "the host: telemetry with the identity",
  APPLICATIONINSIGHTS_CONNECTION_STRING: "the host: where telemetry goes",
  DURABLE_TASK_SCHEDULER_CONNECTION_STRING: "the durable extension, by host.durable-task-scheduler.json",
  FUNCTIONS_EXTENSION_VERSION: "the host: its major version",
  FUNCTIONS_WORKER_RUNTIME: "the host: its language",
  OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID: "App Service authentication: the identity that stands for a secret",
  TASKHUB_NAME: "the durable extension, by host.durable-task-scheduler.json",
  WEBSITE_RUN_FROM_PACKAGE: "the platform: the package",
  WEBSITE_RUN_FROM_PACKAGE_BLOB_MI_RESOURCE_ID: "the platform: who reads the package",
};

/** Settings of Pinion that the template leaves alone, each with the reason. */
const left: Readonly<Record<string, string>> = {
  PINION_STORAGE: "Pinion's records are in the host's account",
  PINION_COMMAND_AUTHORITY: "keys may command on the local cloud only",
  PINION_RESOURCE_MANAGER_AUDIENCE: "it is the address itself, in every cloud",
  WEBSITE_AUTH_ENABLED: "the platform sets it, with App Service authentication on",
};

/** Settings that are there in some deployments only. */
const sometimes: Readonly<Record<string, (scenario: string) => boolean>> = {
  PINION_TOPIC_ENDPOINT: (scenario) => scenario === "all of it",
  DURABLE_TASK_SCHEDULER_CONNECTION_STRING: (scenario) => scenario === "all of it" || scenario === "private",
  TASKHUB_NAME: (scenario) => scenario === "all of it" || scenario === "private",
  FUNCTIONS_EXTENSION_VERSION: hasOwnHost,
  FUNCTIONS_WORKER_RUNTIME: hasOwnHost,
  WEBSITE_RUN_FROM_PACKAGE: hasOwnHost,
  WEBSITE_RUN_FROM_PACKAGE_BLOB_MI_RESOURCE_ID: (scenario) => hasOwnHost(scenario) && scenario !== "private, in a hub",
};

/** Every plan but Flex Consumption is told its runtime by settings. */
function hasOwnHost(scenario: string): boolean {
  return scenario !== "plain" && scenario !== "private";
}

const scenarios = {
  ...apps,
  "Azure Government": app({ cloud: "AzureUSGovernment", plan: "ElasticPremium", location: "usgovvirginia" }),
  "Azure in China": app({ cloud: "AzureChinaCloud", plan: "ElasticPremium", location: "chinanorth3" }),
};

const clouds: Readonly<Record<string, string>> = {
  "Azure Government": "AzureUSGovernment",
  "Azure in China": "AzureChinaCloud",
};

function settingsIn(resources: readonly Resource[], environment: Environment): Record<string, string> {
  const found = resources.find(({ id }) => id?.endsWith("/config/appsettings"));
  return evaluate(found?.properties ?? {}, environment) as Record<string, string>;
}

/** A setting may be split in parts: `AzureWebJobsStorage__accountName`. */
const baseOf = (name: string): string => name.split("__")[0]!;

function faultsOf(scenario: string, settings: Readonly<Record<string, string>>, environment: Environment): string[] {
  const known: readonly string[] = [...settingNames, ...Object.keys(platform)];
  const names = Object.keys(settings);
  const wanted = known.filter((name) => left[name] === undefined && (sometimes[name]?.(scenario) ?? true));
  const { faults, config } = readSettings({ ...settings, WEBSITE_AUTH_ENABLED: "true" });
  const storage = environment.suffixes.storage;
  const expected: readonly (readonly [string, unknown, RegExp])[] = [
    ["storage", at(config, "storage", "tableUrl"), new RegExp(`^https://stcontoso\\w+\\.table\\.${storage}$`)],
    ["evidence", at(config, "evidence", "blobUrl"), new RegExp(`^https://stevcontoso\\w+\\.blob\\.${storage}$`)],
    [
      "resourceManagerUrl",
      config?.resourceManagerUrl,
      new RegExp(`^${environment.resourceManager.replace(/\/$/, "")}$`),
    ],
    ["clientId", config?.clientId, /^5{8}-/],
    ["observe", String(config?.observe), /^true$/],
    ["stop", String(config?.stop), /^false$/],
  ];
  return [
    ...names.filter((name) => !known.includes(baseOf(name))).map((name) => `nothing reads the setting ${name}`),
    ...names
      .filter((name) => left[baseOf(name)] !== undefined)
      .map((name) => `${name} is set, though ${left[baseOf(name)]}`),
    ...names
      .filter((name) => sometimes[name] !== undefined && !sometimes[name](scenario))
      .map((name) => `${name} has no place here`),
    ...wanted
      .filter((name) => !names.some((one) => baseOf(one) === name))
      .map((name) => `the setting ${name} is missing`),
    ...names.filter((name) => typeof settings[name] !== "string").map((name) => `${name} is no text`),
    ...faults.map((fault) => `the app does not start: ${fault}`),
    ...(config === undefined ? [] : expected)
      .filter(([, value, pattern]) => !pattern.test(String(value)))
      .map(([name, value]) => `the app reads ${name} as ${String(value)}`),
    // The host opens its storage with the identity: of these parts of AzureWebJobsStorage it needs each.
    ...["blobServiceUri", "queueServiceUri", "tableServiceUri", "credential", "clientId"]
      .filter((part) => settings[`AzureWebJobsStorage__${part}`] === undefined)
      .map((part) => `the setting AzureWebJobsStorage__${part} is missing`),
  ];
}

/** Names of settings that a host.json reads are set, and it differs from the other in its backend alone. */
function hostFaults(infra: Infra, settings: Readonly<Record<string, string>>): string[] {
  const host = infra.read("host.durable-task-scheduler.json");
  const { durableTask } = (JSON.parse(host) as { extensions: { durableTask: Record<string, unknown> } }).extensions;
  const provider = durableTask["storageProvider"] as Record<string, string> | undefined;
  const wanted = [
    provider?.["connectionStringName"] ?? provider?.["connectionName"] ?? "",
    ...[...host.matchAll(/%(\w+)%/g)].map(([, name]) => name!),
  ];
  return [
    ...(provider?.["type"] === "azureManaged" ? [] : ["host.durable-task-scheduler.json has another backend"]),
    ...wanted
      .filter((name) => settings[name] === undefined)
      .map((name) => `host.durable-task-scheduler.json reads the setting ${name}, which is missing`),
  ];
}

const file = "infra/modules/app-settings.bicep";

export const settings: Promised = {
  name: "the settings are those that the app and the platform read, and the app starts with them",
  scenarios,
  async check(infra, some) {
    const found = await predictions(infra, some);
    return found.flatMap(({ name, resources }) => {
      const environment = environments[clouds[name] ?? "AzureCloud"]!;
      const values = settingsIn(resources, environment);
      return [
        ...faultsOf(name, values, environment),
        ...(values["DURABLE_TASK_SCHEDULER_CONNECTION_STRING"] === undefined ? [] : hostFaults(infra, values)),
      ].map((fault) => `${name}: ${fault}`);
    });
  },
  mutations: [
    {
      what: "a setting has another name than the app reads",
      in: "plain",
      edits: [{ file, find: "PINION_STOP:", put: "PINION_HALT:" }],
      says: /nothing reads the setting PINION_HALT[^]*the setting PINION_STOP is missing/,
    },
    {
      what: "a setting of the policy's place is left out",
      in: "plain",
      edits: [{ file, find: "PINION_READER_ROLE: 'Pinion.Reader'\n", put: "" }],
      says: /the setting PINION_READER_ROLE is missing/,
    },
    {
      what: "a value is one that the app refuses",
      in: "plain",
      edits: [{ file, find: "PINION_SWEEP_SCHEDULE: '0 17 * * * *'", put: "PINION_SWEEP_SCHEDULE: 'hourly'" }],
      says: /the app does not start: PINION_SWEEP_SCHEDULE/,
    },
    {
      what: "storage is named, and so sought in the public cloud",
      in: "Azure Government",
      edits: [
        {
          file,
          find: "AzureWebJobsStorage__blobServiceUri: blobs",
          put: "AzureWebJobsStorage__accountName: storageAccountName",
        },
      ],
      says: /the app does not start: AzureWebJobsStorage/,
    },
    {
      what: "Azure Resource Manager is the public cloud's",
      in: "Azure in China",
      edits: [
        {
          file,
          find: "PINION_RESOURCE_MANAGER_URL: resourceManagerUrl",
          put: "PINION_RESOURCE_MANAGER_URL: 'https://management.azure.com'",
        },
      ],
      says: /reads resourceManagerUrl as|does not start/,
    },
    {
      what: "evidence goes to the app's own account",
      in: "plain",
      edits: [{ file, find: "'https://${evidenceAccountName}.blob.${suffix}'", put: "blobs" }],
      says: /the app reads evidence as/,
    },
    {
      what: "the host has no identity for its storage",
      in: "plain",
      edits: [{ file, find: "      AzureWebJobsStorage__clientId: identity.properties.clientId\n", put: "" }],
      says: /AzureWebJobsStorage__clientId is missing/,
    },
    {
      what: "rotations start at once",
      in: "plain",
      edits: [{ file: "infra/main.bicep", find: "param observe bool = true", put: "param observe bool = false" }],
      says: /the app reads observe as false/,
    },
    {
      what: "Flex Consumption is told its runtime by settings, which it refuses",
      in: "plain",
      edits: [{ file, find: "  container: {}\n", put: "  container: { FUNCTIONS_WORKER_RUNTIME: 'node' }\n" }],
      says: /FUNCTIONS_WORKER_RUNTIME has no place here/,
    },
    {
      what: "host.json reads a task hub that no setting names",
      in: "all of it",
      edits: [{ file, find: "TASKHUB_NAME: hubName", put: "TASK_HUB: hubName" }],
      says: /reads the setting TASKHUB_NAME, which is missing/,
    },
  ],
};
