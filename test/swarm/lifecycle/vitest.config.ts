import { onMachines } from "../machines.config.js";

/** The life of a cluster on machines: one cluster, one file after the other, each from the checkpoint that it names. A restart of each
 * of four emulated machines, one after the other, takes forty minutes. */
export default onMachines({ root: import.meta.dirname, setup: "setup.ts", minutes: 90, bail: 1 });
