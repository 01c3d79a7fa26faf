import { defineConfig } from "vitest/config";

/** Whole-system tests: one booted cluster for all files, one file after the other, in the order of their names. */
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ["system/*.test.ts"],
    globalSetup: ["setup.ts"],
    fileParallelism: false,
    sequence: { concurrent: false },
    testTimeout: 600_000,
    hookTimeout: 600_000,
    // A broken cluster fails everything after it; the first failure is the one to read.
    bail: 0,
    reporters: ["verbose"],
  },
});
