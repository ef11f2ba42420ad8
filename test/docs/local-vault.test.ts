import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchCli, toldBy } from "../vault/cli.ts";
import type { Told } from "../vault/cli.ts";
import { build, missing, run as runDotnet } from "../vault/dotnet.ts";
import { blocksOf, readFile } from "./page.ts";
import type { Block } from "./page.ts";

// The examples of docs/local-vault.md do what the page says, each against a vault in which nothing has happened yet.

const blocks = blocksOf(readFile("docs/local-vault.md"));
const commands = blocks.filter(({ language, text }) => language === "sh" && text.includes("curl "));
const snippets = (language: string) => blocks.filter((block) => block.language === language);
const dir = mkdtempSync(join(tmpdir(), "pinion-docs-"));
const count = 24;
const names = Array.from({ length: count }, (_, at) => ["--vault", `kv-page-${at}`]).flat();
const vaults: ReturnType<typeof launchCli>[] = [];
let started: { readonly any: Told; readonly strict: Told };
let used = 0;

beforeAll(async () => {
  const options = [[], ["--auth", "strict"]];
  vaults.push(...options.map((more, at) => launchCli(["--port=0", "--json", ...names, ...more], join(dir, `${at}`))));
  const [any, strict] = await Promise.all(vaults.map(toldBy));
  started = { any: any!, strict: strict! };
}, 120_000);

afterAll(async () => {
  for (const { child } of vaults) child.kill();
  await Promise.all(vaults.map(({ exit }) => exit));
  rmSync(dir, { recursive: true, force: true });
});

/** The environment that the start prints, with a fresh vault. */
function environmentFor({ notes }: Pick<Block, "notes">): NodeJS.ProcessEnv {
  const told = notes["with"] === "--auth strict" ? started.strict : started.any;
  used += 1;
  expect(used).toBeLessThan(count);
  const fresh = { AZURE_KEYVAULT_URL: told.vaults[`kv-page-${used}`], OBJECT_ID: told.identities[0]?.objectId };
  return { ...process.env, ...told.environment, ...fresh };
}

async function execute(command: string, args: readonly string[], env: NodeJS.ProcessEnv) {
  const child = spawn(command, args, {
    env,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 120_000,
    killSignal: "SIGKILL",
  });
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, out, err };
}

test("the page has commands and snippets", () => {
  expect(commands.length).toBeGreaterThanOrEqual(9);
  expect(snippets("js")).toHaveLength(2);
  for (const language of ["csharp", "python", "java"]) expect(snippets(language)).toHaveLength(1);
});

test.each(commands.map((block) => [block.line, block] as const))("curl, line %i", async (_, block) => {
  const lines = block.text.split("\n").filter((line) => line.includes("curl "));
  const tell = `curl() { command curl --silent --show-error --max-time 30 --write-out '%{stderr}status %{http_code}\\n' "$@"; }`;
  const { code, err } = await execute("bash", ["-euc", `${tell}\n${block.text}`], environmentFor(block));
  const statuses = [...err.matchAll(/^status (\d+)$/gm)].map(([, status]) => Number(status));
  const told = block.notes["answers"]?.split(" ").map(Number);
  expect({ code, statuses, err: err.replace(/^status \d+\n/gm, "") }).toEqual({
    code: 0,
    statuses: told ?? lines.map(() => expect.toSatisfy((status: number) => status >= 200 && status < 300)),
    err: "",
  });
});

test.each(snippets("js").map((block) => [block.line, block] as const))("JavaScript, line %i", async (line, block) => {
  const folder = join(dir, `js-${line}`);
  mkdirSync(folder);
  symlinkSync(fileURLToPath(new URL("../../node_modules", import.meta.url)), join(folder, "node_modules"), "dir");
  writeFileSync(join(folder, "snippet.mjs"), block.text);
  const { code, out, err } = await execute(process.execPath, [join(folder, "snippet.mjs")], environmentFor(block));
  expect({ code, out, err }).toEqual({ code: 0, out: "correct horse\n", err: "" });
});

const noDotnet = missing();

test.skipIf(noDotnet !== undefined && !process.env["CI"])(
  `.NET${noDotnet === undefined ? "" : ` (not here: ${noDotnet})`}`,
  async () => {
    const [block] = snippets("csharp");
    const folder = join(dir, "dotnet");
    mkdirSync(folder);
    for (const file of ["VaultChecks.csproj", "packages.lock.json"]) {
      copyFileSync(fileURLToPath(new URL(`../vault/dotnet/${file}`, import.meta.url)), join(folder, file));
    }
    writeFileSync(join(folder, "Program.cs"), block!.text);
    await build(join(dir, "dotnet-out"), folder);
    const { AZURE_KEYVAULT_URL, SSL_CERT_FILE } = environmentFor(block!);
    const program = join(dir, "dotnet-out/bin/VaultChecks/debug/VaultChecks.dll");
    const { exitCode, out, err } = await runDotnet([program], {
      AZURE_KEYVAULT_URL: AZURE_KEYVAULT_URL!,
      SSL_CERT_FILE: SSL_CERT_FILE!,
    });
    expect({ exitCode, out, err }).toEqual({ exitCode: 0, out: "correct horse\n", err: "" });
  },
  300_000,
);

const python = ["python3", "/usr/bin/python3"].find(
  (one) => spawnSync(one, ["-c", "import azure.keyvault.secrets"]).status === 0,
);

test.skipIf(python === undefined && process.env["CI"] === undefined)(
  `Python${python === undefined ? " (not here: its libraries are not installed)" : ""}`,
  async () => {
    const [block] = snippets("python");
    const file = join(dir, "snippet.py");
    writeFileSync(file, block!.text);
    const { code, out, err } = await execute(python!, [file], environmentFor(block!));
    expect({ code, out, err }).toEqual({ code: 0, out: "correct horse\n", err: "" });
  },
);
