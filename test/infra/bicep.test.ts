import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { check } from "../../scripts/bicep.ts";
import { version } from "../../scripts/bicep/install.ts";
import { root } from "./harness/infra.ts";
import { describeBicep, useInfra } from "./harness/promise.ts";
import { linterRules } from "./linter-rules.ts";

// `npm run bicep`, which CI runs over every file, sees what it is there for. Here it is tried on two small files.

const read = (file: string): string => readFileSync(join(root, file), "utf8");
const config = "infra/bicepconfig.json";

const template = `@description('Name of the thing.')
param name string

@description('The name again.')
output same string = name
`;
const parameters = `using 'main.bicep'

param name = 'thing'
`;

describeBicep("npm run bicep", () => {
  const bed = useInfra();
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "pinion-bicep-"));
    mkdirSync(join(folder, "infra"));
    cpSync(join(root, config), join(folder, config));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const said = async (main: string, dev: string) => {
    writeFileSync(join(folder, "infra/main.bicep"), main);
    writeFileSync(join(folder, "infra/dev.bicepparam"), dev);
    return await check(bed.compiler, folder);
  };

  test("says nothing of sound files", async () => {
    expect(await said(template, parameters)).toEqual({ faults: [], templates: 1, parameters: 1 });
  });

  test.each([
    [
      "a parameter that nothing uses",
      "\n@description('Unused.')\nparam unused string = ''\n",
      /main\.bicep:8:7: warning no-unused-params/,
    ],
    [
      "an output without a word",
      "\noutput undescribed string = name\n",
      /main\.bicep:7:8: warning use-description-outputs/,
    ],
    ["a file that is not formatted", "\n\n\n  // x", /main\.bicep: not as `bicep format` writes it/],
    ["what does not compile", "\n@description('Wrong.')\nvar wrong = nothing\n", /main\.bicep:8:13: error BCP057/],
  ])("says so: %s", async (_, added, says) => {
    const { faults } = await said(template + added, parameters);
    expect(faults.join("\n")).toMatch(says);
  });

  test("says so: an API version that is not the compiler's newest, which compiles all the same", async () => {
    const old = `
resource account 'Microsoft.Storage/storageAccounts@2022-09-01' existing = {
  name: name
}

@description('Id of the account.')
output id string = account.id
`;
    const { faults } = await said(template + old, parameters);
    expect(faults).toEqual([expect.stringMatching(/main\.bicep:7:53: warning use-recent-api-versions/)]);
    expect(await bed.compiler.compile(join(folder, "infra/main.bicep"))).toMatchObject({ success: true });
  });

  test("says so: a value of a parameter file that the template does not take", async () => {
    const { faults } = await said(template, parameters.replace("'thing'", "7"));
    expect(faults.join("\n")).toMatch(/dev\.bicepparam:3:14: error BCP033/);
  });
});

/**
 * What is a bug whenever it is compiled: a secret that shows, a nested deployment that reads the wrong scope. Every other rule warns: azd
 * and az compile with the same configuration, and a rule that a newer compiler or a later day finds broken must not stop a deployment.
 */
const bugs = new Set<string>([
  "adminusername-should-not-be-literal",
  "nested-deployment-template-scoping",
  "outputs-should-not-contain-secrets",
  "protect-commandtoexecute-secrets",
  "secure-parameter-default",
  "secure-params-in-nested-deploy",
  "secure-params-in-parameters-file",
  "secure-secrets-in-params",
]);

test("every rule of the linter is on: a warning that `npm run bicep` refuses, or an error where it is a bug", () => {
  const { analyzers } = JSON.parse(read(config)) as {
    analyzers: { core: { enabled?: boolean; rules: Record<string, { level?: string; maxAgeInDays?: number }> } };
  };
  const { enabled = true, rules } = analyzers.core;
  expect(version, "test/infra/linter-rules.ts lists the rules of this version").toBe(linterRules.version);
  expect(enabled).toBe(true);
  const levels = Object.fromEntries(Object.entries(rules).map(([rule, { level }]) => [rule, level]));
  expect(levels).toEqual(
    Object.fromEntries(linterRules.rules.map((rule) => [rule, bugs.has(rule) ? "error" : "warning"])),
  );
  // The newest that the pinned compiler knows: what CI says of a commit then depends on no date.
  expect(rules["use-recent-api-versions"]).toEqual({ level: "warning", maxAgeInDays: 0 });
});

/** Rules that single lines may switch off, with a reason beside it. */
const switchable = ["use-recent-api-versions", "use-resource-id-functions"];

test("a line switches a rule off only where it may, and says why", () => {
  const lines = globSync("infra/**/*.{bicep,bicepparam}", { cwd: root }).flatMap((file) =>
    [...read(file).matchAll(/^\s*#disable.*$/gm)].map(([line]) => ({ file, line: line.trim() })),
  );
  const reasoned = new RegExp(`^#disable-next-line (${switchable.join("|")}) // [A-Z].+\\.$`);
  expect(lines.filter(({ line }) => !reasoned.test(line))).toEqual([]);
});
