import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { checks } from "../../src/doctor/checks.ts";
import { outsideChecks } from "../../src/doctor/outside/checks.ts";
import { codesIn, readFile, tableOf } from "./page.ts";

// docs/doctor.md lists the checks that there are, in their order and words.

const page = readFile("docs/doctor.md");

test("the checks inside, with their areas", () => {
  const rows = tableOf(page, "check");
  expect(rows.map(([id = "", area, about]) => [codesIn(id)[0], area, about])).toEqual(
    checks.map(({ id, area, about }) => [id, area, about]),
  );
  for (const [, , , todo = ""] of rows) expect(todo).toMatch(/^[A-Z].*\.$/);
});

test("the checks from outside", () => {
  const rows = tableOf(page, "check from outside");
  expect(rows.map(([id = "", about]) => [codesIn(id)[0], about])).toEqual(
    outsideChecks.map(({ id, about }) => [id, about]),
  );
});

test("each check is a file of its own, by its id", () => {
  const at = (path: string) => existsSync(fileURLToPath(new URL(`../../src/doctor/${path}.ts`, import.meta.url)));
  for (const { id } of checks) expect([id, at(id)]).toEqual([id, true]);
  for (const { id } of outsideChecks) expect([id, at(`outside/${id}`)]).toEqual([id, true]);
});
