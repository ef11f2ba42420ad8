import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { Compiler, Diagnostic, Place } from "../../../scripts/bicep/compiler.ts";
import type { Resource, Snapshot, Template } from "./arm.ts";
import { bicepLiteral } from "./literal.ts";

export const root = fileURLToPath(new URL("../../..", import.meta.url));

/** What Bicep files read, beside infra/ itself. */
const beside = ["host.json", "host.durable-task-scheduler.json", "azure.yaml", "package.json"];

/** The compiler refuses a template, or its parameters: every error it has, a line each. */
export class Refused extends Error {}

/** A template with parameters: those of a parameter file, if `base` names one, overridden by `params` (undefined takes one away). */
export interface Scenario {
  /** Below the folder, with slashes: `infra/main.bicep`. */
  readonly template: string;
  readonly base?: string;
  readonly params?: Readonly<Record<string, unknown>>;
}

/** Scenarios by their names. */
export type Scenarios = Readonly<Record<string, Scenario>>;

/** One text of one file put in another's place. `find` must be there exactly once. */
export interface Edit {
  readonly file: string;
  readonly find: string;
  readonly put: string;
}

/** The sources of the infrastructure in a folder: the project's own, or a copy with an edit. What is compiled is kept. */
export interface Infra {
  readonly folder: string;
  /** A file's text; what a copy has not is the project's own. */
  read(file: string): string;
  /** The ARM template of a Bicep file. Throws {@link Refused}. */
  compile(file: string): Promise<Template>;
  /** The values that a parameter file gives. Throws {@link Refused}. */
  parameters(file: string): Promise<Record<string, unknown>>;
  /** What a deployment would make, as far as that can be said without Azure. Throws {@link Refused}. */
  predict(scenario: Scenario): Promise<Snapshot>;
}

/** Where every prediction takes place. */
export const place = {
  tenantId: "00000000-0000-0000-0000-0000000000aa",
  subscriptionId: "00000000-0000-0000-0000-0000000000bb",
  resourceGroup: "rg-pinion",
  location: "westeurope",
  deploymentName: "pinion",
} as const;

export function infraIn(folder: string, compiler: Compiler): Infra {
  const kept = new Map<string, Promise<unknown>>();
  const once = <T>(key: string, make: () => Promise<T>): Promise<T> => {
    if (!kept.has(key)) kept.set(key, make());
    return kept.get(key) as Promise<T>;
  };

  const parameters = (file: string) =>
    once(`parameters ${file}`, async () => {
      const { success, diagnostics, parameters } = await compiler.compileParams(join(folder, file));
      if (!success || parameters === undefined) throw refusal(diagnostics);
      const given = (JSON.parse(parameters) as { parameters: Record<string, { value: unknown }> }).parameters;
      return Object.fromEntries(Object.entries(given).map(([name, { value }]) => [name, value]));
    });

  /** A deployment to a subscription has no resource group. */
  function placeOf(template: string): Place {
    const { resourceGroup, ...elsewhere } = place;
    const text = readFileSync(join(folder, template), "utf8");
    return /^targetScope = 'subscription'$/m.test(text) ? elsewhere : { ...elsewhere, resourceGroup };
  }

  async function predict({ template, base, params }: Scenario): Promise<Snapshot> {
    const given = { ...(base === undefined ? {} : await parameters(base)), ...params };
    const dir = mkdtempSync(join(tmpdir(), "pinion-params-"));
    try {
      const file = join(dir, "scenario.bicepparam");
      const values = Object.entries(given).filter(([, value]) => value !== undefined);
      const lines = values.map(([name, value]) => `param ${name} = ${bicepLiteral(value)}`);
      const using = relative(dir, join(folder, template)).split(sep).join("/");
      writeFileSync(file, [`using '${using}'`, ...lines, ""].join("\n"));
      const text = await compiler.snapshot(file, placeOf(template)).catch(async (error: Error) => {
        // Where the template or a value does not compile, the snapshot does not say why.
        const { success, diagnostics } = await compiler.compileParams(file);
        throw success ? new Refused(error.message) : refusal(diagnostics);
      });
      const { predictedResources, outputs = {}, diagnostics: notes = [] } = JSON.parse(text) as RawSnapshot;
      return { resources: predictedResources, outputs, notes };
    } finally {
      rmSync(dir, { recursive: true });
    }
  }

  return {
    folder,
    read: (file) => readFileSync(join(existsSync(join(folder, file)) ? folder : root, file), "utf8"),
    compile: (file) =>
      once(`compile ${file}`, async () => {
        const { success, diagnostics, contents } = await compiler.compile(join(folder, file));
        if (!success || contents === undefined) throw refusal(diagnostics);
        return JSON.parse(contents) as Template;
      }),
    parameters,
    predict: (scenario) => once(`predict ${hash(scenario)}`, () => predict(scenario)),
  };
}

/** A copy of the sources with edits, below a temporary folder. The linter is off there: a removal may well leave something unused. */
export function scratch(edits: readonly Edit[]): { readonly folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), "pinion-infra-"));
  const built = join(root, "infra", "obj");
  cpSync(join(root, "infra"), join(folder, "infra"), { recursive: true, filter: (from) => from !== built });
  for (const file of beside) if (existsSync(join(root, file))) cpSync(join(root, file), join(folder, file));
  writeFileSync(join(folder, "infra/bicepconfig.json"), `{ "analyzers": { "core": { "enabled": false } } }\n`);
  for (const { file, find, put } of edits) {
    const path = join(folder, file);
    const text = readFileSync(path, "utf8");
    const parts = text.split(find);
    if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times, not once: ${find}`);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, parts.join(put));
  }
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

interface RawSnapshot {
  readonly predictedResources: readonly Resource[];
  readonly outputs?: Readonly<Record<string, unknown>>;
  readonly diagnostics?: readonly unknown[];
}

/** Of what JSON says, and of what is undefined too: a parameter that is taken away is not one that the base gives. */
const hash = (value: unknown): string =>
  createHash("sha256")
    .update(JSON.stringify(value, (_, part: unknown) => (part === undefined ? { undefined: true } : part)))
    .digest("hex");

function refusal(diagnostics: readonly Diagnostic[]): Refused {
  const errors = diagnostics.filter(({ level }) => level === "Error");
  return new Refused(errors.map(({ source, code, message }) => `${source}: ${code}: ${message}`).join("\n"));
}
