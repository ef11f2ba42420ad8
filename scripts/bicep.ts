// `npm run bicep`: every Bicep file is as the formatter writes it, and the compiler and its linter, with all rules on, have nothing
// to say of any template or parameter file. Restores the compiler when it is not here.
import { globSync, readFileSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { startCompiler } from "./bicep/compiler.ts";
import type { Compiler } from "./bicep/compiler.ts";
import { missing, restore, version } from "./bicep/install.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The faults of the Bicep files under `folder`, a line each, and how many files there are of each sort. */
export async function check(compiler: Compiler, folder: string) {
  const files = globSync("infra/**/*.{bicep,bicepparam}", { cwd: folder })
    .map((file) => `${folder}/${file}`)
    .sort();
  const faults: string[] = [];
  for (const file of files) {
    if ((await compiler.format(file)) !== readFileSync(file, "utf8"))
      faults.push(`${relative(folder, file)}: not as \`bicep format\` writes it`);
    const { diagnostics, success } = file.endsWith("param")
      ? await compiler.compileParams(file)
      : await compiler.compile(file);
    for (const { source, range, level, code, message } of diagnostics) {
      const place = `${relative(folder, source)}:${range.start.line + 1}:${range.start.char + 1}`;
      faults.push(`${place}: ${level.toLowerCase()} ${code}: ${message}`);
    }
    if (!success && diagnostics.length === 0) faults.push(`${relative(folder, file)}: does not compile`);
  }
  const parameters = files.filter((file) => file.endsWith("param")).length;
  // A module's faults are told again for each template that uses it.
  return { faults: [...new Set(faults)], templates: files.length - parameters, parameters };
}

if (import.meta.main) {
  if (missing() !== undefined) restore();
  const compiler = startCompiler();
  const { faults, templates, parameters } = await check(compiler, root);
  await compiler.close();
  for (const fault of faults) console.error(fault);
  console.log(
    `Bicep ${version}: ${templates} templates and ${parameters} parameter files, ${faults.length === 0 ? "nothing to say" : `${faults.length} faults`}.`,
  );
  if (faults.length > 0) process.exitCode = 1;
  if (templates === 0) throw new Error("There is no template under infra/.");
}
