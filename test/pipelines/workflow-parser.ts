import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type * as Parser from "@actions/workflow-parser";
import { build } from "esbuild";

/** GitHub's parser of workflows. It is bundled first: its imports of JSON lack the attribute that Node asks for. */
async function open(): Promise<typeof Parser> {
  const dir = mkdtempSync(join(tmpdir(), "pinion-parser-"));
  const outfile = join(dir, "parser.mjs");
  const entry = fileURLToPath(import.meta.resolve("@actions/workflow-parser"));
  await build({ entryPoints: [entry], outfile, bundle: true, platform: "node", format: "esm", logLevel: "error" });
  try {
    return (await import(outfile)) as typeof Parser;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const parser = open();

/** What the parser has against a workflow. */
export async function faultsOf(name: string, content: string): Promise<readonly string[]> {
  const { convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow } = await parser;
  const { context, value } = parseWorkflow({ name, content }, new NoOperationTraceWriter());
  const faults = context.errors.getErrors().map(({ message }) => message);
  if (faults.length > 0 || value === undefined) return faults;
  const { errors = [] } = await convertWorkflowTemplate(context, value);
  return errors.map(({ Message }) => Message);
}
