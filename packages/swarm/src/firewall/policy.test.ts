import { describe, expect, it } from "vitest";
import { PolicyError } from "./errors";
import { normalizePolicy, type PolicyInput, unknownScopeNames } from "./policy";
import { policyEntries } from "./policyEntries";

const any = ["0.0.0.0/0", "::/0"];

function problemsOf(input: unknown): readonly string[] {
  try {
    normalizePolicy(input);
  } catch (error) {
    if (error instanceof PolicyError)
      return error.problems.map(({ path, given, allowed }) => `${path}: ${given}; ${allowed}`);
    throw error;
  }
  return [];
}

describe("normalizePolicy", () => {
  it("opens 80 and 443 to containers and 22 to SSH when nothing is said", () => {
    expect(normalizePolicy()).toEqual({
      publishedPorts: [
        { protocol: "tcp", port: 80, endPort: 80, sources: any },
        { protocol: "tcp", port: 443, endPort: 443, sources: any },
      ],
      hostServices: [],
      ssh: { port: 22, sources: any },
      icmp: { echo: true },
      trustedInterfaces: [],
      metadataAccess: false,
      containerToHost: [],
      logDrops: { enabled: false, perMinute: 6 },
    });
    expect(normalizePolicy({ publishedPorts: undefined, ssh: { port: undefined } })).toEqual(normalizePolicy());
    expect(normalizePolicy({ publishedPorts: [] }).publishedPorts).toEqual([]);
  });

  it.each<[string, PolicyInput["publishedPorts"], readonly string[]]>([
    [
      "joins the sources of equal ports",
      [
        { port: 80, sources: ["10.0.0.0/8"] },
        { port: 80, sources: ["192.0.2.1"] },
      ],
      ["80 10.0.0.0/8,192.0.2.1/32"],
    ],
    [
      "joins overlapping ranges of equal sources",
      [
        { port: 8000, endPort: 8100 },
        { port: 8050, endPort: 8200 },
      ],
      ["8000-8200 0.0.0.0/0,::/0"],
    ],
    ["leaves neighbours apart", [{ port: 80 }, { port: 81 }], ["80 0.0.0.0/0,::/0", "81 0.0.0.0/0,::/0"]],
    [
      "drops what is open anyway",
      [
        { port: 8000, endPort: 8100 },
        { port: 8050, sources: ["10.0.0.0/8"] },
      ],
      ["8000-8100 0.0.0.0/0,::/0"],
    ],
    ["drops a pool's entry that everywhere has", [{ port: 80, pools: ["web"] }, { port: 80 }], ["80 0.0.0.0/0,::/0"]],
    [
      "keeps a narrower range open to more",
      [{ port: 8000, endPort: 8100, sources: ["10.0.0.0/8"] }, { port: 8050 }],
      ["8000-8100 10.0.0.0/8", "8050 0.0.0.0/0,::/0"],
    ],
    [
      "keeps protocols apart",
      [{ port: 53 }, { port: 53, protocol: "udp" }],
      ["53 0.0.0.0/0,::/0", "53 0.0.0.0/0,::/0"],
    ],
    ["drops a network inside another", [{ port: 80, sources: ["10.1.0.0/16", "10.0.0.0/8"] }], ["80 10.0.0.0/8"]],
  ])("%s", (_, publishedPorts, expected) => {
    const found = normalizePolicy({ publishedPorts }).publishedPorts.map(
      ({ port, endPort, sources }) => `${port === endPort ? port : `${port}-${endPort}`} ${sources}`,
    );
    expect(found).toEqual(expected);
  });

  it.each<[unknown, string]>([
    [{ publishedPorts: [{ port: 0 }] }, "publishedPorts[0].port: 0; a whole number from 1 to 65535 (a port)"],
    [{ publishedPorts: [{ port: 65536 }] }, "publishedPorts[0].port: 65536; a whole number from 1 to 65535 (a port)"],
    [{ publishedPorts: [{ port: 80.5 }] }, "publishedPorts[0].port: 80.5; a whole number from 1 to 65535 (a port)"],
    [{ publishedPorts: [{ port: "80" }] }, 'publishedPorts[0].port: "80"; a whole number from 1 to 65535 (a port)'],
    [{ publishedPorts: [{}] }, "publishedPorts[0].port: nothing; a whole number from 1 to 65535 (a port)"],
    [
      { publishedPorts: [{ port: 90, endPort: 80 }] },
      "publishedPorts[0].endPort: 80; a port from 90 (the range's first) to 65535",
    ],
    [{ publishedPorts: [{ port: 80, protocol: "icmp" }] }, 'publishedPorts[0].protocol: "icmp"; tcp, udp, sctp'],
    [
      { publishedPorts: [{ port: 80, sources: [] }] },
      "publishedPorts[0].sources: an empty list; at least one network or address; leave it out for everybody",
    ],
    [
      { publishedPorts: [{ port: 80, sources: ["10.0.0.1/8"] }] },
      'publishedPorts[0].sources[0]: "10.0.0.1/8"; a network without host bits: 10.0.0.0/8',
    ],
    [
      { publishedPorts: [{ port: 80, pools: [] }] },
      "publishedPorts[0].pools: an empty list; at least one name; leave it out for every node",
    ],
    [
      { publishedPorts: [{ port: 80, source: ["10.0.0.0/8"] }] },
      "publishedPorts[0].source: an unknown field; port, endPort, protocol, sources, pools, nodes",
    ],
    [
      { publishedPort: [] },
      "publishedPort: an unknown field; publishedPorts, hostServices, ssh, icmp, trustedInterfaces, metadataAccess, containerToHost, containerEgress, logDrops",
    ],
    [
      { ssh: { sources: [] } },
      "ssh.sources: an empty list; at least one network or address: SSH is never shut out from everywhere",
    ],
    [{ ssh: { port: 0 } }, "ssh.port: 0; a whole number from 1 to 65535 (a port)"],
    [
      { ssh: { rateLimit: { perMinute: 0 } } },
      "ssh.rateLimit.perMinute: 0; a whole number from 1 to 600 (new connections a minute)",
    ],
    [
      { hostServices: [{ port: 20, endPort: 30 }] },
      "hostServices: 20-30/tcp; host services beside SSH's port 22, whose sources are those of ssh.sources",
    ],
    [
      { trustedInterfaces: ["eth0"] },
      'trustedInterfaces[0]: "eth0"; a bridge that containers sit behind; never lo or a network card (eth…, en…)',
    ],
    [
      { trustedInterfaces: ["enp7s0"] },
      'trustedInterfaces[0]: "enp7s0"; a bridge that containers sit behind; never lo or a network card (eth…, en…)',
    ],
    [
      { trustedInterfaces: ["ens+"] },
      'trustedInterfaces[0]: "ens+"; a bridge that containers sit behind; never lo or a network card (eth…, en…)',
    ],
    [
      { trustedInterfaces: ["ab+"] },
      "trustedInterfaces[0]: \"ab+\"; an interface's name of up to 15 letters, digits, '.', '_' and '-', with three of them before a '+' at its end",
    ],
    [{ trustedInterfaces: ["br0 -j ACCEPT"] }, "trustedInterfaces[0]"],
    [{ metadataAccess: "no" }, 'metadataAccess: "no"; true or false'],
    [{ containerEgress: {} }, "containerEgress.open: nothing; a list of what containers may dial"],
    [
      { containerEgress: { open: [{ endPort: 80 }] } },
      "containerEgress.open[0].endPort: 80; nothing without the range's first, `port`",
    ],
    [
      { containerEgress: { open: [{ port: 90, endPort: 80 }] } },
      "containerEgress.open[0].endPort: 80; a port from 90 (the range's first) to 65535",
    ],
    [
      { containerEgress: { open: [{ destinations: [] }] } },
      "containerEgress.open[0].destinations: an empty list; at least one network or address; leave it out for everywhere",
    ],
    [
      { containerEgress: { open: [{ destinations: ["example.com"] }] } },
      'containerEgress.open[0].destinations[0]: "example.com"; an IPv4 or IPv6 network or address',
    ],
    [{ containerEgress: { open: [{ protocol: "icmp" }] } }, 'containerEgress.open[0].protocol: "icmp"; tcp, udp, sctp'],
    [
      { containerEgress: { open: [{ sources: ["10.0.0.0/8"] }] } },
      "containerEgress.open[0].sources: an unknown field; destinations, protocol, port, endPort, pools, nodes",
    ],
    [[], "policy: an empty list; an object with publishedPorts, hostServices, ssh"],
    [null, "policy: nothing; an object with"],
  ])("refuses %j", (input, expected) => {
    expect(problemsOf(input)).toEqual([expect.stringContaining(expected)]);
  });

  it("says all of what containers may dial", () => {
    const egressOf = (open: PolicyInput["containerEgress"]) =>
      normalizePolicy({ containerEgress: open }).containerEgress;
    expect(normalizePolicy()).not.toHaveProperty("containerEgress");
    expect(egressOf({ open: [] })).toEqual({ open: [] });
    expect(
      egressOf({
        open: [
          { port: 443, destinations: ["192.0.2.1", "10.0.0.0/8"] },
          { port: 443, protocol: "tcp", destinations: ["10.1.0.0/16", "2001:db8::1"] },
          { protocol: "udp", pools: ["web"] },
          { destinations: ["198.51.100.0/24"] },
          { port: 80, destinations: ["198.51.100.7"] },
        ],
      }),
    ).toEqual({
      open: [
        { destinations: ["198.51.100.0/24"] },
        { destinations: any, protocol: "udp", port: 1, endPort: 65535, pools: ["web"] },
        { destinations: ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::1/128"], protocol: "tcp", port: 443, endPort: 443 },
      ],
    });
  });

  it("names every wrong place at once", () => {
    expect(
      problemsOf({
        publishedPorts: [{ port: 0 }, { port: 80, sources: ["x", "10.0.0.0/8", "y"] }],
        ssh: { sources: [] },
      }),
    ).toHaveLength(4);
  });

  it("keeps interfaces that nothing else covers", () => {
    const { trustedInterfaces } = normalizePolicy({
      trustedInterfaces: ["app1", "docker0", "br-0a1b", "app+", "lan0", "lan0"],
    });
    expect(trustedInterfaces).toEqual(["app+", "lan0"]);
  });

  it("finds the names that are no pool or node", () => {
    const policy = normalizePolicy({
      publishedPorts: [{ port: 80, pools: ["web", "old"] }],
      hostServices: [{ port: 9100, nodes: ["web-1", "gone-1"] }],
      containerEgress: { open: [{ pools: ["web", "older"] }] },
    });
    expect(unknownScopeNames(policy, { pools: ["web"], nodes: ["web-1"] })).toEqual([
      "node gone-1",
      "pool old",
      "pool older",
    ]);
  });
});

describe("policyEntries", () => {
  it("is a line for each opening", () => {
    const policy = normalizePolicy({
      publishedPorts: [
        { port: 80 },
        { port: 8000, endPort: 8100, protocol: "udp", sources: ["10.0.0.0/8"], pools: ["web"], nodes: ["db-1"] },
      ],
      hostServices: [{ port: 9100, sources: Array.from({ length: 20 }, (_, index) => `10.0.${index}.0/24`) }],
      ssh: { rateLimit: { perMinute: 10, burst: 20 } },
      containerToHost: [{ port: 53, protocol: "udp" }],
      trustedInterfaces: ["app0"],
      metadataAccess: true,
      containerEgress: { open: [{ port: 443 }, { destinations: ["10.0.0.0/8"], pools: ["web"] }] },
      logDrops: { enabled: true },
    });
    expect(policyEntries(policy)).toEqual({
      "ssh tcp/22": "from anywhere, 10 a minute a source after 20",
      "icmp echo": "from anywhere",
      "tcp/80": "from anywhere",
      "udp/8000-8100 on pool web, node db-1": "from 10.0.0.0/8",
      "host tcp/9100": expect.stringMatching(
        /^from 20 networks, 10\.0\.0\.0\/24 to 10\.0\.19\.0\/24 \(list [0-9a-f]{8}\)$/,
      ),
      "container udp/53": "from containers",
      egress: "closed to containers but for what is opened",
      "egress tcp/443": "to anywhere",
      "egress all on pool web": "to 10.0.0.0/8",
      "trusted app0": "forwarding is free",
      metadata: "open to containers",
      "log drops": "6 a minute a chain",
    });
  });

  it("shows a change in the middle of a long list", () => {
    const listed = (third: number): string | undefined => {
      const sources = Array.from({ length: 20 }, (_, index) => `10.${index === 10 ? third : 0}.${index}.0/24`);
      return policyEntries(
        normalizePolicy({ publishedPorts: [{ port: 1, sources: [...sources, "10.0.0.0/24", "11.0.0.0/8"] }] }),
      )["tcp/1"];
    };
    expect(listed(1)).not.toBe(listed(2));
  });
});
