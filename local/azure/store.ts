import { linkSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** A folder of JSON files, one per entry, each written whole: `kill -9` leaves the old entry or the new one. */
export interface Folder<T> {
  readonly all: () => T[];
  readonly put: (id: string, value: T) => void;
  readonly remove: (id: string) => void;
}

/** Opens the folder `dir`, making it when absent. Ids become file names: letters, digits and `-` only. */
export function openFolder<T>(dir: string): Folder<T> {
  mkdirSync(dir, { recursive: true });
  const path = (id: string) => join(dir, `${id}.json`);
  return {
    all() {
      const files = readdirSync(dir).filter((name) => name.endsWith(".json"));
      return files.toSorted().map((name) => JSON.parse(readFileSync(join(dir, name), "utf8")) as T);
    },
    put: (id, value) => writeWhole(path(id), JSON.stringify(value)),
    remove: (id) => rmSync(path(id), { force: true }),
  };
}

/** Replaces a file in one step. */
export function writeWhole(file: string, text: string): void {
  const temporary = `${file}.${process.pid}.new`;
  writeFileSync(temporary, text, { mode: 0o600 });
  renameSync(temporary, file);
}

/** The file's text; absent: made from `make`. Two processes that start at once get the same text. */
export function readOrMake(file: string, make: () => string): string {
  const read = () => {
    try {
      return readFileSync(file, "utf8");
    } catch {
      return undefined;
    }
  };
  const kept = read();
  if (kept !== undefined) return kept;
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.new`;
  writeFileSync(temporary, make(), { mode: 0o600 });
  try {
    linkSync(temporary, file);
  } catch (error) {
    // EEXIST: another process was first, and its text counts.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(temporary);
  }
  return readFileSync(file, "utf8");
}
