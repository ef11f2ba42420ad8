import { expect, test } from "vitest";
import { patience, share } from "./budget.ts";
import { secrets } from "./grammar-secrets.ts";
import { fuzz } from "./run.ts";

test("any request about secrets", { timeout: patience }, async () => {
  const { sent, accepted, refused } = await fuzz(secrets, share(30));
  expect(accepted, "the grammar must reach the good paths, too").toBeGreaterThan(sent / 10);
  expect(refused, "and what is changed must be refused often").toBeGreaterThan(sent / 10);
});
