/** What runs on a host, as text: user-data, the host agent, the program of the first contact. */
export { type Additions, reservedPackage, reservedPath } from "./additions";
export { agentDigest } from "./agentSources";
export { addKeyProgram, removeKeyProgram } from "./authorizedKeys";
export { bootstrapProgram, claimCommand } from "./bootstrap";
export { agentPath, armProgram, installProgram, removeProgram, upgradeProgram } from "./existingHost";
export { containerSlice, userData, userDataBytes, userDataLimit } from "./userData";
export { type MountedVolume, mountProgram, mountWaitSeconds, systemPath, unmountArgument } from "./volumes";
export type { WayOut } from "./wayOut";
