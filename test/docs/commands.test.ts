import { execFile } from "node:child_process";
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { HttpRequest } from "@azure/functions";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseOptions as readEntra } from "../../infra/entra/options.ts";
import { parseOptions as readDev } from "../../local/dev/options.ts";
import { parseConfig } from "../../src/config.ts";
import { callerOf, may } from "../../src/triggers/api/caller.ts";
import { type Bench, openBench } from "../e2e/app.ts";
import { root } from "../pipelines/checks.ts";
import { blocksOf, codesIn, proseOf, readFile, tableOf } from "./page.ts";
import { cloudFault, commandsOf, settable } from "./shell.ts";

// Every command of the pages: run on the local cloud, or, where it needs Azure, looked at as far as that goes.

/** Pages whose commands another test runs or reads. */
const elsewhere: Readonly<Record<string, string>> = {
  "docs/certificates.md": "test/docs/pages.test.ts",
  "docs/local-vault.md": "test/docs/local-vault.test.ts",
  "docs/rotators/certificate-manual.md": "test/docs/certificate-manual.test.ts",
};
const pages = ["README.md", "CONTRIBUTING.md", ...globSync("docs/**/*.md", { cwd: root })].toSorted();
const linesOf = (page: string) =>
  blocksOf(readFile(page))
    .filter(({ language }) => language === "sh")
    .flatMap(({ text, line }) =>
      text
        .trim()
        .split("\n")
        .map((command, at) => ({ page, line: line + at + 1, command })),
    );
const lines = pages.filter((page) => !Object.hasOwn(elsewhere, page)).flatMap(linesOf);
const having = (pattern: RegExp) => lines.filter(({ command }) => pattern.test(command));

/** What changes this machine or asks a registry; the README's are what CI and test/e2e/start.test.ts do. */
const plain =
  /^(npm ci|npm ci && npm start|npm cit|npm run build|git pull|cd dist\/app && zip -qr \.\.\/app\.zip \. && cd \.\.\/\.\.)$/;
const pinion = /^npm run (?:-s )?pinion -- /;
const values: Readonly<Record<string, string>> = {
  MY_OBJECT_ID: "33333333-3333-4333-8333-333333333333",
  TENANT_ID: "11111111-1111-4111-8111-111111111111",
  PINION_IDENTITY_PRINCIPAL_ID: "22222222-2222-4222-8222-222222222222",
  TOPIC_ID:
    "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg/providers/Microsoft.EventGrid/systemTopics/kv",
};
const filled = (command: string) => command.replaceAll(/\$\{?(\w+)\}?/g, (text, name: string) => values[name] ?? text);
/** The arguments after `--`, as a shell would give them. */
const argumentsOf = (command: string) =>
  [...filled(command.split(" -- ")[1] ?? "").matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare!);

const dir = mkdtempSync(join(tmpdir(), "pinion-commands-"));
mkdirSync(join(dir, "infra"));
const shell = async (command: string, env: Readonly<Record<string, string>> = {}) =>
  await promisify(execFile)("bash", ["-euc", command.replace(/> infra\//, `> ${dir}/infra/`)], {
    cwd: root,
    env: { ...process.env, ...values, ...env },
  }).then(
    ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
    (error: { code: number; stdout: string; stderr: string }) => ({
      code: error.code,
      out: error.stdout,
      err: error.stderr,
    }),
  );
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test("every command is known to be one of those below", () => {
  const unknown = lines.filter(
    ({ command }) =>
      commandsOf(command).length === 0 &&
      !plain.test(command) &&
      !/^(npm run (-s )?(pinion|entra|dev) -- |eval "\$\(npm run -s outputs -- |curl |export [A-Z_]+=)/.test(command) &&
      !/^npm run pinion -- \w+$/.test(command),
  );
  expect(unknown).toEqual([]);
  expect(lines.length).toBeGreaterThan(50);
});

test("those that need Azure: az and azd have them, with these options, and what they name exists", () => {
  expect(
    having(/\b(az|azd) /)
      .flatMap(({ command }) => commandsOf(command).map(cloudFault))
      .filter((fault) => fault !== ""),
  ).toEqual([]);
});

test.each([
  ["az group creat --name x", "no such command"],
  ["az group create --nam x", "--nam is no option"],
  ["az deployment group create --parameters infra/none.bicepparam", "there is no infra/none.bicepparam"],
  ["azd env set PINION_ORGS x", "nothing reads PINION_ORGS"],
  ["azd fly", "no such command"],
])("a planted fault is found: %s", (command, words) => {
  expect(cloudFault(command)).toContain(words);
});

test.each(having(/^npm run entra -- /).map(({ command }) => [command]))("%s", async (command) => {
  expect(readEntra(argumentsOf(command)).name).toBe("pinion-dev");
  if (command.includes("--print"))
    expect(await shell(command)).toMatchObject({ code: 0, out: expect.stringContaining("az rest") });
});

test.each(having(/^npm run dev -- /).map(({ command }) => [command]))("%s", (command) => {
  expect(readDev(argumentsOf(command)).vault).toBe("https://kv-contoso-orders-dev.vault.azure.net");
});

test.each(having(/^npm run -s pinion -- onboard/).map(({ page, line, command }) => [page, line, command] as const))(
  "%s, line %i: %s",
  async (_page, _line, command) => {
    expect(await shell(command)).toMatchObject({ code: 0 });
    expect(readFileSync(join(dir, "infra/onboard-orders.bicepparam"), "utf8")).toContain("using 'onboard.bicep'");
  },
);

test("every variable of a command is told of: set by the page, put out by the deployment, or named in its text", () => {
  const outputs = [...readFile("infra/main.bicep").matchAll(/^output (\w+)/gm)].map(([, name]) => name);
  const untold = lines.flatMap(({ page, command }) => {
    const set = [...readFile(page).matchAll(/\b([A-Z][A-Z_]+)="?[$\w]|azd env set (\w+)/g)].flatMap(([, one, two]) => [
      one,
      two,
    ]);
    const named = codesIn(proseOf(readFile(page))).map((code) => code.replace(/^\$/, ""));
    return [...command.matchAll(/\$\{?([A-Z][A-Z_]+)/g)]
      .map(([, name]) => name!)
      .filter((name) => ![...outputs, ...set, ...named].includes(name))
      .map((name) => `${page}: ${name}`);
  });
  expect([...new Set(untold)]).toEqual([]);
});

test("what pages export is read: by the parameter files, or by the command line", () => {
  const exported = having(/^export /).map(({ command }) => /^export (\w+)/.exec(command)![1]!);
  expect(exported).toContain("PINION_TOKEN");
  const cli = globSync("src/cli/*.ts", { cwd: root }).map(readFile).join();
  for (const name of exported) expect([name, settable(name) || cli.includes(name)]).toEqual([name, true]);
});

test("each environment of azd that pages make has a preset", () => {
  const presets = [...readFile("infra/presets.bicep").matchAll(/^ {2}(\w+): \{$/gm)].map(([, name]) => name);
  const made = pages.flatMap((page) =>
    blocksOf(readFile(page)).flatMap(({ text }) => {
      const [, name] = /azd env new (\S+)/.exec(text) ?? [];
      return name === undefined ? [] : [/azd env set PINION_ENVIRONMENT (\S+)/.exec(text)?.[1] ?? name];
    }),
  );
  expect(made).toEqual(["dev", "prod"]);
  for (const name of made) expect(presets).toContain(name);
});

test("the call that tells whether authentication stands in front is one that the app would believe", async () => {
  const [call] = having(/x-ms-client-principal/);
  const [, header = ""] = /-H "x-ms-client-principal: (.+)"$/.exec(call!.command) ?? [];
  const headers = { "x-ms-client-principal": (await shell(`printf %s "${header}"`)).out };
  const access = parseConfig({ AzureWebJobsStorage: "UseDevelopmentStorage=true", WEBSITE_AUTH_ENABLED: "true" });
  const actor = callerOf(new HttpRequest({ method: "GET", url: "https://app.example", headers }), access);
  expect(may(actor!, "command", access)).toBe(true);
});

test("the parameters that deploy.md tells of are the template's", () => {
  const parameters = [...readFile("infra/main.bicep").matchAll(/^param (\w+)/gm)].map(([, name]) => name);
  const told = tableOf(readFile("docs/deploy.md"), "parameter").flatMap(([first = ""]) => codesIn(first));
  expect(told.length).toBeGreaterThan(4);
  for (const name of told) expect(parameters).toContain(name);
});

describe("on the local cloud", () => {
  let bench: Bench;
  beforeAll(async () => void (bench = await openBench()), 120_000);
  afterAll(() => bench?.close());

  const ours = having(pinion).filter(({ command }) => !command.includes(" onboard "));

  /** Runs one as a person would, with what the page has put into the shell. */
  async function ask(command: string) {
    const { rotationId = "r-none" } = await bench.show("orders-db");
    // As the page says: what the sweep has looked up.
    const { version: VERSION = "" } = (await bench.show("orders-db")).report?.current ?? {};
    return await shell(command, {
      PINION_URL: `${bench.host.url}/api`,
      PINION_KEY: bench.host.key,
      ROTATION_ID: rotationId,
      VERSION,
    });
  }

  test("deploy.md from the first look at the rotations to the rollback", async () => {
    await bench.sweep();
    const page = ours.filter((one) => one.page === "docs/deploy.md" && !one.command.includes(" doctor"));
    const last = page.findIndex(({ command }) => command.includes(" rollback "));
    expect(last).toBeGreaterThan(3);
    for (const { command } of page.slice(0, last + 1))
      expect([command, (await ask(command)).code]).toEqual([command, 0]);
    const end = (await bench.show("orders-db")).rotationId ?? "";
    expect(await bench.end("orders-db", end)).toMatchObject({ outcome: "rolled-back" });
    expect((await ask(`npm run pinion -- evidence "$ROTATION_ID"`)).out).toContain("to have seen it");
  });

  // Whatever the object's state, the app was asked and answered in words; nothing was misunderstood.
  test.each(ours.map(({ page, line, command }) => [page, line, command] as const))(
    "%s, line %i: %s",
    async (_page, _line, command) => {
      const { code, err } = await ask(command);
      expect([command, code, err]).toEqual([
        command,
        expect.toSatisfy((one: number) => one <= 1),
        expect.not.stringMatching(/could not be done|npm run pinion -- </),
      ]);
    },
  );
});

test("the runbook knows each alert, and no other", () => {
  const alerts = globSync("infra/alerts/*.kql", { cwd: root }).map((file) => basename(file, ".kql"));
  const page = readFile("docs/runbook.md");
  expect(
    tableOf(page, "alert")
      .flatMap(([first = ""]) => codesIn(first))
      .toSorted(),
  ).toEqual(alerts.toSorted());
  for (const [, name] of page.matchAll(/the alert `([\w-]+)`/g)) expect(alerts).toContain(name);
});

test("addresses that curl calls are routes", () => {
  const main = readFile("src/main.ts");
  for (const { command } of having(/^curl /)) {
    const [, path = ""] = /\$PINION_URL\/([\w/-]+)/.exec(command) ?? [];
    const method = /-X (\w+)/.exec(command)?.[1] ?? "GET";
    const routes = [...main.matchAll(/"(GET|POST)", "([^"]+)"/g)].map(([, verb, route]) => `${verb} ${route}`);
    expect(
      routes.some((route) => new RegExp(`^${route.replaceAll(/\{\w+\}/g, "[\\w-]+")}$`).test(`${method} ${path}`)),
    ).toBe(true);
  }
});

test("pages whose commands are run elsewhere still have that test", () => {
  for (const [page, file] of Object.entries(elsewhere))
    expect([page, linesOf(page).length > 0, readFile(file).length > 0]).toEqual([page, true, true]);
});
