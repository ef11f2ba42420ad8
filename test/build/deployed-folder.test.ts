import { cpSync, readdirSync, readFileSync, statSync } from "node:fs";
import { builtinModules } from "node:module";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startAzurite, type Azurite } from "../../local/azurite.ts";
import { startHostProcess, temporaryFolder } from "../host/harness.ts";

const dist = join(import.meta.dirname, "..", "..", "dist", "app");
const files = readdirSync(dist, { recursive: true })
  .map(String)
  .filter((name) => statSync(join(dist, name)).isFile());
const folder = temporaryFolder();
let azurite: Azurite;

beforeAll(async () => {
  azurite = await startAzurite({});
});
afterAll(async () => {
  await azurite.stop();
  folder[Symbol.dispose]();
});

test("its zip is under 3 MB", () => {
  // What a zip holds: each file deflated, with its name and two headers.
  const bytes = files.reduce(
    (sum, name) => sum + deflateRawSync(readFileSync(join(dist, name))).length + 2 * name.length + 76,
    22,
  );
  expect(bytes).toBeLessThan(3_000_000);
});

test("it imports nothing from outside itself but Node's own modules", () => {
  const allowed = new Set([...builtinModules, ...builtinModules.map((name) => `node:${name}`)]);
  const code = files.filter((name) => name.endsWith(".mjs"));
  expect(code.length).toBeGreaterThan(1);
  for (const name of code) {
    const text = readFileSync(join(dist, name), "utf8");
    const imported = [
      ...text.matchAll(/(?:^|[;}\s])(?:import|export)[^"'();]*?from\s*"([^"]+)"|import\("([^"]+)"\)/g),
    ].map((match) => match[1] ?? match[2] ?? "");
    const outside = imported.filter(
      (target) => !target.startsWith("./") && !target.startsWith("../") && !allowed.has(target),
    );
    expect({ name, outside }).toEqual({ name, outside: [] });
  }
});

test("it runs away from the repository, without node_modules, and says what is wrong with its settings", async () => {
  const app = join(folder.path, "app");
  cpSync(dist, app, { recursive: true });
  const host = await startHostProcess({
    app,
    state: join(folder.path, "state"),
    env: { AzureWebJobsStorage: azurite.connectionString, PINION_STOP: "perhaps" },
  });
  const health = await host.call("/api/health", { headers: { "x-functions-key": host.keys.function } });
  expect(health.status).toBe(503);
  expect(health.text).toContain("PINION_STOP");
  expect(await host.stop()).toBe(0);
});
