import { defineConfig } from "vitest/config";

/** How the verifier answers to a host that was broken on purpose: one manager alone is enough. Run with HCS_WORKERS=0. */
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ["*.test.ts"],
    globalSetup: ["../setup.ts"],
    fileParallelism: false,
    sequence: { concurrent: false },
    testTimeout: 3_600_000,
    hookTimeout: 600_000,
    reporters: ["verbose"],
  },
});
