import { cpSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, expect, test } from "vitest";
import { fixture, startHostProcess, temporaryFolder } from "./harness.ts";

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());

// The same choices as scripts/build.mjs; kept apart, because that one is about dist/app.
test("an app bundled as the build does it runs away from any node_modules", async () => {
  const app = join(folder.path, "app");
  await build({
    entryPoints: { main: join(fixture("app"), "main.mjs") },
    outdir: app,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node22",
    minify: true,
    keepNames: true,
    external: ["@azure/functions-core"],
    banner: { js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);" },
  });
  for (const file of ["host.json", "package.json"]) cpSync(join(fixture("app"), file), join(app, file));
  const env = { FIXTURE_RECORD: join(folder.path, "record") };
  const bundled = await startHostProcess({ app, state: join(folder.path, "state"), env });
  const plain = await startHostProcess({ app: fixture("app"), state: join(folder.path, "other"), env });
  expect(bundled.functions).toBe(plain.functions);
  for (const host of [bundled, plain]) expect((await host.call("/api/hooked")).text).toBe("pre handler post");
  expect([await bundled.stop(), await plain.stop()]).toEqual([0, 0]);
});
