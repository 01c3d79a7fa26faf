import { defineConfig } from "vitest/config";

/** The life of a cluster on machines: one cluster, one file after the other, each from the checkpoint that it names. */
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ["*.test.ts"],
    globalSetup: ["setup.ts"],
    fileParallelism: false,
    sequence: { concurrent: false },
    // Machines without KVM boot in minutes.
    testTimeout: 2_400_000,
    hookTimeout: 2_400_000,
    reporters: ["verbose"],
    bail: 1,
  },
});
