import { defineConfig } from "vitest/config";

/** Whole-system tests: one booted cluster for all files, one file after the other; a file that changes it restores it. */
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ["system/*.test.ts"],
    globalSetup: ["setup.ts"],
    fileParallelism: false,
    sequence: { concurrent: false },
    testTimeout: 600_000,
    hookTimeout: 600_000,
    reporters: ["verbose"],
  },
});
