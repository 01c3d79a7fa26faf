import { defineConfig } from "vitest/config";

interface MachineSuite {
  /** The suite's folder. */
  readonly root: string;
  /** How long one test, or one hook, may take: machines without KVM boot in minutes. */
  readonly minutes: number;
  /** What boots the machines that all files share. Default: each file makes its own. */
  readonly setup?: string;
  /** Default: every test file of the folder. */
  readonly include?: string;
  /** Failures after which the rest is not begun. Default: none is too many. */
  readonly bail?: number;
}

/** How suites on virtual machines run: one file after the other, for they share the machines and this computer. */
export function onMachines({ root, minutes, setup, include = "*.test.ts", bail = 0 }: MachineSuite) {
  return defineConfig({
    test: {
      root,
      include: [include],
      ...(setup === undefined ? {} : { globalSetup: [setup] }),
      fileParallelism: false,
      sequence: { concurrent: false },
      testTimeout: minutes * 60_000,
      hookTimeout: minutes * 60_000,
      reporters: ["verbose"],
      bail,
    },
  });
}
