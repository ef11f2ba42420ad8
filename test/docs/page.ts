import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** A block of code of a page. */
export interface Block {
  readonly language: string;
  readonly text: string;
  /** Where it begins, for messages. */
  readonly line: number;
  /** What the comment right before it says, which readers do not see: `with: --auth strict; answers: 200 401`. */
  readonly notes: Readonly<Record<string, string>>;
}

/** The text of a file of this repository, by its path from the root. */
export const readFile = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), "utf8");

/** The blocks of code of a page, in order. */
export function blocksOf(page: string): readonly Block[] {
  return [...page.matchAll(/^(?:<!-- (.*) -->\n)?```(\w+)\n([^]*?)^```$/gm)].map((match) => ({
    language: match[2]!,
    text: match[3]!,
    line: page.slice(0, match.index).split("\n").length,
    notes: Object.fromEntries((match[1] ?? "").split("; ").map((note) => note.split(": "))) as Record<string, string>,
  }));
}

/** The page without its blocks of code. */
export const proseOf = (page: string): string => page.replace(/^```\w+\n[^]*?^```$/gm, "");

/** The rows of the table whose first heading is `heading`, each as its cells; an escaped bar stays in its cell. */
export function tableOf(page: string, heading: string): readonly (readonly string[])[] {
  const lines = page.split("\n");
  const begin = lines.findIndex((line) => line.startsWith(`| ${heading} |`));
  if (begin < 0) throw new Error(`There is no table that begins with ${heading}.`);
  const end = lines.findIndex((line, at) => at > begin && !line.startsWith("|"));
  return lines.slice(begin + 2, end < 0 ? undefined : end).map((line) =>
    line
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim()),
  );
}

/** What stands between backticks. */
export const codesIn = (text: string): readonly string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code!);

/** The names in the first cells of a field table. */
export const fieldsOf = (page: string, heading: string): ReadonlySet<string> =>
  new Set(tableOf(page, heading).flatMap(([first = ""]) => codesIn(first)));
