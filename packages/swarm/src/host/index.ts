/** What runs on a host, as text: user-data, the host agent, the program of the first contact. */
export { bootstrapProgram, claimCommand } from "./bootstrap";
export { agentDigest, armProgram, installProgram, removeProgram, upgradeProgram } from "./existingHost";
export { containerSlice, userData } from "./userData";
