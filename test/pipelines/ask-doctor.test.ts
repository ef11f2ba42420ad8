import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { root, shellFault } from "./checks.ts";

// The last step of both pipelines, with a doctor who says what he is told to: one exit code after the other, the last one for ever.

const dir = mkdtempSync(join(tmpdir(), "pinion-ask-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const script = join(root, ".ci/ask-doctor");
let count = 0;

function ask(codes: readonly number[], env: Readonly<Record<string, string>> = {}) {
  const bin = join(dir, String(++count));
  mkdirSync(bin);
  const asked = join(bin, "asked");
  const said = `set -- ${codes.join(" ")}; n=$(wc -l < ${asked}); [ "$n" -lt $# ] || n=$#; shift $((n - 1)); exit "$1"`;
  writeFileSync(join(bin, "npm"), `#!/bin/sh\necho "$@" >> ${asked}\n${said}\n`, { mode: 0o755 });
  const PATH = `${bin}:${process.env["PATH"]}`;
  const { status, stdout } = spawnSync(script, ["https://app.example/api"], {
    env: { PATH, PINION_PAUSE: "0", PINION_PATIENCE: "60", ...env },
    encoding: "utf8",
  });
  return { status, stdout, asked: readFileSync(asked, "utf8").trim().split("\n") };
}

const onboarded = { PINION_ONBOARDED: "true" };

test("no fault: asked once, of the app that was deployed", () => {
  expect(ask([0], onboarded)).toMatchObject({
    status: 0,
    asked: ["run --silent pinion -- doctor --url https://app.example/api"],
  });
});

test("faults that go within minutes stop nothing", () => {
  expect(ask([1, 1, 0], onboarded)).toMatchObject({ status: 0, asked: { length: 3 } });
});

test("faults that stay stop the pipeline", () => {
  expect(ask([1], { ...onboarded, PINION_PATIENCE: "0" })).toMatchObject({ status: 1, asked: { length: 1 } });
});

test("before the vaults are onboarded faults are told, and stop nothing", () => {
  for (const env of [{}, { PINION_ONBOARDED: "false" }]) {
    const { status, stdout, asked } = ask([1], env);
    expect([status, asked.length]).toEqual([0, 1]);
    expect(stdout).toContain("set PINION_ONBOARDED to true");
  }
});

test("a command that is not understood stops the pipeline, onboarded or not", () => {
  for (const env of [{}, onboarded]) expect(ask([2], env)).toMatchObject({ status: 2, asked: { length: 1 } });
});

test("both pipelines end with it, and bash and shellcheck have nothing against it", () => {
  for (const file of [".github/workflows/deploy-environment.yml", ".azuredevops/environment.yml"])
    expect(readFileSync(join(root, file), "utf8").trimEnd()).toMatch(/\.ci\/ask-doctor "\$url\/api"$/);
  expect(shellFault(readFileSync(script, "utf8"))).toBeUndefined();
});
