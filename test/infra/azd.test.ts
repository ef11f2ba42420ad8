import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { root } from "./harness/infra.ts";

// azd's file and the host files, as far as they can be looked at without azd and the host.

type Json = Record<string, unknown>;
interface Hooks {
  readonly [name: string]: { readonly posix: { readonly run: string }; readonly windows: { readonly run: string } };
}

const read = (file: string): string => readFileSync(join(root, file), "utf8");
const azd = parse(read("azure.yaml")) as {
  readonly name: string;
  readonly infra: { readonly provider: string; readonly path: string; readonly module: string };
  readonly services: Readonly<Record<string, Json & { readonly hooks: Hooks }>>;
  readonly hooks: Hooks;
};
const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };

test("azd deploys the module that is there, and the app alone", () => {
  const { provider, path, module } = azd.infra;
  expect(provider).toBe("bicep");
  for (const file of [`${module}.bicep`, `${module}.bicepparam`]) expect(existsSync(join(root, path, file))).toBe(true);
  expect(Object.keys(azd.services)).toEqual(["app"]);
  // By this tag azd finds the app among the resources.
  expect(read("infra/modules/function-app.bicep")).toContain("'azd-service-name': 'app'");
});

test("the package is built here and not in Azure", () => {
  const { host, dist, remoteBuild, hooks } = azd.services["app"]!;
  expect({ host, dist, remoteBuild }).toEqual({ host: "function", dist: "dist/app", remoteBuild: false });
  for (const { run } of Object.values(hooks["prepackage"]!)) expect(run).toMatch(/npm ci.*npm run build/);
});

test("hooks run scripts that are there, on every system alike", () => {
  const hooks = [azd.hooks, azd.services["app"]!.hooks].flatMap((one) => Object.values(one));
  expect(hooks.length).toBeGreaterThan(1);
  for (const { posix, windows } of hooks) {
    const namesOf = (run: string) => [...run.matchAll(/npm run (?:-s )?(\S+)/g)].map(([, name]) => name!);
    const names = namesOf(posix.run);
    expect(namesOf(windows.run)).toEqual(names);
    for (const name of names) {
      expect(scripts).toHaveProperty([name]);
      const [, file] = /^node (\S+)/.exec(scripts[name] ?? "") ?? [];
      expect([name, existsSync(join(root, file ?? ""))]).toEqual([name, true]);
    }
  }
});

test("both host files are the same but for the backend", () => {
  const [storage, scheduler] = ["host.json", "host.durable-task-scheduler.json"].map((file) => {
    const { extensions, ...rest } = JSON.parse(read(file)) as { extensions: { durableTask: Json } };
    const { hubName, storageProvider, ...durable } = extensions.durableTask;
    return { rest, extensions: { ...extensions, durableTask: durable }, backend: { hubName, storageProvider } };
  });
  expect(scheduler!.rest).toEqual(storage!.rest);
  expect(scheduler!.extensions).toEqual(storage!.extensions);
  expect(storage!.backend.storageProvider).toMatchObject({ type: "AzureStorage" });
  expect(scheduler!.backend).toEqual({
    hubName: "%TASKHUB_NAME%",
    storageProvider: { type: "azureManaged", connectionStringName: "DURABLE_TASK_SCHEDULER_CONNECTION_STRING" },
  });
});

test("the host keeps no inputs and outputs, and looks often enough for the plan", () => {
  const { extensions } = JSON.parse(read("host.json")) as { extensions: { durableTask: Json; queues: Json } };
  const { durableTask, queues } = extensions;
  expect(durableTask["tracing"]).toMatchObject({ traceInputsAndOutputs: false });
  expect(durableTask["storeInputsInOrchestrationHistory"]).toBe(false);
  // Orchestrations outlive deployments: the version they began with is kept.
  expect(durableTask["defaultVersion"]).toBeDefined();
  const { maxQueuePollingInterval } = durableTask["storageProvider"] as { maxQueuePollingInterval: string };
  expect(maxQueuePollingInterval <= "00:00:10").toBe(true);
  // What Event Grid puts into the queue is base64.
  expect(queues["messageEncoding"]).toBe("base64");
});
