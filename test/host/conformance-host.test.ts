import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startAzurite } from "../../local/azurite.ts";
import type { Azurite } from "../../local/azurite.ts";
import { createApi } from "./conformance/api.ts";
import { exclusive, independent } from "./conformance/scenarios.ts";
import type { Scenario } from "./conformance/scenarios.ts";
import { startHostProcess, temporaryFolder } from "./harness.ts";
import type { HostProcess } from "./harness.ts";

const folder = temporaryFolder();
let azurite: Azurite;
let host: HostProcess;

beforeAll(async () => {
  azurite = await startAzurite();
  host = await startHostProcess({
    app: join(import.meta.dirname, "conformance", "app"),
    state: folder.path,
    env: { AzureWebJobsStorage: azurite.connectionString },
  });
});
afterAll(async () => {
  await host.stop();
  await azurite.stop();
  folder[Symbol.dispose]();
});

// The whole host as `npm start` runs it: a process of its own, keys asked for, storage in Azurite.
describe("the host in its own process", () => {
  const named = (list: readonly Scenario[]) => list.map((scenario) => [scenario.name, scenario] as const);
  const api = () => createApi(host.url, host.keys.system.durabletask_extension);
  test.concurrent.each(named(independent))("%s", async (_, { run }) => {
    await expect(run(api())).resolves.toBeUndefined();
  });
  test.each(named(exclusive))("%s", async (_, { run }) => {
    await expect(run(api())).resolves.toBeUndefined();
  });
});
