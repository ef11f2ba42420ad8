import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { parse } from "yaml";
import { root, shellFault } from "./checks.ts";

// How both pipelines bring the package to the app, with an az and an azd that write down what they were asked.

const dir = mkdtempSync(join(tmpdir(), "pinion-deploy-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const script = join(root, ".ci/deploy-package");
const text = (file: string) => readFileSync(join(root, file), "utf8");

function deploy(name: string, env: Readonly<Record<string, string>>) {
  const bin = join(dir, name);
  mkdirSync(bin);
  const asked = join(bin, "asked");
  const values = `echo 'AZURE_FUNCTION_APP_NAME="func-pinion"'; echo 'PINION_EVENTS_STORAGE_ID="/a/storageAccounts/stpinion"'`;
  const says = { az: "", azd: values, npm: `echo "as $AZURE_FUNCTION_APP_NAME" >> ${asked}` };
  for (const [tool, line] of Object.entries(says))
    writeFileSync(join(bin, tool), `#!/bin/sh\necho ${tool} "$@" >> ${asked}\n${line}\n`, { mode: 0o755 });
  const { status } = spawnSync(script, ["dist/app.zip"], {
    env: { PATH: `${bin}:${process.env["PATH"]}`, AZURE_RESOURCE_GROUP: "rg", ...env },
    encoding: "utf8",
  });
  return { status, asked: readFileSync(asked, "utf8").trim().split("\n") };
}

test.each([{}, { PINION_PLAN: "FlexConsumption" }])("%o: azd takes it, for the service of azure.yaml", (env) => {
  const [service] = Object.keys((parse(text("azure.yaml")) as { services: object }).services);
  expect(deploy(`flex${Object.keys(env).length}`, env)).toEqual({
    status: 0,
    asked: [`azd deploy ${service} --from-package dist/app.zip --no-prompt`],
  });
});

// azd refuses a service with `remoteBuild`, whatever its value, on every other plan.
test("Dedicated: az takes it, for azd refuses to", () => {
  const { status, asked } = deploy("dedicated", { PINION_PLAN: "Dedicated" });
  expect(status).toBe(0);
  expect(text("azure.yaml")).toContain("remoteBuild:");
  expect(asked.filter((line) => line.startsWith("azd deploy"))).toEqual([]);
  expect(asked.slice(-2)).toEqual(["npm run --silent subscribe", "as func-pinion"]);
  expect(asked.filter((line) => line.startsWith("az "))).toEqual([
    expect.stringMatching(
      /^az functionapp deployment source config-zip --resource-group rg --name func-pinion --src dist\/app.zip/,
    ),
  ]);
});

test("Elastic Premium: it goes where the app is told to run it from, and the app starts anew", () => {
  const { status, asked } = deploy("elastic", { PINION_PLAN: "ElasticPremium" });
  expect(status).toBe(0);
  expect(asked.filter((line) => line.startsWith("azd deploy"))).toEqual([]);
  expect(asked.slice(-2)).toEqual(["npm run --silent subscribe", "as func-pinion"]);
  const [upload = "", restart = ""] = asked.filter((line) => line.startsWith("az "));
  const [, container] = /package: '([\w-]+)'/.exec(text("infra/modules/storage.bicep")) ?? [];
  const [, blob] = /stored\.package\}\/([\w.]+)'/.exec(text("infra/modules/app-settings.bicep")) ?? [];
  expect(upload).toMatch(
    new RegExp(`--account-name stpinion .*--container-name ${container} --name ${blob} --file dist/app.zip`),
  );
  expect(restart).toMatch(/^az functionapp restart --resource-group rg --name func-pinion/);
});

test("both pipelines use it", () => {
  for (const file of [".github/workflows/deploy-environment.yml", ".azuredevops/environment.yml"])
    expect([file, /\.ci\/deploy-package \S/.test(text(file)), /azd deploy/.test(text(file))]).toEqual([
      file,
      true,
      false,
    ]);
});

test("shellcheck has nothing to say", () => {
  expect(shellFault(readFileSync(script, "utf8"))).toBeUndefined();
});
