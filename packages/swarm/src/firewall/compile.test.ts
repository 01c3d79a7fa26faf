import { describe, expect, it } from "vitest";
import { compileRuleset } from "./compile";
import { PolicyError } from "./errors";
import type { NodeFacts } from "./node";
import { renderPayload } from "./payload";
import { normalizePolicy, type PolicyInput } from "./policy";
import { broad, broadNode, limited } from "./testing/broad";

const manager: NodeFacts = { name: "manager-1", pool: "manager", role: "manager" };
const worker: NodeFacts = { name: "worker-1", pool: "worker", role: "worker" };

function payloadOf(policy: PolicyInput, node: NodeFacts = manager): string {
  return renderPayload(compileRuleset(normalizePolicy(policy), node));
}

function added(before: string, after: string): readonly string[] {
  const known = new Set(before.split("\n"));
  return after.split("\n").filter((line) => !known.has(line));
}

describe("payloads to read", () => {
  it.each([
    ["default-manager", {}, manager],
    ["default-worker", {}, worker],
    ["default-standalone", {}, { ...worker, role: "standalone" }],
    ["everything", broad, broadNode],
    ["container-egress", limited, broadNode],
  ] as const)("%s", async (name, policy, node) => {
    await expect(payloadOf(policy, node)).toMatchFileSnapshot(`testing/golden/${name}.txt`);
  });
});

describe("compileRuleset", () => {
  it("differs between manager and worker by port 2377 alone", () => {
    const open = (chain: string) => `-A HC-${chain} -p tcp -m tcp --dport 2377 -m set --match-set hc-peers`;
    expect(added(payloadOf({}, worker), payloadOf({}, manager))).toEqual([
      ...[`${open("BELTIN")}4 src -j RETURN`, `${open("IN")}4 src -j RETURN`],
      ...[`${open("BELTIN")}6 src -j RETURN`, `${open("IN")}6 src -j RETURN`],
    ]);
    expect(added(payloadOf({}, manager), payloadOf({}, worker))).toEqual([]);
  });

  it("opens a port with the same line in belt and chain, where containers and docker-proxy need it, and nowhere else", () => {
    const match = "-p tcp -m conntrack --ctstate NEW --ctorigdstport 8443 --ctdir ORIGINAL -j RETURN";
    const ports = [{ port: 80 }, { port: 443 }];
    const lines = added(payloadOf({}), payloadOf({ publishedPorts: [...ports, { port: 8443 }] }));
    const inet = ["BELTCTR", "BELT", "CTR", "FWD"];
    const inet6 = ["BELTIN", "BELTCTR", "BELT", "IN", "CTR", "FWD"];
    expect(lines).toEqual([...inet, ...inet6].map((chain) => `-A HC-${chain} ${match}`));
  });

  it("says one network as an address and more as a set of each family", () => {
    const text = payloadOf({
      publishedPorts: [{ port: 443, sources: ["192.0.2.0/24", "192.0.2.9", "203.0.113.1", "2001:db8::1"] }],
    });
    expect(text).toContain(
      "### sets\ncreate hc-p-tcp-443-4 hash:net family inet hashsize 1024 maxelem 65536\nadd hc-p-tcp-443-4 192.0.2.0/24\nadd hc-p-tcp-443-4 203.0.113.1\n### iptables",
    );
    expect(text).toContain(
      "-A HC-FWD -s 2001:db8::1/128 -p tcp -m conntrack --ctstate NEW --ctorigdstport 443 --ctdir ORIGINAL -j RETURN",
    );
    expect(text).toContain("--ctorigdstport 443 --ctdir ORIGINAL -m set --match-set hc-p-tcp-443-4 src -j RETURN");
  });

  it("opens what is limited to pools or nodes there and not elsewhere", () => {
    const policy: PolicyInput = {
      publishedPorts: [
        { port: 8443, pools: ["worker"] },
        { port: 9443, nodes: ["manager-1"] },
      ],
    };
    expect([payloadOf(policy, manager).includes("8443"), payloadOf(policy, manager).includes("9443")]).toEqual([
      false,
      true,
    ]);
    expect([payloadOf(policy, worker).includes("8443"), payloadOf(policy, worker).includes("9443")]).toEqual([
      true,
      false,
    ]);
  });

  it("does not open SSH's or the swarm's ports on the host with a range of published ports", () => {
    const lines = payloadOf({ publishedPorts: [{ port: 1, endPort: 65535 }], ssh: { sources: ["192.0.2.1"] } }).split(
      "\n",
    );
    const guard = (protocol: string, port: number): string =>
      `-A HC-IN -p ${protocol} -m conntrack --ctstate NEW --ctorigdstport ${port} --ctdir ORIGINAL -m comment --comment "not among published ports" -j DROP`;
    const range = lines.lastIndexOf(
      "-A HC-IN -p tcp -m conntrack --ctstate NEW --ctorigdstport 1:65535 --ctdir ORIGINAL -j RETURN",
    );
    for (const line of [guard("tcp", 22), guard("tcp", 2377), guard("tcp", 7946)]) {
      expect(lines).toContain(line);
      expect(lines.indexOf(line)).toBeLessThan(range);
    }
  });

  it.each<[PolicyInput, string]>([
    [{ hostServices: [{ port: 2377 }] }, "hostServices: given 2377/tcp on manager-1"],
    [
      { hostServices: [{ port: 7000, endPort: 8000, protocol: "udp" }] },
      "hostServices: given 7000-8000/udp on manager-1",
    ],
    [{ containerToHost: [{ port: 4789, protocol: "udp" }] }, "containerToHost: given 4789/udp on manager-1"],
  ])("refuses the swarm's own ports as host services: %j", (policy, message) => {
    expect(() => payloadOf(policy)).toThrow(PolicyError);
    expect(() => payloadOf(policy)).toThrow(message);
    expect(() => payloadOf(policy, { ...manager, role: "standalone" })).not.toThrow();
  });

  it("opens SSH of a node without a public address to its private network too, and nothing where that is open anyway", () => {
    const hidden = { ...worker, sshNetwork: "10.0.0.0/16" };
    expect(payloadOf({}, hidden)).toBe(payloadOf({}, worker));
    const office: PolicyInput = { ssh: { sources: ["192.0.2.0/24"] } };
    expect(payloadOf(office, worker)).toContain("-A HC-IN -s 192.0.2.0/24 -p tcp -m tcp --dport 22 -j RETURN");
    const text = payloadOf(office, hidden);
    expect(text).toContain("-A HC-IN -p tcp -m tcp --dport 22 -m set --match-set hc-ssh-4 src -j RETURN");
    expect(text).toMatch(/add hc-ssh-4 10\.0\.0\.0\/16\n.*add hc-ssh-4 192\.0\.2\.0\/24\n/s);
    expect(payloadOf({ ssh: { sources: ["10.0.0.0/8"] } }, hidden)).toBe(
      payloadOf({ ssh: { sources: ["10.0.0.0/8"] } }, worker),
    );
  });

  it("follows another data path port", () => {
    const text = payloadOf({}, { ...worker, swarm: { dataPathPort: 5789 } });
    expect(text).toContain("--dport 5789 -m set --match-set hc-peers4 src -j RETURN");
    expect(text).not.toContain("4789");
  });

  it("limits what containers dial in a chain of its own, in belt and filter alike, opened by destination", () => {
    const text = payloadOf({
      containerEgress: { open: [{ port: 443, destinations: ["192.0.2.0/24", "198.51.100.7", "2001:db8::/32"] }] },
    });
    for (const [from, chain] of [
      ["HC-FWD", "HC-EGRESS"],
      ["HC-BELT", "HC-EGBELT"],
    ]) {
      expect(text).toContain(`-A ${from} -i docker_gwbridge -g ${chain}\n`);
      expect(text).toContain(`-A ${chain} -o docker_gwbridge -j RETURN\n`);
      const dialed = "-p tcp -m conntrack --ctstate NEW --ctorigdstport 443 --ctdir ORIGINAL";
      expect(text).toContain(
        `-A ${chain} ${dialed} -m set --match-set hc-e-tcp-443-4 dst -j RETURN\n-A ${chain} -j DROP\n`,
      );
      expect(text).toContain(`-A ${chain} -d 2001:db8::/32 ${dialed} -j RETURN\n-A ${chain} -j DROP\n`);
    }
    expect(text).toContain("add hc-e-tcp-443-4 192.0.2.0/24\nadd hc-e-tcp-443-4 198.51.100.7\n");
  });

  it("opens every port of a protocol, and every protocol", () => {
    const text = payloadOf({ containerEgress: { open: [{ protocol: "udp", destinations: ["192.0.2.1"] }] } });
    expect(text).toContain(
      "-A HC-EGRESS -d 192.0.2.1/32 -p udp -m conntrack --ctstate NEW --ctorigdstport 1:65535 --ctdir ORIGINAL -j RETURN",
    );
    const all = payloadOf({ containerEgress: { open: [{ destinations: ["192.0.2.1"] }, { port: 443 }] } });
    expect(all).toContain("-A HC-EGRESS -d 192.0.2.1/32 -m conntrack --ctstate NEW -j RETURN");
    // Everything everywhere makes the rest of the list needless.
    const free = payloadOf({ containerEgress: { open: [{}, { port: 443 }] } });
    expect(free.match(/^-A HC-EGRESS (?!-o ).*$/gm)).toEqual(
      Array.from({ length: 2 }, () => [
        "-A HC-EGRESS -m conntrack --ctstate NEW -j RETURN",
        "-A HC-EGRESS -j DROP",
      ]).flat(),
    );
  });

  it("opens egress of containers on the nodes that it is limited to", () => {
    const policy: PolicyInput = { containerEgress: { open: [{ port: 443, pools: ["worker"] }] } };
    const opened = (node: NodeFacts): boolean => /^-A HC-EGRESS .*443/m.test(payloadOf(policy, node));
    expect([opened(manager), opened(worker)]).toEqual([false, true]);
    expect(payloadOf(policy, manager)).toContain("-A HC-EGRESS -j DROP");
  });

  it("opens the metadata service to containers only when told", () => {
    expect(payloadOf({}, broadNode)).toContain(
      '-A HC-OUT -d 169.254.169.254/32 -m cgroup --path "docker.slice" -j DROP',
    );
    const { egress: _, ...node } = broadNode;
    const opened = payloadOf({ metadataAccess: true }, node);
    expect(opened).not.toContain("169.254");
    expect(opened.match(/^-A HC-OUT .*$/gm)).toEqual([
      '-A HC-OUT -p udp -m udp --dport 4789 -m cgroup --path "docker.slice" -j DROP',
    ]);
    expect(payloadOf({ metadataAccess: true }, { ...node, role: "standalone" })).not.toContain("HC-OUT");
  });
});
