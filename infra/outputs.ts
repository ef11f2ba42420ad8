// `npm run -s outputs -- <resource group> [deployment]`: what infra/main.bicep has put out, as lines for a shell: eval "$(...)". azd does
// the same by `azd env get-values`.
import { PinionError } from "../src/errors.ts";
import { az, type Az } from "./az.ts";
import { readWords } from "./words.ts";

/** `export NAME='value'` for each output of a deployment; lists and objects as JSON, as parameter files read them. */
export async function exportsOf(run: Az, resourceGroup: string, deployment = "pinion"): Promise<readonly string[]> {
  const where = ["--resource-group", resourceGroup, "--name", deployment];
  const outputs = await run("deployment", "group", "show", ...where, "--query", "properties.outputs");
  const values = Object.entries((outputs ?? {}) as Readonly<Record<string, { readonly value: unknown }>>);
  if (values.length === 0)
    throw new PinionError("CONFIG_INVALID", `The deployment ${deployment} has put out nothing: see that it succeeded.`);
  return values.map(([name, { value }]) => {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    // Azure Resource Manager may answer with some letters of a name in the other case.
    return `export ${name.toUpperCase()}='${text.replaceAll("'", `'\\''`)}'`;
  });
}

const usage = `npm run -s outputs -- <resource group> [deployment]

Prints what the deployment of infra/main.bicep (default: pinion) has put out, as lines for a shell: eval "$(...)".

Exit codes: 0 done, 1 not read, 2 not understood.`;

if (import.meta.main) {
  const words = readWords(process.argv.slice(2), { usage, names: ["<resource group>", "[deployment]"] });
  process.exitCode = typeof words === "number" ? words : await run(words);
}

async function run([resourceGroup = "", deployment]: readonly string[]): Promise<number> {
  try {
    console.log((await exportsOf(az, resourceGroup, deployment)).join("\n"));
    return 0;
  } catch (error) {
    console.error(error instanceof PinionError ? error.message : "The outputs could not be read.");
    return 1;
  }
}
