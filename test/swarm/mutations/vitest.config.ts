import { onMachines } from "../machines.config.js";

/** How the verifier answers to a host that was broken on purpose: one manager alone is enough. Run with HCS_WORKERS=0. */
export default onMachines({ root: import.meta.dirname, setup: "../setup.ts", minutes: 60 });
