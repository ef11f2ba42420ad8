import { globSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readSettings, settingNames } from "../../src/config.ts";
import { storageParts } from "../../src/config-storage.ts";
import { platformSettingNames } from "../../src/platform-settings.ts";
import { codesIn, readFile, tableOf } from "./page.ts";

// docs/settings.md, local.settings.sample.json and the code name the same settings, with the same defaults; and a wrong value of each is
// answered as the page says.

const page = readFile("docs/settings.md");
const first = (row: readonly string[]) => codesIn(row[0] ?? "")[0] ?? "";
const tables = [...page.matchAll(/^\| setting \|.*$/gm)].map(({ index }) => tableOf(page.slice(index), "setting"));
const [own = [], wrong = [], platform = []] = tables;
const sample = JSON.parse(readFile("local.settings.sample.json")) as { Values: Readonly<Record<string, string>> };
const base = { AzureWebJobsStorage: "UseDevelopmentStorage=true" };

test("the page has every setting that the code reads, and no other", () => {
  expect(own.map(first)).toEqual([...settingNames]);
  expect(platform.map(first)).toEqual([...platformSettingNames]);
  const parts = tableOf(page, "part").map((row) => first(row).slice(2));
  expect([...parts, "credential", "clientId"]).toEqual([...storageParts]);
});

test.each(own.map((row) => [first(row), row] as const))(
  "%s: default and example",
  (name, [, , fallback = "", example = ""]) => {
    const [text] = codesIn(fallback);
    // A setting's name stands for the value of that one.
    const followed =
      text !== undefined && (settingNames as readonly string[]).includes(text) ? sample.Values[text] : text;
    const expected = followed ?? "";
    // Needed, so the sample has one that works on any machine.
    if (name === "AzureWebJobsStorage") expect([expected, sample.Values[name]]).toEqual(["", base.AzureWebJobsStorage]);
    else {
      expect(sample.Values[name]).toBe(expected);
      expect(readSettings({ ...base, [name]: expected }).config).toEqual(readSettings(base).config);
    }
    const [good = "?"] = codesIn(example);
    expect(readSettings({ ...base, [name]: good }).faults).toEqual([]);
  },
);

test.each(wrong.map((row) => [first(row), row] as const))(
  "%s: a wrong value gives the fault that stands there",
  (name, [, given = "", fault = ""]) => {
    const [value = ""] = codesIn(given);
    const identity = name.startsWith("AzureWebJobsStorage__");
    const host = identity ? { AzureWebJobsStorage__accountName: "stpinion" } : base;
    const { config, faults } = readSettings({ ...host, [name]: value });
    expect(config).toBeUndefined();
    expect(faults).toEqual([
      expect.stringMatching(new RegExp(`^${name}: ${fault.replaceAll(/[.*+?^$()[\]\\|]/g, "\\$&")}`)),
    ]);
  },
);

test("a wrong value is there for each", () => {
  const identity = platformSettingNames.filter((name) => name.startsWith("AzureWebJobsStorage__"));
  expect(wrong.map(first)).toEqual([...settingNames, ...identity]);
});

test("the parts of storage: their examples are taken, alone or together", () => {
  const parts = tableOf(page, "part").map((row) => [first(row), codesIn(row[2] ?? "")[0] ?? ""] as const);
  const of = (name: string, wanted: (part: string) => boolean) =>
    Object.fromEntries(parts.filter(([part]) => wanted(part)).map(([part, value]) => [`${name}${part}`, value]));
  for (const name of ["AzureWebJobsStorage", "PINION_STORAGE"]) {
    for (const wanted of [(part: string) => part === "__accountName", (part: string) => part.endsWith("Uri")])
      expect(readSettings({ ...(name === "PINION_STORAGE" && base), ...of(name, wanted) }).faults).toEqual([]);
  }
  expect(readSettings({ ...base, ...of("PINION_EVIDENCE", (part) => part === "__blobServiceUri") }).faults).toEqual([]);
});

const root = join(import.meta.dirname, "..", "..");
const deployed = globSync("infra/**/app-settings.bicep", { cwd: root });

test.skipIf(deployed.length === 0)("what the deployment sets is on the page", () => {
  const set = deployed.flatMap((file) =>
    [...readFile(file.replaceAll("\\", "/")).matchAll(/^\s+\b([A-Z][A-Za-z]*_\w+):/gm)].map(([, name]) => name ?? ""),
  );
  const known = (name: string) =>
    (platformSettingNames as readonly string[]).includes(name) ||
    settingNames.some((one) => name === one || storageParts.some((part) => name === `${one}__${part}`));
  expect(set.length).toBeGreaterThan(10);
  expect(set.filter((name) => !known(name))).toEqual([]);
});
