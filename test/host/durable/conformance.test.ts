import { afterAll, beforeAll, describe, it } from "vitest";
import { startAzurite } from "../../../local/azurite.ts";
import { createMemoryStore, createTableStore } from "../../../local/host/durable/index.ts";
import { createApi } from "../conformance/api.ts";
import type { Api, Scenario } from "../conformance/api.ts";
import { exclusive, independent } from "../conformance/scenarios.ts";
import { serve } from "./serve.ts";

const clock = { now: () => Date.now() };
const real = process.env["PINION_CONFORMANCE_URL"];

/** A host to try: its API, and how it ends. */
type Host = () => Promise<{ readonly api: Api; stop(): Promise<void> }>;

const inMemory: Host = async () => {
  const served = await serve({ clock, store: createMemoryStore() });
  return { api: createApi(served.url), stop: () => served.stop() };
};

const onTables: Host = async () => {
  const azurite = await startAzurite();
  const store = createTableStore({ connectionString: azurite.connectionString, hub: "conformance" });
  const served = await serve({ clock, store });
  const stop = async () => {
    await served.stop();
    await azurite.stop();
  };
  return { api: createApi(served.url), stop };
};

/** `PINION_CONFORMANCE_URL=http://localhost:7071 PINION_CONFORMANCE_KEY=...`: a real host that runs ../conformance/app. */
const byUrl: Host = async () => ({
  api: createApi(real!.replace(/\/$/, ""), process.env["PINION_CONFORMANCE_KEY"]),
  stop: async () => {},
});

const hosts: [name: string, host: Host][] = real
  ? [[real, byUrl]]
  : [
      ["the stand-in in memory", inMemory],
      ["the stand-in on tables", onTables],
    ];

describe.each(hosts)("%s", (_, host) => {
  let running: Awaited<ReturnType<Host>>;
  beforeAll(async () => {
    running = await host();
  });
  afterAll(() => running.stop());
  const skipped = ({ only }: Scenario) => real !== undefined && only === "stand-in";
  describe.concurrent("code and events", () => {
    it.for(independent)("$name", async (scenario, { skip, expect }) => {
      skip(skipped(scenario));
      await expect(scenario.run(running.api)).resolves.toBeUndefined();
    });
  });
  describe("management API and client", () => {
    it.for(exclusive)("$name", async (scenario, { skip, expect }) => {
      skip(skipped(scenario));
      await expect(scenario.run(running.api)).resolves.toBeUndefined();
    });
  });
});
