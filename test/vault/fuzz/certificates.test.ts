import { expect, test } from "vitest";
import { patience, share } from "./budget.ts";
import { certificates } from "./grammar-certificates.ts";
import { fuzz } from "./run.ts";

test("any request about certificates", { timeout: patience }, async () => {
  const { sent, accepted, refused } = await fuzz(certificates, share(28));
  expect(accepted, "the grammar must reach the good paths, too").toBeGreaterThan(sent / 10);
  expect(refused, "and what is changed must be refused often").toBeGreaterThan(sent / 10);
});
