import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["packages/*/src/**/*.test.ts", "test/**/unit/**/*.test.ts"],
    testTimeout: 30_000,
    // Vitest leaves one core alone, which is half of two.
    maxWorkers: "100%",
  },
});
