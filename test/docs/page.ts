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
