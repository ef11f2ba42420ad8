import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { milliseconds, readHostSettings } from "../../local/host/settings.ts";
import { deadlineSeconds } from "../../src/store/leases.ts";
import { temporaryFolder } from "./harness.ts";

// host.json as it is deployed: nothing secret into telemetry, nothing that alerts need dropped from it, limits that suit a small plan; and
// the same for both durable backends.

const root = join(import.meta.dirname, "..", "..");
const read = (name: string) => JSON.parse(readFileSync(join(root, name), "utf8")) as Host;
const files = ["host.json", "host.durable-task-scheduler.json"] as const;

interface Host {
  readonly logging: {
    readonly logLevel: Readonly<Record<string, string>>;
    readonly applicationInsights: { readonly samplingSettings: { readonly excludedTypes: string } };
  };
  readonly telemetryMode?: string;
  readonly functionTimeout: string;
  readonly extensions: {
    readonly queues: Readonly<Record<string, unknown>>;
    readonly durableTask: {
      readonly hubName: string;
      readonly storageProvider: Readonly<Record<string, string>>;
      readonly tracing: Readonly<Record<string, boolean>>;
      readonly storeInputsInOrchestrationHistory: boolean;
      readonly [name: string]: unknown;
    };
  };
}

test("the two backends differ in the hub and its storage alone", () => {
  const [storage, scheduler] = files.map((name) => {
    const { extensions, ...rest } = read(name);
    const { hubName, storageProvider, ...durable } = extensions.durableTask;
    return {
      backend: { hubName, ...storageProvider },
      rest: { ...rest, extensions: { ...extensions, durableTask: durable } },
    };
  });
  expect(scheduler?.rest).toEqual(storage?.rest);
  expect(storage?.backend).toEqual({ hubName: "PinionHub", type: "AzureStorage", maxQueuePollingInterval: "00:00:10" });
  expect(scheduler?.backend).toEqual({
    hubName: "%TASKHUB_NAME%",
    type: "azureManaged",
    connectionStringName: "DURABLE_TASK_SCHEDULER_CONNECTION_STRING",
  });
});

test.each(files)("%s: no input or output of a step goes into logs or history", (name) => {
  const { durableTask } = read(name).extensions;
  expect(durableTask.storeInputsInOrchestrationHistory).toBe(false);
  expect(durableTask.tracing["traceInputsAndOutputs"]).toBe(false);
});

test.each(files)("%s: sampling drops no line of Pinion's log, and no level hides one", (name) => {
  const { logging, telemetryMode } = read(name);
  const kept = logging.applicationInsights.samplingSettings.excludedTypes.split(";");
  expect(kept).toEqual(expect.arrayContaining(["Trace", "Exception"]));
  // In that mode the host's own sampling rules do not hold: whoever sets it looks at them again.
  expect(telemetryMode).toBeUndefined();
  expect(logging.logLevel["default"]).toBe("Information");
  expect(Object.keys(logging.logLevel).filter((category) => category.startsWith("Function"))).toEqual([]);
});

test.each(files)("%s: a function may take longer than a step's deadline, and versions outlive deployments", (name) => {
  const { functionTimeout, extensions } = read(name);
  expect(milliseconds(functionTimeout)).toBeGreaterThan(2 * deadlineSeconds * 1000);
  expect(extensions.durableTask).toMatchObject({ defaultVersion: "1.0", versionMatchStrategy: "CurrentOrOlder" });
});

test("the local host obeys the limits that are deployed", () => {
  using folder = temporaryFolder();
  copyFileSync(join(root, "host.json"), join(folder.path, "host.json"));
  expect(readHostSettings(folder.path, {})).toEqual({
    routePrefix: "api",
    functionTimeout: 600_000,
    queues: { base64: true, maxDequeueCount: 5, visibilityTimeout: 30_000, maxPollingInterval: 2_000, batchSize: 8 },
    durable: {
      hub: "PinionHub",
      connection: "AzureWebJobsStorage",
      defaultVersion: "1.0",
      versionMatchStrategy: "CurrentOrOlder",
      versionFailureStrategy: "Reject",
      maxConcurrentActivities: 10,
      maxConcurrentOrchestrators: 5,
    },
  });
});
