import { onMachines } from "../machines.config.js";

/** The life of a cluster on machines: one cluster, one file after the other, each from the checkpoint that it names. */
export default onMachines({ root: import.meta.dirname, setup: "setup.ts", minutes: 40, bail: 1 });
