// Writes what the templates in infra/ take from the code: `node scripts/infra.ts`.
import { writeFileSync } from "node:fs";
import { format } from "oxfmt";
import { roles } from "../src/roles.ts";
import { eventFilter } from "../src/triggers/key-vault-events.ts";

const folder = new URL("../infra/", import.meta.url);

/** The files by their names. */
export async function infraFiles(): Promise<Readonly<Record<string, string>>> {
  const files = { "roles.json": { roles }, "events.json": eventFilter };
  const texts = Object.entries(files).map(async ([name, content]) => {
    const { code } = await format(name, JSON.stringify(content, null, 2), { printWidth: 120 });
    return [name, code] as const;
  });
  return Object.fromEntries(await Promise.all(texts));
}

if (import.meta.main) {
  for (const [name, text] of Object.entries(await infraFiles())) writeFileSync(new URL(name, folder), text);
}
