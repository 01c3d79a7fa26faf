import { onMachines } from "../machines.config.js";

/** What is there already is taken over: machines that nobody made for us, one file after the other. */
export default onMachines({ root: import.meta.dirname, setup: "setup.ts", minutes: 15 });
