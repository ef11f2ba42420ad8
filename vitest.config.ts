import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two cores: the suites start real servers, so more workers only make them wait for each other.
    maxWorkers: 2,
    reporters: ["default"],
  },
});
