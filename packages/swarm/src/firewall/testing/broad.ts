import type { NodeFacts } from "../node";
import type { PolicyInput } from "../policy";

/** A policy in which every kind of rule appears, on `broadNode`; those of containers' egress apart, which are in `limited`. */
export const broad: PolicyInput = {
  publishedPorts: [
    { port: 80 },
    { port: 443, sources: ["192.0.2.0/24", "203.0.113.9", "2001:db8:1::/48", "fd00::/8"] },
    { port: 7000, endPort: 8200, protocol: "tcp" },
    { port: 2222, endPort: 2377, sources: ["192.0.2.7", "2001:db8::/32"] },
    { port: 53, protocol: "udp", sources: ["10.0.0.0/8"] },
    { port: 5789, protocol: "sctp" },
  ],
  hostServices: [
    { port: 9100, sources: ["10.0.0.0/24", "192.0.2.8", "fd00::/8"] },
    { port: 53, protocol: "udp" },
  ],
  ssh: { sources: ["192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32"], rateLimit: { perMinute: 10 } },
  trustedInterfaces: ["appnet0"],
  containerToHost: [{ port: 8000, protocol: "sctp" }],
  logDrops: { enabled: true },
};

export const limited: PolicyInput = {
  ...broad,
  metadataAccess: true,
  containerEgress: {
    open: [
      { port: 443, destinations: ["192.0.2.0/24", "203.0.113.9", "2001:db8:1::/48", "fd00::/8"] },
      { port: 8000, endPort: 8200, destinations: ["198.51.100.1"] },
      { port: 53, protocol: "udp" },
      { protocol: "sctp", destinations: ["10.0.0.0/8", "2001:db8::/32"] },
      { destinations: ["172.17.0.0/16", "fe80::/10"] },
    ],
  },
};

export const broadNode: NodeFacts = {
  name: "web-1",
  pool: "web",
  role: "manager",
  cgroupPath: "docker.slice",
  egress: { network: "10.9.9.0/24", publicInterface: "eth0" },
};
