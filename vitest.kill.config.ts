import { defineConfig } from "vitest/config";

// The app is killed before, in and after every single outside call of a rotation and of a rollback; and every activity is delivered
// twice at once, and late.
export default defineConfig({
  test: {
    include: ["test/crash/kill-*.test.ts", "test/crash/copies.test.ts", "test/life/kill.test.ts"],
    // Vaults seal with it, so that no test touches the user's own key.
    env: { PINION_VAULT_KEY: "7e57".repeat(16) },
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // One file at a time: each has several clouds side by side already.
    maxWorkers: 1,
    reporters: ["default"],
  },
});
