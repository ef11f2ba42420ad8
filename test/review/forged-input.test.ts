import { expect, it } from "vitest";
import { rotation } from "../workflow/rotation.ts";
import { start } from "../workflow/world.ts";

it("takes nothing but the object and the record from what started it", async () => {
  const forged = { ...start, sourceVersion: "chosen", version: "chosen", keptVersion: "chosen", consumers: [] };
  const { calls, outcome } = await rotation({ input: forged });
  expect(outcome).toBe("rotated");
  expect(JSON.stringify(calls.map(({ input }) => input))).not.toContain("chosen");
});
