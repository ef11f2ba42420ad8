import { existsSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { help, parseOptions } from "../../local/vault/cli/options.ts";
import { controlRoutes } from "../../local/vault/control-routes.ts";
import { operations } from "../../local/vault/operations.ts";
import { nameFault } from "../../local/vault/options.ts";
import { findRole } from "../../local/vault/roles.ts";
import { blocksOf, proseOf, readFile } from "./page.ts";

// Everything that docs/local-vault.md names exists.

const page = readFile("docs/local-vault.md");
const prose = proseOf(page);
const shell = blocksOf(page).filter(({ language }) => language === "sh");
const scripts = (JSON.parse(readFile("package.json")) as { scripts: Record<string, string> }).scripts;
const flagsOf = (text: string) => new Set([...text.matchAll(/(?<![\w-])--[a-z][a-z-]+/g)].map(([flag]) => flag));
const rows = (text: string) =>
  [...text.matchAll(/^\| (.+) \|$/gm)].map(([, row]) => row!.split(" | ")).filter(([first]) => first !== "---");
const section = (title: string) => {
  const begin = page.indexOf(`\n## ${title}\n`);
  if (begin < 0) throw new Error(`The page has no section ${title}.`);
  return page.slice(begin + 1).split(/\n(?=## )/)[0]!;
};

/** What a shell makes of the words after `npm run vault --`. */
function argumentsOf(line: string): readonly string[] {
  const { stdout } = spawnSync("bash", ["-c", `npm() { shift 3; printf '%s\\0' "$@"; }; ${line}`], {
    encoding: "utf8",
  });
  return stdout.split("\0").slice(0, -1);
}

test("the commands: npm scripts that are there, options that are taken", () => {
  const named = [...page.matchAll(/npm (?:run )?([\w:]+)/g)]
    .map(([, name]) => name!)
    .filter((name) => !/^(ci|run)$/.test(name));
  expect(named).toContain("bench:vault");
  for (const name of named) expect(Object.keys(scripts)).toContain(name);
  const starts = shell.flatMap(({ text }) => text.split("\n")).filter((line) => line.includes("npm run vault"));
  expect(starts.length).toBeGreaterThanOrEqual(6);
  for (const line of starts) {
    const options = parseOptions(argumentsOf(line.replace("npm ci && ", "")));
    expect([line, typeof options]).toEqual([line, "object"]);
  }
});

test("the options: all of those that --help lists, and no others", () => {
  const listed = flagsOf(
    rows(section("Start"))
      .map(([first]) => first)
      .join(" "),
  );
  expect(listed).toEqual(flagsOf(help));
  const others = new Set(["--json"]);
  for (const flag of flagsOf(prose)) expect([...flagsOf(help), ...others]).toContain(flag);
});

test("the controls, by method and path", () => {
  const known = controlRoutes.map(({ method, path }) => `${method} ${path.replace(":name", "*")}`);
  const lines = shell.flatMap(({ text }) => text.split("\n")).filter((line) => line.includes("/_emulator/"));
  const asked = lines.map((line) => {
    const method = /-X (\w+)/.exec(line)?.[1] ?? (line.includes("--json") ? "POST" : "GET");
    return `${method} ${/_emulator\/([\w/-]*)/.exec(line)![1]!.replace(/^snapshots\/\w+/, "snapshots/*")}`;
  });
  const written = [...prose.matchAll(/`([A-Z]+) \/_emulator\/([^`]+)`/g)].map(
    ([, method, path]) => `${method} ${path!.replace(/\{\w+\}/, "*")}`,
  );
  for (const one of [...asked, ...written].filter((name) => name !== "GET ")) expect(known).toContain(one);
  const shown = new Set([...asked, ...written].map((one) => one.split(/[ /]/)[1]));
  for (const one of known) expect([...shown], "every control is shown").toContain(one.split(/[ /]/)[1]);
});

test("the operations: all that there are, under the names that faults and the log use", () => {
  const there = new Set(operations.map(({ operation, method, path }) => `${operation} ${method} /${path}`));
  const listed = rows(section("What is there"))
    .slice(1)
    .flatMap(([request = "", operation = ""]) => {
      const [, method = "", path = ""] = /^`(\w+) (.+)`$/.exec(request) ?? [];
      const name = /^`([\w{}.]+)`/.exec(operation)?.[1] ?? "";
      const paths = path.includes("[") ? [path.replace(/\[.*?\]/, ""), path.replace(/[[\]]/g, "")] : [path];
      const kinds = path.includes("{kind}") ? ["secret", "key", "certificate"] : [""];
      return kinds.flatMap((kind) =>
        paths.map((one) => `${name} ${method} ${one}`.replaceAll("{kind}", kind).replace(/\{(\w+)\}/g, ":$1")),
      );
    });
  expect(new Set(listed)).toEqual(there);
  expect(listed.length, "each once").toBe(there.size);
});

test("names of vaults and roles are such as Azure takes; links and variables lead somewhere", () => {
  const vaults = [...page.matchAll(/\bkv-[\w-]+/g)].map(([name]) => name);
  for (const name of vaults) expect(nameFault(name)).toBeUndefined();
  const roles = /built-in roles \(Key Vault (.+?) and others\)/.exec(prose)?.[1]?.split(", ") ?? [];
  expect(roles.length).toBeGreaterThanOrEqual(8);
  for (const role of roles) expect([role, findRole(role) !== undefined]).toEqual([role, true]);
  for (const [, target = ""] of page.matchAll(/\]\(([^)]+)\)/g)) {
    const [path = "", anchor] = target.split("#");
    const text = path ? readFile(`docs/${path}`) : page;
    const anchors = [...text.matchAll(/^#+ (.+)$/gm)].map(([, title]) => title!.toLowerCase().replaceAll(" ", "-"));
    if (anchor !== undefined) expect(anchors).toContain(anchor);
  }
  expect(readFile("local/vault/vault-key.ts")).toContain('"PINION_VAULT_KEY"');
  for (const file of ["README.md", "CHANGELOG.md"]) expect(readFile(file)).toContain("docs/local-vault.md");
  expect(existsSync(fileURLToPath(new URL("../../bench/vault.ts", import.meta.url)))).toBe(true);
});
