/** Random policies, nodes and packets for property tests: few distinct values, so that they meet. */
import fc from "fast-check";
import type { Packet } from "../../testing/evaluator";
import type { EgressOpeningInput } from "../containerEgress";
import type { NodeFacts } from "../node";
import type { PolicyInput, PortEntryInput, PortInput } from "../policy";

export const peers: readonly string[] = ["10.0.0.2", "10.0.0.3", "fd00:1::2", "fd00:1::3"];

const ports = [22, 53, 80, 81, 443, 2222, 2377, 4789, 5789, 7946, 8000, 8080, 9100, 65535] as const;
const networks4 = [
  "0.0.0.0/0",
  "10.0.0.0/8",
  "10.0.0.0/24",
  "192.0.2.0/24",
  "192.0.2.7",
  "172.17.0.0/16",
  "203.0.113.9/32",
] as const;
const networks6 = ["::/0", "2001:db8::/32", "2001:db8:1::/48", "2001:db8:1::7", "fd00::/8", "fe80::/10"] as const;
const addresses4 = [
  "10.0.0.2",
  "10.0.0.3",
  "10.0.0.9",
  "10.9.9.9",
  "192.0.2.7",
  "192.0.2.8",
  "172.17.0.5",
  "203.0.113.9",
  "198.51.100.1",
  "127.0.0.1",
  "169.254.169.254",
] as const;
const addresses6 = [
  "2001:db8::1",
  "2001:db8:1::7",
  "2001:db8:1::8",
  "2001:db9::1",
  "fd00:1::2",
  "fd00:1::3",
  "fd00:2::9",
  "fe80::1",
  "fe80::2",
] as const;
const interfaces = [
  "lo",
  "eth0",
  "enp7s0",
  "docker0",
  "docker_gwbridge",
  "br-3f9a",
  "appnet0",
  "app-7",
  "veth12",
] as const;

const some = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });
const sources = some(fc.uniqueArray(fc.constantFrom(...networks4, ...networks6), { minLength: 1, maxLength: 5 }));

function portsOf<T extends object>(rest: fc.Arbitrary<T>): fc.Arbitrary<PortInput & T> {
  const range = fc.record({
    port: fc.constantFrom(...ports),
    length: fc.constantFrom(0, 0, 0, 1, 400),
    protocol: some(fc.constantFrom("tcp" as const, "tcp" as const, "udp" as const, "sctp" as const)),
  });
  return fc.tuple(range, rest).map(([{ port, length, protocol }, other]) => {
    return { port, endPort: length === 0 ? undefined : Math.min(65535, port + length), protocol, ...other };
  });
}

const scope = fc.record({
  pools: some(fc.constantFrom(["web"], ["db"], ["web", "db"])),
  nodes: some(fc.constantFrom(["web-1"], ["db-1", "web-1"])),
});
const entry: fc.Arbitrary<PortEntryInput> = portsOf(
  fc.tuple(sources, scope).map(([from, where]) => ({ sources: from, ...where })),
);

const egress: fc.Arbitrary<EgressOpeningInput> = fc
  .record({
    destinations: some(
      fc.uniqueArray(fc.constantFrom(...networks4, ...networks6, "169.254.169.254"), { minLength: 1, maxLength: 4 }),
    ),
    ports: fc.oneof(
      portsOf(fc.constant({})),
      fc.record({ protocol: some(fc.constantFrom("tcp" as const, "udp" as const, "sctp" as const)) }),
    ),
    scope,
  })
  .map(({ ports: given, scope: where, ...rest }) => ({ ...rest, ...given, ...where }));

/** Host ports that a policy may name: neither SSH's nor the swarm's. */
function isFree(sshPort: number, { port, endPort }: PortInput): boolean {
  return ![sshPort, 2377, 7946, 4789, 5789].some((taken) => port <= taken && taken <= (endPort ?? port));
}

export const policies: fc.Arbitrary<PolicyInput> = fc
  .record({
    publishedPorts: some(fc.array(entry, { maxLength: 6 })),
    hostServices: some(fc.array(entry, { maxLength: 4 })),
    ssh: some(
      fc.record({
        port: some(fc.constantFrom(22, 2222)),
        sources,
        rateLimit: some(
          fc.record({ perMinute: fc.integer({ min: 1, max: 600 }), burst: some(fc.integer({ min: 1, max: 20 })) }),
        ),
      }),
    ),
    icmp: some(fc.record({ echo: some(fc.boolean()) })),
    trustedInterfaces: some(
      fc.uniqueArray(fc.constantFrom("appnet0", "app+", "app-+", "br-x", "docker0"), { maxLength: 3 }),
    ),
    metadataAccess: some(fc.boolean()),
    containerToHost: some(fc.array(portsOf(fc.constant({})), { maxLength: 3 })),
    containerEgress: some(fc.record({ open: fc.array(egress, { maxLength: 5 }) })),
    logDrops: some(fc.record({ enabled: fc.boolean(), perMinute: fc.integer({ min: 1, max: 600 }) })),
  })
  .map((policy) => {
    const free = (candidate: PortInput): boolean => isFree(policy.ssh?.port ?? 22, candidate);
    const containers = policy.containerToHost?.filter((candidate) => isFree(0, candidate));
    return { ...policy, hostServices: policy.hostServices?.filter(free), containerToHost: containers };
  });

const wayOut = { network: "10.0.0.0/24", publicInterface: "eth0" };

export const nodes: fc.Arbitrary<NodeFacts> = fc.constantFrom<NodeFacts>(
  { name: "web-1", pool: "web", role: "manager" },
  { name: "web-2", pool: "web", role: "worker", swarm: { dataPathPort: 5789 } },
  { name: "db-1", pool: "db", role: "worker", cgroupPath: "docker.slice" },
  { name: "alone", pool: "alone", role: "standalone" },
  { name: "web-3", pool: "web", role: "worker", egress: wayOut },
  { name: "way", pool: "way", role: "standalone", cgroupPath: "docker.slice", egress: wayOut },
  { name: "db-2", pool: "db", role: "worker", sshNetwork: wayOut.network },
);

export const packets: fc.Arbitrary<Packet> = fc.constantFrom("inet" as const, "inet6" as const).chain((family) => {
  const address = family === "inet" ? fc.constantFrom(...addresses4) : fc.constantFrom(...addresses6);
  const port = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...ports) },
    { weight: 3, arbitrary: fc.constantFrom(82, 8200, 68, 68, 546, 546) },
    fc.integer({ min: 1, max: 65535 }),
  );
  return fc
    .record({
      path: fc.constantFrom(
        "input" as const,
        "input" as const,
        "forward" as const,
        "forward" as const,
        "output" as const,
      ),
      inInterface: fc.constantFrom(...interfaces),
      outInterface: fc.constantFrom("eth0", "eth0", ...interfaces),
      source: address,
      dialedAddress: address,
      translatedAddress: address,
      protocol: fc.constantFrom("tcp", "tcp", "udp", "udp", "sctp", family === "inet" ? "icmp" : "ipv6-icmp", "esp"),
      sourcePort: fc.constantFrom(67, 547, 4789, 40000),
      dialedPort: port,
      translatedPort: port,
      translated: fc.boolean(),
      state: fc.constantFrom(
        "NEW" as const,
        "NEW" as const,
        "NEW" as const,
        "ESTABLISHED" as const,
        "RELATED" as const,
        "INVALID" as const,
        "UNTRACKED" as const,
      ),
      direction: fc.constantFrom("ORIGINAL" as const, "ORIGINAL" as const, "ORIGINAL" as const, "REPLY" as const),
      syn: fc.constantFrom(true, true, false),
      icmpType:
        family === "inet"
          ? fc.constantFrom(0, 3, 5, 8)
          : fc.constantFrom(1, 2, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 143),
      wrongWay: fc.constantFrom(false, false, true),
      overRate: fc.boolean(),
      cgroup: fc.constantFrom("system.slice/ssh.service", "docker.slice", "docker.slice/one.scope", "docker.slices"),
    })
    .map(({ translatedAddress, translatedPort, ...packet }) => ({
      ...packet,
      family,
      destination: packet.translated ? translatedAddress : packet.dialedAddress,
      destinationPort: packet.translated ? translatedPort : packet.dialedPort,
    }));
});
