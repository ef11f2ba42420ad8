import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const infra = fileURLToPath(new URL("../../infra", import.meta.url));

/** The queries by the name of their file below `infra/`. */
export const queries: Readonly<Record<string, string>> = Object.fromEntries(
  ["alerts", "workbook"].flatMap((folder) =>
    readdirSync(join(infra, folder))
      .filter((file) => file.endsWith(".kql"))
      .map((file) => [`${folder}/${file}`, readFileSync(join(infra, folder, file), "utf8")]),
  ),
);

/** A file below `infra/`. */
export const infraFile = (name: string): string => readFileSync(join(infra, name), "utf8");

/** What stands for what a query says in braces, where a test needs something there. */
export const samples: Readonly<Record<string, string>> = {
  "{app}": "func-acme-pinion-dev-weu",
  "{storage}": "stacmepinion",
  "{identities}": "11111111-1111-1111-1111-111111111111,22222222-2222-2222-2222-222222222222",
  "{known}": "",
  "{stuckAfter}": "6h",
  "{before}": "2d",
};

/** The query as Azure gets it. */
export const filled = (query: string): string =>
  Object.entries(samples).reduce((text, [name, value]) => text.replaceAll(name, value), query);

/** The lines of a query that say what it is. */
export const headOf = (query: string): string =>
  query
    .split("\n")
    .filter((line) => line.startsWith("//"))
    .map((line) => line.slice(2).trim())
    .join(" ");

/** The query without its comments. */
export const codeOf = (query: string): string =>
  query
    .split("\n")
    .filter((line) => !line.trimStart().startsWith("//"))
    .join("\n");
