import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { expect, test } from "vitest";
import type { Arm, ArmRequest } from "../../src/azure/arm.ts";
import { PinionError } from "../../src/errors.ts";
import * as source from "../../src/azure/sql-server.ts";

const id =
  "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/rg/providers/Microsoft.Sql/servers/orders";
const signal = AbortSignal.timeout(60_000);

/** ARM that keeps what it was asked for. */
function recorded(answer: (request: ArmRequest) => unknown): { readonly arm: Arm; readonly asked: ArmRequest[] } {
  const asked: ArmRequest[] = [];
  return {
    asked,
    arm: async (request) => {
      asked.push(request);
      return answer(request);
    },
  };
}

/** What a server is asked and told, by the writes that it got. */
async function written({ openSqlServer }: typeof source) {
  const { arm, asked } = recorded(({ method, path }) => {
    if (method !== "GET") return undefined;
    if (path.includes("skip=1")) return { value: [{ name: "kv_cmk_2" }] };
    if (/\/keys(\?|$)/.test(path))
      return {
        value: [{ name: "kv_cmk_1" }],
        nextLink: `https://management.azure.com${id}/keys?api-version=2022-08-01&skip=1`,
      };
    return { properties: { uri: "https://kv/keys/cmk/1", autoRotationEnabled: true } };
  });
  const server = await openSqlServer(arm, id, signal);
  expect(await server.protector()).toEqual({ url: "https://kv/keys/cmk/1", followsNewest: true });
  expect(await server.keyNames()).toEqual(["kv_cmk_1", "kv_cmk_2"]);
  await server.addKey("kv_cmk_3", "https://kv/keys/cmk/3");
  await server.protect("kv_cmk_3", false);
  for (const request of asked) expect(request).toMatchObject({ apiVersion: expect.stringMatching(/^20\d\d-/), signal });
  return asked.filter(({ method }) => method === "PUT").map(({ path, body }) => [path.replace(/\?.*/, ""), body]);
}

const writes = [
  [`${id}/keys/kv_cmk_3`, { properties: { serverKeyType: "AzureKeyVault", uri: "https://kv/keys/cmk/3" } }],
  [
    `${id}/encryptionProtector/current`,
    { properties: { serverKeyType: "AzureKeyVault", serverKeyName: "kv_cmk_3", autoRotationEnabled: false } },
  ],
];

test("the client's calls go through our ARM, page by page, at its api-versions", async () => {
  expect(await written(source)).toEqual(writes);
});

test("so they do in the bundle that is deployed", async () => {
  const outdir = mkdtempSync(join(tmpdir(), "pinion-sql-"));
  try {
    const entry = join(import.meta.dirname, "../../src/azure/sql-server.ts");
    const options = { bundle: true, splitting: true, minify: true, keepNames: true, logLevel: "warning" } as const;
    const banner = { js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);" };
    await build({
      ...options,
      entryPoints: { server: entry },
      outdir,
      outExtension: { ".js": ".mjs" },
      format: "esm",
      platform: "node",
      target: "node22",
      banner,
    });
    const bundled = (await import(pathToFileURL(join(outdir, "server.mjs")).href)) as typeof source;
    expect(await written(bundled)).toEqual(writes);
  } finally {
    rmSync(outdir, { recursive: true });
  }
});

test("ARM's refusal comes through as it is, and is not tried again by the client", async () => {
  const refusal = new PinionError("CONSUMER_UNREACHABLE", "wait", { class: "throttled", retryAfterSeconds: 7 });
  const { arm, asked } = recorded(() => {
    throw refusal;
  });
  const server = await source.openSqlServer(arm, id, signal);
  await expect(server.protector()).rejects.toBe(refusal);
  await expect(server.addKey("kv_cmk_1", "https://kv/keys/cmk/1")).rejects.toBe(refusal);
  expect(asked.length).toBe(2);
});

test("an id of anything else is no server", async () => {
  for (const wrong of [`${id}/databases/x`, id.replace("Microsoft.Sql", "Microsoft.Web"), ""])
    await expect(source.openSqlServer(recorded(() => undefined).arm, wrong, signal)).rejects.toMatchObject({
      code: "CONSUMER_MISCONFIGURED",
    });
});
