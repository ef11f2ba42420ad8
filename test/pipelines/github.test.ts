import { readFileSync, globSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { hasShellcheck, missing, root, shellFault } from "./checks.ts";
import { faultsOf } from "./workflow-parser.ts";

// The workflows, by GitHub's own parser and by our rules: nothing but what is needed, everything pinned, no secret.

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}
interface Job {
  readonly uses?: string;
  readonly steps?: readonly Step[];
  readonly permissions?: Readonly<Record<string, string>>;
  readonly "timeout-minutes"?: number;
}
interface Workflow {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
}

const files = globSync(".github/workflows/*.yml", { cwd: root }).toSorted();
const text = (file: string): string => readFileSync(join(root, file), "utf8");

/** What our rules have against it. */
function oddities(content: string): readonly string[] {
  const { permissions, jobs } = parse(content) as Workflow;
  const found: string[] = [];
  if (permissions === undefined || Object.keys(permissions).length > 0) found.push("permissions at the top are not {}");
  if (/\bsecrets\b/.test(content.replaceAll(/^\s*#.*$/gm, ""))) found.push("it names secrets");
  for (const [id, job] of Object.entries(jobs)) {
    const logsIn =
      job.uses?.includes("/deploy-") === true || (job.steps ?? []).some(({ uses }) => uses?.startsWith("azure/login@"));
    const allowed = { contents: "read", ...(logsIn && { "id-token": "write" }) };
    if (JSON.stringify(job.permissions) !== JSON.stringify(allowed))
      found.push(`${id}: permissions ${JSON.stringify(job.permissions)}`);
    if (job.uses === undefined && job["timeout-minutes"] === undefined) found.push(`${id}: no timeout`);
    if (job.uses !== undefined && !job.uses.startsWith("./"))
      found.push(`${id}: ${job.uses} is not of this repository`);
    for (const { uses, run, with: inputs } of job.steps ?? []) {
      if (uses !== undefined && !/^[\w-]+\/[\w-]+@[0-9a-f]{40}$/.test(uses)) found.push(`${id}: ${uses} is not pinned`);
      if (uses?.startsWith("actions/checkout@") && inputs?.["persist-credentials"] !== false)
        found.push(`${id}: the checkout keeps its token`);
      if (run === undefined) continue;
      // A value put into a script by the expression is a way in for whoever sets it.
      if (run.includes("${{")) found.push(`${id}: an expression in a script`);
      const fault = shellFault(run);
      if (fault !== undefined) found.push(`${id}: ${fault}`);
    }
  }
  for (const line of content.split("\n"))
    if (line.includes("uses: ") && !line.includes("uses: ./") && !/@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line))
      found.push(`no version beside it: ${line.trim()}`);
  return [...found, ...missing(content)];
}

test("there are workflows", () => {
  expect(files.map((file) => file.split("/").at(-1))).toEqual(["ci.yml", "deploy-environment.yml", "deploy.yml"]);
});

describe.each(files)("%s", (file) => {
  test("GitHub's parser takes it", async () => {
    expect(await faultsOf(file, text(file))).toEqual([]);
  });

  test("it has what it needs, and no more", () => {
    expect(oddities(text(file))).toEqual([]);
  });
});

const ci = () => text(".github/workflows/ci.yml");
const deploy = () => text(".github/workflows/deploy.yml");

test("what pull requests run has no identity but that of the preview", () => {
  const { jobs } = parse(deploy()) as { jobs: Record<string, { if?: string; needs?: string; environment?: string }> };
  const onPullRequests = Object.entries(jobs).filter(
    ([, job]) => job.needs === undefined && !job.if?.includes("!= 'pull_request'"),
  );
  expect(onPullRequests.map(([id, job]) => [id, job.environment])).toEqual([["preview", "preview"]]);
  expect(onPullRequests[0]?.[1].if).toContain("head.repo.full_name == github.repository");
});

test("nothing is built or deployed before the checks have passed", () => {
  const { jobs } = parse(deploy()) as { jobs: Record<string, { uses?: string; needs?: string; if?: string }> };
  expect(jobs["check"]?.uses).toBe("./.github/workflows/ci.yml");
  const { on } = parse(ci()) as { on: object };
  expect(Object.keys(on)).toContain("workflow_call");
  // A condition of its own would let a job run although the one before it failed: always(), !cancelled().
  const { check: _, preview: __, ...rest } = jobs;
  const after = Object.entries(rest).map(([id, job]) => [id, job.needs, job.if]);
  expect(after).toEqual([
    ["package", "check", undefined],
    ["dev", "package", undefined],
    ["test", "dev", undefined],
    ["prod", "test", undefined],
  ]);
});

const asked = () =>
  globSync("infra/*.bicepparam", { cwd: root })
    .filter((file) => !/\/onboard[^/]*$/.test(file))
    .flatMap((file) => [...text(file).matchAll(/readEnvironmentVariable\('(\w+)'/g)].map(([, name]) => name!));
type Env = Readonly<Record<string, string>>;
const deployed = () =>
  (parse(text(".github/workflows/deploy-environment.yml")) as { jobs: { deploy: { env: Env } } }).jobs.deploy.env;

test("a deployment is given every variable that the parameter files read", () => {
  expect(Object.keys(deployed())).toEqual(expect.arrayContaining([...new Set(asked())]));
  expect(asked()).toContain("PINION_ORG");
});

test("a preview is given what the deployment is given: else it tells of another cloud, plan or network", () => {
  const { jobs } = parse(deploy()) as { jobs: { preview: { steps: { env?: Env }[] } } };
  const [env = {}] = jobs.preview.steps.flatMap((step) => (step.env === undefined ? [] : [step.env]));
  // Its environment is dev, whose file names it.
  const needed = [...new Set(asked())].filter((name) => !/^(AZURE_ENV_NAME|PINION_ENVIRONMENT)$/.test(name));
  expect(Object.fromEntries(needed.map((name) => [name, env[name]]))).toEqual(
    Object.fromEntries(needed.map((name) => [name, deployed()[name]])),
  );
});

test.each([
  ["a key that is not there", ci().replace("timeout-minutes", "timeout-minuts"), "timeout-minuts"],
  ["an expression that is none", ci().replace("github.ref }}", "github.ref == }}"), "expression"],
  [
    "a context that a key does not know",
    deploy().replace("environment: preview", "environment: ${{ steps.x }}"),
    "steps",
  ],
  ["a job that waits for nobody", deploy().replace("needs: dev", "needs: nobody"), "nobody"],
])("GitHub's parser finds a planted fault: %s", async (_, planted, words) => {
  expect(planted).not.toBe(ci());
  expect((await faultsOf("planted.yml", planted)).join("\n")).toContain(words);
});

test.skipIf(!hasShellcheck && process.env["CI"] !== "true")(
  "shellcheck looks at scripts, where it is installed",
  () => {
    expect(shellFault('cd "$HOME"; rm $name')).toContain("SC");
  },
);

test.each([
  ["more rights", ci().replace("contents: read", "contents: write"), "permissions"],
  ["rights for all", ci().replace("permissions: {}", "permissions:\n  contents: write"), "at the top"],
  ["a tag instead of a commit", ci().replace(/checkout@\w+ # v7.0.1/, "checkout@v7"), "not pinned"],
  [
    "a secret",
    ci().replace("run: .ci/run", "run: .ci/run\n        env:\n          T: ${{ secrets.TOKEN }}"),
    "secrets",
  ],
  ["a token that stays", ci().replace("persist-credentials: false", "persist-credentials: true"), "keeps its token"],
  ["an expression in a script", ci().replace("run: .ci/run", "run: echo ${{ github.head_ref }}"), "in a script"],
  ["a script that is none", ci().replace("run: .ci/run", "run: if true; then echo"), "syntax error"],
  ["a file that is not there", ci().replace(".ci/run\n", ".ci/walk\n"), ".ci/walk"],
  ["a script of npm that is not there", deploy().replace("npm run build", "npm run bild"), "bild"],
  ["a job without end", ci().replace("    timeout-minutes: 180\n", ""), "no timeout"],
])("our rules find a planted fault: %s", (_, planted, words) => {
  expect([ci(), deploy()]).not.toContain(planted);
  expect(oddities(planted).join("\n")).toContain(words);
});
