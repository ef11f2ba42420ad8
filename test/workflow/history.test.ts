import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { HistoryEvent } from "../../local/host/durable/history.ts";
import { rotate } from "../../src/workflow/rotate.ts";
import { lives, vaultMadeLives } from "./lives.ts";
import { replay } from "./play.ts";
import { rotation } from "./rotation.ts";
import { vaultMadeRotation } from "./vault-made.ts";
import { start } from "./world.ts";

const folder = join(import.meta.dirname, "histories");

describe("the same history gives the same actions", () => {
  it.each(Object.entries(vaultMadeLives))("%s, replayed as it happened", async (_, options) => {
    const { history, outcome, world } = await vaultMadeRotation({ ...options, doubled: true });
    expect(world.broken).toEqual([]);
    const again = await replay(rotate, history, start);
    expect(again.asked).toEqual(again.recorded);
    expect([again.status, JSON.parse(again.output!)]).toEqual(["Completed", { outcome }]);
  });

  it.each(Object.entries(lives))("%s, replayed as it happened", async (_, options) => {
    const { history, outcome } = await rotation({ ...options, doubled: true });
    const again = await replay(rotate, history, start);
    expect(again.asked).toEqual(again.recorded);
    expect([again.status, JSON.parse(again.output!)]).toEqual(["Completed", { outcome }]);
  });

  it("a change of order is noticed", async () => {
    const { history } = await rotation(lives["alternating-held-then-rotated"]);
    const changed = history.map((row) => ("Name" in row && row.Name === "set" ? { ...row, Name: "validate" } : row));
    const again = await replay(rotate, changed, start);
    expect(again.asked).not.toEqual(again.recorded);
    expect(again.status).toBe("Failed");
  });
});

describe("instances of earlier releases go on", () => {
  const files = readdirSync(folder).filter((name) => name.endsWith(".json"));

  it("there are recorded histories", () => expect(files.length).toBeGreaterThanOrEqual(8));

  it.each(files)("%s", async (file) => {
    const { outcome, history } = JSON.parse(readFileSync(join(folder, file), "utf8")) as {
      outcome: string;
      history: HistoryEvent[];
    };
    const again = await replay(rotate, history, start);
    expect(again.asked).toEqual(again.recorded);
    expect([again.status, JSON.parse(again.output!)]).toEqual(["Completed", { outcome }]);
  });
});
