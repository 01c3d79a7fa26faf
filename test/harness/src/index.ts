export * from "./cluster.js";
export * from "./paths.js";
export * from "./phases.js";
export * from "./region.js";
export * from "./responder.js";
export * from "./services.js";
export * from "./stack.js";
export * from "./vxlan.js";
