import { keyFiles, keysEverHeld } from "../../local/canary/vault-keys.ts";
import { type Leak, scan } from "../../local/canary/scan.ts";
import { valuesEverHeld } from "../../local/canary/vault-values.ts";
import type { LifeObject, World } from "./world.ts";

/**
 * Promise 3 for one object: every private number of every key that the vault ever held, of those too that never left it, every secret in
 * it, and the shape of every file that holds a key, looked for in all that a life wrote outside of vault and target.
 */
export function leaksOf({ stateDir }: World, { traces }: LifeObject): readonly Leak[] {
  return scan(traces, canariesOf(stateDir));
}

export function canariesOf(stateDir: string): readonly (string | Buffer)[] {
  // What certificates give as their secret is no canary as a whole: where the key stays in the vault it is the public chain.
  const secrets = valuesEverHeld(stateDir).filter((value) => value.length < 200);
  const bytes = secrets.map((value) => Buffer.from(value, "base64")).filter(({ length }) => length >= 16);
  return [...keysEverHeld(stateDir), ...keyFiles, ...secrets, ...bytes];
}
