import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { unseal } from "../vault/seal.ts";
import { sealingKey } from "../vault/vault-key.ts";

interface Line {
  readonly versions?: readonly { readonly value?: string }[];
}

/** Every value that a vault of this state folder has ever held, disabled and deleted versions too. For the canary scan only. */
export function valuesEverHeld(stateDir: string): readonly string[] {
  const found = new Set<string>();
  for (const file of readdirSync(stateDir).filter((name) => name.endsWith(".journal"))) {
    for (const record of recordsOf(stateDir, file)) {
      const changes = [JSON.parse(record) as Line | readonly Line[]].flat();
      for (const { value } of changes.flatMap(({ versions }) => versions ?? [])) {
        if (value !== undefined) found.add(value);
      }
    }
  }
  return [...found];
}

/** The records (JSON) of a vault's journal, opened. */
export function* recordsOf(stateDir: string, file: string): Iterable<string> {
  const key = sealingKey();
  for (const line of readFileSync(join(stateDir, file), "latin1").split("\n")) {
    const record = line === "" ? undefined : unseal(key, file, Buffer.from(line, "base64"));
    if (record !== undefined) yield record;
  }
}

/** The passwords in such values: a JSON value's `password`, or the whole value. */
export function passwordsIn(values: readonly string[]): readonly string[] {
  return [...new Set(values.map(passwordOf))];
}

function passwordOf(value: string): string {
  try {
    const { password } = JSON.parse(value) as { password?: unknown };
    return typeof password === "string" ? password : value;
  } catch {
    return value;
  }
}
