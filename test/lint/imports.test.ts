import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";

const root = join(import.meta.dirname, "..", "..");
const folder = mkdtempSync(join(tmpdir(), "pinion-lint-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
cpSync(join(root, ".oxlintrc.json"), join(folder, ".oxlintrc.json"));

/** What the linter says of a file that imports `target`, as text; empty when it has nothing against it. */
function lint(file: string, target: string): string {
  const path = join(folder, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `import { thing } from "${target}";\n\nexport const value = thing;\n`);
  const oxlint = join(root, "node_modules", "oxlint", "bin", "oxlint");
  const { status, stdout } = spawnSync(process.execPath, [oxlint, "-c", join(folder, ".oxlintrc.json"), file], {
    cwd: folder,
    encoding: "utf8",
  });
  return status === 0 ? "" : stdout;
}

// Imports go one way (design section 4). Each of these must be refused, or the rule has stopped working.
test.each([
  ["src/activities/bad.ts", "../../local/clock.ts"],
  ["src/triggers/bad.ts", "@azure/keyvault-secrets"],
  ["src/activities/bad.ts", "pg"],
  ["src/vault/bad.ts", "../activities/step.ts"],
  ["src/workflow/bad.ts", "node:fs"],
  ["src/workflow/bad.ts", "../vault/secrets.ts"],
  ["src/workflow/bad.ts", "../activities/step.ts"],
  ["src/certificates/bad.ts", "../vault/secrets.ts"],
  ["src/certificates/bad.ts", "../consumer.ts"],
  ["infra/bad.ts", "../src/config.ts"],
  ["infra/entra/bad.ts", "../../src/azure/arm.ts"],
  ["infra/bad.ts", "@azure/identity"],
  ["rotators/bad.ts", "../src/vault/secrets.ts"],
  ["rotators/bad.ts", "../local/clock.ts"],
  ["rotators/shared/bad.ts", "../../src/workflow/rotate.ts"],
])("%s may not import %s", (file, target) => {
  expect(lint(file, target)).toContain("no-restricted-imports");
});

test.each([
  ["src/vault/good.ts", "@azure/keyvault-secrets"],
  ["src/workflow/good.ts", "../errors.ts"],
  ["infra/good.ts", "../src/errors.ts"],
  ["infra/entra/good.ts", "../../src/errors.ts"],
  ["rotators/good.ts", "../src/errors.ts"],
  ["rotators/good.ts", "../src/certificates/check.ts"],
  ["src/certificates/good.ts", "../rotator.ts"],
  ["src/certificates/good.ts", "@peculiar/asn1-x509"],
])("%s may import %s", (file, target) => {
  expect(lint(file, target)).toBe("");
});
