import { defineConfig } from "vitest/config";

/** Reports as pages in headless Chromium, which the bootstrap installs: apart from the unit tests, which need no browser. */
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ["*.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
