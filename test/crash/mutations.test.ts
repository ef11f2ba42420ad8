import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { buildApp, type Replacement } from "./build.ts";
import { afterPublish, afterSet, mutations } from "./mutations/mutations.ts";
import { rollback, rotation, twice, type Watch } from "./mutations/watch.ts";

const minutes = 60_000;

async function watched(watch: Watch, replacements: readonly Replacement[]): Promise<readonly string[]> {
  const app = mkdtempSync(join(tmpdir(), "pinion-mutation-"));
  try {
    await buildApp(app, replacements);
    return await watch(app);
  } finally {
    rmSync(app, { recursive: true, force: true });
  }
}

describe("each watch is green for the app as it is", () => {
  it.for(Object.entries({ rotation, rollback, twice, afterSet, afterPublish }))(
    "%s",
    { timeout: 10 * minutes },
    async ([, watch]) => expect(await watched(watch, [])).toEqual([]),
  );
});

describe("a promise broken on purpose is noticed", () => {
  it.for(mutations)("$name", { timeout: 10 * minutes }, async ({ caughtBy, because, replacements }) => {
    expect((await watched(caughtBy, replacements)).join("\n")).toMatch(because);
  });

  it("a mutation whose place is gone from the source is an error, not a pass", async () => {
    const gone = { file: "src/activities/set.ts", from: "what nobody ever wrote", to: "" };
    await expect(watched(rotation, [gone])).rejects.toThrow("does not hold this exactly once");
  });
});
