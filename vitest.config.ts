import { configDefaults, defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Every kill point of a rotation, and late copies of every step, take half an hour on two cores: `npm run test:kill`
    // (vitest.kill.config.ts). CI runs both.
    exclude: [
      ...configDefaults.exclude,
      "test/crash/kill-*.test.ts",
      "test/crash/copies.test.ts",
      "test/life/kill.test.ts",
    ],
    // Vaults seal with it, so that no test touches the user's own key.
    env: { PINION_VAULT_KEY: "7e57".repeat(16) },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two cores: the suites start real servers, so more workers only make them wait for each other.
    maxWorkers: 2,
    reporters: ["default"],
  },
});
