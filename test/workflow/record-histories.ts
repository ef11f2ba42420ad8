// Records the histories that history.test.ts replays: `node test/workflow/record-histories.ts <release>`. A release's histories are
// recorded once, when it is made, and never again: instances of it may still be under way.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { lives } from "./lives.ts";
import { rotation } from "./rotation.ts";

const release = process.argv[2];
if (release === undefined) throw new Error("Name the release, such as 1.0.");
const folder = join(import.meta.dirname, "histories");
mkdirSync(folder, { recursive: true });
for (const [name, options] of Object.entries(lives)) {
  const { history, outcome } = await rotation(options);
  const rows = history.map((row) => JSON.stringify(row)).join(",\n");
  writeFileSync(
    join(folder, `${release}-${name}.json`),
    `{"outcome": ${JSON.stringify(outcome)}, "history": [\n${rows}\n]}\n`,
  );
}
