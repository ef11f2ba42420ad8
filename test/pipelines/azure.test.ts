import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { pipelineSchema, type Stage, type Step, templateSchema } from "./azure-schema.ts";
import { missing, root, shellFault } from "./checks.ts";

// Azure Pipelines by a strict schema of what ours use, and by our rules.

const pipelineFile = "azure-pipelines.yml";
const templateFile = ".azuredevops/environment.yml";
const read = (file: string): string => readFileSync(join(root, file), "utf8");

const stepsOf = (stage: Stage): readonly Step[] =>
  stage.jobs.flatMap((job) => ("steps" in job ? job.steps : job.strategy.runOnce.deploy.steps));

/** What is wrong with a pipeline and its template. */
function oddities(pipeline: string, template: string): readonly string[] {
  const [whole, part] = [pipelineSchema.safeParse(parse(pipeline)), templateSchema.safeParse(parse(template))];
  if (!whole.success || !part.success)
    return [whole, part].flatMap(({ error }) => (error === undefined ? [] : JSON.stringify(error.issues)));
  const found: string[] = [...missing(pipeline), ...missing(template)];
  const own = whole.data.stages.filter((one): one is Stage => "stage" in one);
  for (const step of [...own, ...part.data.stages].flatMap(stepsOf)) {
    const script =
      "bash" in step ? step.bash : "task" in step && step.task === "AzureCLI@2" ? step.inputs.inlineScript : undefined;
    if (script === undefined) continue;
    // Both are put in as text: a value could end the quoting around it.
    if (/\$\{\{|\$\(\w+\)/.test(script)) found.push("an expression in a script");
    const fault = shellFault(script);
    if (fault !== undefined) found.push(fault);
  }
  // Each waits for one that is there, and gets just the parameters that the template has.
  const names = whole.data.stages.map((one) => ("stage" in one ? one.stage : one.parameters["environment"]));
  for (const one of whole.data.stages) {
    const after = "stage" in one ? one.dependsOn : one.parameters["after"];
    if (after !== undefined && !names.includes(after)) found.push(`there is no stage ${after}`);
    if ("stage" in one) continue;
    if (one.template !== templateFile) found.push(`there is no ${one.template}`);
    const declared = part.data.parameters.map(({ name }) => name);
    if (Object.keys(one.parameters).toSorted().join() !== declared.toSorted().join())
      found.push(`parameters of ${one.template}`);
    const allowed = part.data.parameters.find(({ name }) => name === "environment")?.values ?? [];
    if (!allowed.includes(one.parameters["environment"] ?? ""))
      found.push("an environment that the template does not know");
  }
  for (const [, asked] of template.matchAll(/parameters\.(\w+)/g))
    if (!part.data.parameters.some(({ name }) => name === asked)) found.push(`there is no parameter ${asked}`);
  const words = `${pipeline}\n${template}`.replaceAll(/^\s*#.*$/gm, "");
  if (/\b(secret|password|client-?secret|addSpnToEnvironment|System\.AccessToken)\b/i.test(words))
    found.push("it names a secret");
  return found;
}

test("the pipeline and its template", () => {
  expect(oddities(read(pipelineFile), read(templateFile))).toEqual([]);
});

test("dev, test and prod come one after the other, each from the one package", () => {
  const { stages } = pipelineSchema.parse(parse(read(pipelineFile)));
  expect(
    stages.map((one) =>
      "stage" in one ? [one.stage, one.dependsOn] : [one.parameters["environment"], one.parameters["after"]],
    ),
  ).toEqual([
    ["check", undefined],
    ["package", "check"],
    ["dev", "package"],
    ["test", "dev"],
    ["prod", "test"],
  ]);
});

test.each<[what: string, planted: (pipeline: string, template: string) => [string, string], words: string]>([
  ["a key that is not there", (p, t) => [p.replace("timeoutInMinutes", "timeoutInMinuts"), t], "timeoutInMinuts"],
  ["a task of another version", (p, t) => [p, t.replace("AzureCLI@2", "AzureCLI@1")], "task"],
  [
    "a connection of no environment",
    (p, t) => [
      p,
      t.replaceAll("azureSubscription: pinion-${{ parameters.environment }}", "azureSubscription: pinion-prod"),
    ],
    "azureSubscription",
  ],
  [
    "a token that stays",
    (p, t) => [p.replace("persistCredentials: false", "persistCredentials: true"), t],
    "persistCredentials",
  ],
  ["a stage that is not there", (p, t) => [p.replace("after: dev", "after: staging"), t], "there is no stage staging"],
  [
    "an environment that is not there",
    (p, t) => [p.replace("environment: test", "environment: qa"), t],
    "does not know",
  ],
  ["a parameter that is not given", (p, t) => [p.replace("      after: dev\n", ""), t], "parameters of"],
  [
    "a parameter that is not declared",
    (p, t) => [
      p,
      t.replace("pinion-${{ parameters.environment }}\n        pool", "pinion-${{ parameters.env }}\n        pool"),
    ],
    "there is no parameter env",
  ],
  ["a script that is none", (p, t) => [p, t.replace("azd provision --no-prompt", "if azd provision")], "syntax error"],
  [
    "a macro in a script",
    (p, t) => [p.replace("npm ci && npm run build", "npm ci $(args)"), t],
    "an expression in a script",
  ],
  ["a script of npm that is not there", (p, t) => [p.replace("npm run build", "npm run bild"), t], "bild"],
  [
    "a template that is not there",
    (p, t) => [p.replaceAll(".azuredevops/environment.yml", ".azuredevops/environments.yml"), t],
    "there is no .azuredevops/environments.yml",
  ],
  [
    "a secret",
    (p, t) => [
      p,
      t.replace(
        "                    scriptType: bash",
        "                    addSpnToEnvironment: true\n                    scriptType: bash",
      ),
    ],
    "addSpnToEnvironment",
  ],
])("a planted fault is found: %s", (_, planted, words) => {
  const sound: [string, string] = [read(pipelineFile), read(templateFile)];
  const faulty = planted(...sound);
  expect(faulty).not.toEqual(sound);
  expect(oddities(...faulty).join("\n")).toContain(words);
});
