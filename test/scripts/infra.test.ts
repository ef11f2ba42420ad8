import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { infraFiles } from "../../scripts/infra.ts";
import { roles } from "../../src/roles.ts";

const files = await infraFiles();

test.each(Object.keys(files))(
  "the committed infra/%s is what the code says: node scripts/infra.ts writes it",
  (name) => {
    expect(readFileSync(new URL(`../../infra/${name}`, import.meta.url), "utf8")).toBe(files[name]);
  },
);

test("a role deletes, purges, backs up and restores nothing in a vault, and gives nobody a right", () => {
  for (const [key, { actions, dataActions }] of Object.entries(roles)) {
    for (const action of dataActions)
      expect([key, action]).toEqual([
        key,
        expect.not.stringMatching(
          /\*|Microsoft\.KeyVault.*(delete|purge|backup|restore|release|import\/action$(?<!certificates\/import\/action))/i,
        ),
      ]);
    for (const action of actions)
      expect([key, action]).toEqual([
        key,
        expect.not.stringMatching(/^\*|Microsoft\.(Authorization|KeyVault)\/.*(?<!\/read)$/i),
      ]);
  }
});

test("no two roles share a key and differ", () => {
  expect(Object.keys(roles)).toEqual(Object.keys(roles).toSorted((a, b) => (a < b ? -1 : 1)));
  for (const [key, role] of Object.entries(roles)) {
    expect(role.name).toBe(`Pinion ${key}`);
    expect(role.actions.length + role.dataActions.length).toBeGreaterThan(0);
  }
});
