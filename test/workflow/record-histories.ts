// Records the histories that history.test.ts replays: `node test/workflow/record-histories.ts <release>`. A release's histories are
// recorded once, when it is made, and never again: instances of it may still be under way.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { lives, vaultMadeLives } from "./lives.ts";
import { rotation } from "./rotation.ts";
import { vaultMadeRotation } from "./vault-made.ts";

const release = process.argv[2];
if (release === undefined) throw new Error("Name the release, such as 1.0.");
const folder = join(import.meta.dirname, "histories");
mkdirSync(folder, { recursive: true });
const all = [
  ...Object.entries(lives).map(([name, options]) => [name, () => rotation(options)] as const),
  ...Object.entries(vaultMadeLives).map(([name, options]) => [name, () => vaultMadeRotation(options)] as const),
];
for (const [name, live] of all) {
  const { history, outcome } = await live();
  const rows = history.map((row) => JSON.stringify(row)).join(",\n");
  writeFileSync(
    join(folder, `${release}-${name}.json`),
    `{"outcome": ${JSON.stringify(outcome)}, "history": [\n${rows}\n]}\n`,
  );
}
