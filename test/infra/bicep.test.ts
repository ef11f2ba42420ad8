import { appendFileSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { check } from "../../scripts/bicep.ts";
import { version } from "../../scripts/bicep/install.ts";
import { linterRules } from "./linter-rules.ts";
import { root, scratch } from "./harness/infra.ts";
import { describeBicep, useInfra } from "./harness/promise.ts";

const read = (file: string): string => readFileSync(join(root, file), "utf8");

/** A copy of the sources with infra/bicepconfig.json as the project has it. */
function copy() {
  const made = scratch([]);
  writeFileSync(join(made.folder, "infra/bicepconfig.json"), read("infra/bicepconfig.json"));
  return made;
}

describeBicep("the compiler and its linter", () => {
  const bed = useInfra();

  test("have nothing to say of any template or parameter file", async () => {
    const { faults, templates, parameters } = await check(bed.compiler, root);
    expect(faults).toEqual([]);
    expect(templates).toBeGreaterThan(10);
    expect(parameters).toBeGreaterThanOrEqual(3);
  });

  test.each([
    [
      "a parameter that nothing uses",
      "@description('Unused.')\nparam unused string\n",
      /main\.bicep:\d+:7: .*no-unused-params/,
    ],
    [
      "an output without a word",
      "output undescribed string = location\n",
      /main\.bicep:\d+:8: .*use-description-outputs/,
    ],
    ["a file that is not formatted", "  //  x\n\n\n\n", /main\.bicep: not as `bicep format` writes it/],
    ["an error", "var wrong = nothing\n", /main\.bicep:\d+:13: error BCP057/],
  ])("say so: %s", async (_, added, says) => {
    const { folder, remove } = copy();
    try {
      appendFileSync(join(folder, "infra/main.bicep"), `\n${added}`);
      expect((await check(bed.compiler, folder)).faults.join("\n")).toMatch(says);
    } finally {
      remove();
    }
  });

  test("say so: a value of a parameter file that the template does not take", async () => {
    const { folder, remove } = copy();
    try {
      const file = join(folder, "infra/dev.bicepparam");
      writeFileSync(
        file,
        readFileSync(file, "utf8").replace(/^param environmentName = .*$/m, "param environmentName = 7"),
      );
      expect((await check(bed.compiler, folder)).faults.join("\n")).toMatch(/dev\.bicepparam:\d+:\d+: error BCP033/);
    } finally {
      remove();
    }
  });
});

test("every rule of the linter is on, as an error", () => {
  // Comments are allowed in it, and there are none.
  const config = JSON.parse(read("infra/bicepconfig.json")) as {
    analyzers: { core: { enabled?: boolean; rules: Record<string, { level?: string }> } };
  };
  const { enabled = true, rules } = config.analyzers.core;
  expect(version, "test/infra/linter-rules.ts lists the rules of this version").toBe(linterRules.version);
  expect(enabled).toBe(true);
  const levels = Object.fromEntries(linterRules.rules.map((rule) => [rule, rules[rule]?.level]));
  expect(levels).toEqual(Object.fromEntries(linterRules.rules.map((rule) => [rule, "error"])));
  expect(Object.keys(rules).filter((rule) => !(linterRules.rules as readonly string[]).includes(rule))).toEqual([]);
});

test("no line of a template switches a rule off", () => {
  const files = globSync("infra/**/*.{bicep,bicepparam}", { cwd: root });
  const off = files.filter((file) => /^\s*#disable/m.test(read(file)));
  expect(off).toEqual([]);
});
