import { onMachines } from "./machines.config.js";

/** Whole-system tests: one booted cluster for all files, one file after the other; a file that changes it restores it. */
export default onMachines({ root: import.meta.dirname, include: "system/*.test.ts", setup: "setup.ts", minutes: 10 });
