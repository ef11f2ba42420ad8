import { existsSync, globSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { appRoles } from "../../infra/entra/wish.ts";
import { findRole } from "../../local/vault/roles.ts";
import { settingNames } from "../../src/config.ts";
import { blocksOf, proseOf, readFile } from "./page.ts";

// Whatever a page names exists: pages and headings it links to, files, routes, settings, error codes, events, scripts.

const root = fileURLToPath(new URL("../..", import.meta.url));
const files = (pattern: string) => globSync(pattern, { cwd: root }).map((path) => path.replaceAll("\\", "/"));
const pages = [...files("docs/**/*.md"), "README.md", "SECURITY.md", "CONTRIBUTING.md"].toSorted();
const sources = [...files("src/**/*.ts"), ...files("rotators/**/*.ts"), ...files("local/**/*.ts")];
const code = sources.map((path) => readFile(path)).join("\n");
const codes = new Set([...readFile("src/errors.ts").matchAll(/^ {2}\| "(\w+)"/gm)].map(([, one]) => one));
const routes = [...readFile("src/main.ts").matchAll(/^(?:api|http)\("[\w-]+", "(\w+)", "([^"]+)"/gm)].map(
  ([, method, path]) => `${method} /api/${path}`,
);
const scripts = Object.keys((JSON.parse(readFile("package.json")) as { scripts: object }).scripts);

const cli = [
  ...readFile("src/cli/run.ts").matchAll(/usage: "(\w+)/g),
  // Those with a file of their own.
  ...files("src/cli/*.ts").flatMap((path) => [...path.matchAll(/(\w+)\.ts$/g)]),
].map(([, command]) => command);
/** What the command line reads of its environment. */
const terminal = files("src/cli/*.ts")
  .map((path) => readFile(path))
  .join("\n");
/** What deployments and pipelines name: variables, queues, containers. */
const deployed = [
  ...files("infra/**/*.{bicep,bicepparam,json}"),
  ...files(".github/workflows/*.yml"),
  "azure-pipelines.yml",
]
  .map((path) => readFile(path))
  .join("\n");

const headings = (page: string) =>
  [...proseOf(page).matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, "")
      .replaceAll(" ", "-"),
  );
const linksOf = (page: string) =>
  [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, to]) => to!).filter((to) => !/^(https?|mailto):/.test(to));
const inTicks = (page: string) => [...proseOf(page).matchAll(/`([^`\n]+)`/g)].map(([, text]) => text!);

/** A route as it is registered, or with a value in the place of each parameter. */
const isRoute = (asked: string) =>
  routes.some((one) => one === asked || new RegExp(`^${one.replaceAll(/\{\w+\}/g, "[\\w-]+")}$`).test(asked));

test("there is something to look at", () => {
  expect(pages.length).toBeGreaterThan(20);
  expect(codes.size).toBeGreaterThan(60);
  expect(routes).toContain("POST /api/rotations/{id}/certificate");
});

describe.each(pages)("%s", (path) => {
  const page = readFile(path);

  test("its links lead somewhere", () => {
    for (const link of linksOf(page)) {
      const [to = "", anchor] = link.split("#");
      const target = to === "" ? path : posix.join(dirname(path), to);
      expect([link, existsSync(join(root, target))]).toEqual([link, true]);
      if (anchor !== undefined) expect(headings(readFile(target))).toContain(anchor);
    }
  });

  test("files and npm scripts are there", () => {
    const named = inTicks(page).filter((text) =>
      /^(src|rotators|local|test|docs|bench|scripts|infra|\.github|\.azuredevops)\/[\w./*-]+$/.test(text),
    );
    for (const name of named) expect([name, name.includes("*") || existsSync(join(root, name))]).toEqual([name, true]);
    for (const [, script] of page.matchAll(/npm run ([\w:]+)/g)) expect(scripts).toContain(script);
    for (const [, command] of page.matchAll(/npm run pinion -- ([a-z]+)/g)) expect(cli).toContain(command);
  });

  test("its routes are the app's", () => {
    const asked = [...page.matchAll(/\b(GET|POST|PUT|PATCH|DELETE) (\/api\/[\w/{}-]+)/g)].map(([route]) => route);
    const lines = blocksOf(page).flatMap(({ text }) => text.split("\n"));
    const called = lines
      .filter((line) => line.includes("curl ") && line.includes("/api/"))
      .map((line) => {
        const method = /-X (\w+)/.exec(line)?.[1] ?? (/--json|--data|-d /.test(line) ? "POST" : "GET");
        return `${method} ${/\/api\/[\w/{}-]+/.exec(line)![0]}`;
      });
    for (const route of [...asked, ...called]) expect([route, isRoute(route)]).toEqual([route, true]);
  });

  test("its codes, settings, events and tags are real", () => {
    const words = inTicks(page).filter((text) => /^[A-Z]+(_[A-Z]+)+$/.test(text));
    const known = (word: string) =>
      codes.has(word) ||
      (settingNames as readonly string[]).includes(word) ||
      code.includes(`"${word}"`) ||
      deployed.includes(word) ||
      terminal.includes(word) ||
      blocksOf(page).some(({ text }) => text.includes(`$${word}`));
    for (const word of words) expect([word, known(word)]).toEqual([word, true]);
    for (const [, event] of proseOf(page).matchAll(/Pinion\.Rotation\.(\w+)/g))
      expect([event, code.includes(`"${event}"`)]).toEqual([event, true]);
    for (const mark of inTicks(page).filter((one) => /^pinion-[a-z-]+$/.test(one)))
      expect([mark, code.includes(mark) || deployed.includes(mark)]).toEqual([mark, true]);
  });
});

test("roles that pages name are real: those of the app, and Key Vault's own", () => {
  for (const page of pages.map(readFile)) {
    for (const [, role] of proseOf(page).matchAll(/`(Pinion\.(?!Rotation)\w+)`/g))
      expect(Object.keys(appRoles)).toContain(role);
    for (const [, role] of proseOf(page).matchAll(/\*(Key Vault [\w ]+)\*/g))
      expect([role, findRole(role!)?.name]).toEqual([role, role]);
  }
});

test("every page is reached from the README", () => {
  const reached = new Set<string>();
  const open = ["README.md"];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    for (const link of linksOf(readFile(path))) {
      const target = posix.join(dirname(path), link.split("#")[0] ?? "");
      if (target.endsWith(".md") && pages.includes(target)) open.push(target);
      else open.push(...pages.filter((page) => dirname(page) === target));
    }
  }
  expect(pages.filter((page) => !reached.has(page))).toEqual([]);
});
