import { defineConfig } from "vitest/config";

/** The component on each Docker that Debian ships: one machine at a time, made and destroyed by the file of its version. */
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ["*.test.ts"],
    fileParallelism: false,
    sequence: { concurrent: false },
    testTimeout: 1_800_000,
    hookTimeout: 1_800_000,
    reporters: ["verbose"],
  },
});
