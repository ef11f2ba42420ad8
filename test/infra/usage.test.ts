import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { temporaryFolder } from "../host/harness.ts";

// What the commands of infra/ say of themselves. Nobody who asks for help, or who mistypes, has anything done.

const temporary = temporaryFolder();
afterAll(() => temporary[Symbol.dispose]());
const called = join(temporary.path, "called");
writeFileSync(join(temporary.path, "az"), `#!/bin/sh\necho "$@" >> '${called}'\necho '{}'\n`);
chmodSync(join(temporary.path, "az"), 0o755);

/** Runs it with an `az` that notes every call. */
function run(file: string, ...args: string[]) {
  const env = { PATH: `${temporary.path}:/usr/bin:/bin`, PINION_DELIVERY: "webhook", AZURE_LOCATION: "westeurope" };
  const cwd = join(import.meta.dirname, "../..");
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...args], { env, cwd, encoding: "utf8" });
  return { code: status, stdout, stderr };
}
const calls = () => execFileSync("sh", ["-c", `cat '${called}' 2>/dev/null || true`], { encoding: "utf8" });

const commands = [
  ["infra/entra.ts", /^npm run entra -- --name NAME/],
  ["infra/outputs.ts", /^npm run -s outputs -- <resource group> \[deployment\]\n/],
  ["infra/hooks/subscribe.ts", /^npm run -s subscribe\n/],
] as const;

test.each(commands.flatMap(([file, usage]) => ["--help", "-h"].map((flag) => [file, flag, usage] as const)))(
  "%s %s prints its usage and does nothing",
  (file, flag, usage) => {
    expect(run(file, flag)).toMatchObject({ code: 0, stdout: expect.stringMatching(usage), stderr: "" });
    expect(calls()).toBe("");
  },
);

test.each([
  ["infra/entra.ts", [], /^npm run entra/],
  ["infra/entra.ts", ["--wrong"], /'--wrong'[^]*npm run entra/],
  ["infra/outputs.ts", [], /^<resource group> is missing\.[^]*npm run -s outputs/],
  ["infra/outputs.ts", ["rg", "pinion", "third"], /^third is one word too many\.[^]*npm run -s outputs/],
  ["infra/outputs.ts", ["--name", "rg"], /'--name'[^]*npm run -s outputs/],
  ["infra/hooks/subscribe.ts", ["orders"], /^orders is one word too many\.[^]*npm run -s subscribe/],
  ["infra/hooks/subscribe.ts", ["--vault"], /'--vault'[^]*npm run -s subscribe/],
] as const)("%s %j is not understood: exit code 2, and nothing is done", (file, args, says) => {
  expect(run(file, ...args)).toMatchObject({ code: 2, stdout: "", stderr: expect.stringMatching(says) });
  expect(calls()).toBe("");
});

test("what is understood and fails ends with 1", () => {
  expect(run("infra/outputs.ts", "rg")).toMatchObject({
    code: 1,
    stdout: "",
    stderr: expect.stringContaining("has put out nothing"),
  });
  expect(calls()).toContain("deployment group show --resource-group rg --name pinion");
});
