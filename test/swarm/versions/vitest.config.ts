import { onMachines } from "../machines.config.js";

/** The component on each Docker that Debian ships: one machine at a time, made and destroyed by the file of its version. */
export default onMachines({ root: import.meta.dirname, minutes: 30 });
