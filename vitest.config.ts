import { configDefaults, defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Every kill point of a rotation takes the better part of an hour on two cores, late copies ten minutes more:
    // `npm run test:kill` (vitest.kill.config.ts).
    exclude: [...configDefaults.exclude, "test/crash/kill-*.test.ts", "test/crash/copies.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two cores: the suites start real servers, so more workers only make them wait for each other.
    maxWorkers: 2,
    reporters: ["default"],
  },
});
