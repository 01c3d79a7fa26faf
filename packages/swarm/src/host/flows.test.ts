/**
 * Which flows a payload ends: the agent's own reading of it, in awk, against the packet evaluator, which shares no code with it.
 * On random policies and flows; every flow that would not be let through anew must go, ICMP's from outside excepted, and no other.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compileRuleset, normalizePolicy, type PolicyInput, renderPayload } from "../firewall";
import { nodes, peers, policies } from "../firewall/testing/arbitraries";
import { evaluate, type Packet, readBundle } from "../testing/evaluator";
import { sectionOf } from "../testing/namespace";

interface Flow {
  readonly protocol: "tcp" | "udp" | "sctp" | "icmp" | "ipv6-icmp" | "esp";
  readonly source: string;
  readonly dialed: string;
  /** Where it was led to; `dialed` when it was not. */
  readonly led: string;
  readonly sourcePort: number;
  readonly dialedPort: number;
  readonly ledPort: number;
  readonly icmpType: number;
  /** It left by eth0 with the host's address. */
  readonly masqueraded: boolean;
}

const families = ["inet", "inet6"] as const;
type Family = (typeof families)[number];
/** The host's own addresses, as `ip -o addr` has them, and what is on each side of it. */
const here = {
  inet: [
    ["lo", "127.0.0.1/8"],
    ["eth0", "203.0.113.10/32"],
    ["enp7s0", "10.0.0.5/32"],
    ["docker0", "172.17.0.1/16"],
    ["appnet0", "172.30.0.1/16"],
  ],
  inet6: [
    ["lo", "::1/128"],
    ["eth0", "2001:db8:ffff::1/64"],
    ["docker0", "fd00:17::1/64"],
    ["appnet0", "fd00:30::1/64"],
  ],
} as const;
const sources = {
  inet: ["192.0.2.7", "192.0.2.8", "10.0.0.2", "10.9.9.9", "198.51.100.1", "172.17.0.5", "172.30.0.9", "203.0.113.10"],
  inet6: ["2001:db8::1", "2001:db8:1::7", "2001:db9::1", "fd00:1::2", "fe80::1", "fd00:17::5", "fd00:30::9"],
} as const;
const targets = {
  inet: ["203.0.113.10", "203.0.113.10", "10.0.0.5", "172.17.0.1", "172.17.0.5", "192.0.2.7", "169.254.169.254"],
  inet6: ["2001:db8:ffff::1", "2001:db8:ffff::1", "fd00:17::1", "fd00:17::5", "2001:db8:1::7"],
} as const;
const containers = { inet: ["172.17.0.5", "172.30.0.9"], inet6: ["fd00:17::5", "fd00:30::9"] } as const;

const flowsOf = (family: Family): fc.Arbitrary<Flow> =>
  fc
    .record({
      protocol: fc.constantFrom<Flow["protocol"]>(
        ...(["tcp", "tcp", "tcp", "udp", "udp", "sctp", "esp"] as const),
        family === "inet" ? "icmp" : "ipv6-icmp",
      ),
      source: fc.constantFrom<string>(...sources[family]),
      dialed: fc.constantFrom<string>(...targets[family]),
      container: fc.option(fc.constantFrom<string>(...containers[family])),
      sourcePort: fc.constantFrom(67, 4789, 40000),
      dialedPort: fc.constantFrom(22, 53, 80, 81, 443, 2222, 2377, 4789, 7946, 8000, 8080, 8200, 9100, 31000),
      ledPort: fc.constantFrom(80, 8000, 2377),
      icmpType: fc.constantFrom(...(family === "inet" ? [8, 13] : [128, 139])),
      leaves: fc.boolean(),
    })
    .map(({ container, leaves, ...flow }): Flow => {
      // Through the host, from one outside to another.
      if (leaves && family === "inet") {
        return { ...flow, dialed: "192.0.2.7", led: "192.0.2.7", ledPort: flow.dialedPort, masqueraded: true };
      }
      const led = container !== null && /tcp|udp|sctp/.test(flow.protocol);
      const ledPort = led ? flow.ledPort : flow.dialedPort;
      return { ...flow, led: led ? container : flow.dialed, ledPort, masqueraded: false };
    });

/** As `conntrack -L` prints it. */
function printed(flow: Flow): string {
  const { protocol, source, dialed, led, sourcePort, dialedPort, ledPort, icmpType } = flow;
  const answered = flow.masqueraded ? "203.0.113.10" : source;
  const numbers = { tcp: 6, udp: 17, sctp: 132, icmp: 1, "ipv6-icmp": 58, esp: 50 } as const;
  const name = protocol === "ipv6-icmp" ? "icmpv6" : protocol === "esp" ? "unknown" : protocol;
  const state = protocol === "tcp" || protocol === "sctp" ? "ESTABLISHED " : "";
  const sides = /icmp/.test(protocol)
    ? [`type=${icmpType} code=0 id=7 `, `type=0 code=0 id=7 `]
    : protocol === "esp"
      ? ["", ""]
      : [`sport=${sourcePort} dport=${dialedPort} `, `sport=${ledPort} dport=${sourcePort} `];
  return `${name.padEnd(8)} ${numbers[protocol]} 299 ${state}src=${source} dst=${dialed} ${sides[0]}src=${led} dst=${answered} ${sides[1]}[ASSURED] mark=0 use=1`;
}

/** What must come of it. */
function ended(bundle: ReturnType<typeof readBundle>, family: Family, flow: Flow): boolean {
  const own: readonly string[] = here[family].map(([, network]) => network.split("/")[0] ?? "");
  if (own.includes(flow.source)) return false;
  const [docker, app] = containers[family];
  const trusted = (name: string) =>
    [...bundle.chains.entries()].some(
      ([chain, lines]) =>
        chain === `${family} filter HC-FWD` &&
        lines.some((line) => {
          const pattern = /^-A HC-FWD -i (\S+) -(?:j RETURN|g HC-EGRESS)$/.exec(line)?.[1] ?? "-";
          return pattern.endsWith("+") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
        }),
    );
  const side =
    flow.source === docker
      ? "docker0"
      : flow.source === app && trusted("appnet0")
        ? "appnet0"
        : /^10\./.test(flow.source)
          ? "enp7s0"
          : "eth0";
  const fromContainer = side === "docker0" || side === "appnet0";
  if (/icmp/.test(flow.protocol) && (!fromContainer || own.includes(flow.led))) return false;
  const packet: Packet = {
    family,
    path: own.includes(flow.led) ? "input" : "forward",
    inInterface: side,
    outInterface: flow.masqueraded ? "eth0" : flow.led === docker ? "docker0" : flow.led === app ? "appnet0" : "",
    source: flow.source,
    destination: flow.led,
    dialedAddress: flow.dialed,
    protocol: flow.protocol,
    sourcePort: flow.sourcePort,
    destinationPort: flow.ledPort,
    dialedPort: flow.dialedPort,
    translated: flow.led !== flow.dialed || flow.ledPort !== flow.dialedPort,
    state: "NEW",
    direction: "ORIGINAL",
    syn: true,
    icmpType: flow.icmpType,
    wrongWay: false,
    overRate: false,
    cgroup: "system.slice",
  };
  return !evaluate(bundle, packet).open;
}

describe("flows that a payload ends", () => {
  const home = mkdtempSync(join(tmpdir(), "flows-"));
  const agent = join(__dirname, "agent");
  beforeAll(() => mkdirSync(join(home, "payload")));
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  /** Arguments for conntrack, of the flows that go. */
  function refused(payload: string, flows: readonly Flow[], spared = ""): string[] {
    const files = {
      "payload/sets": sectionOf(payload, "sets"),
      "payload/4": sectionOf(payload, "iptables"),
      "payload/6": sectionOf(payload, "ip6tables"),
      "payload/peers": `${peers.join("\n")}\n`,
      // As `ip -o addr show` prints them.
      addresses: [...here.inet.map((at) => ["inet", ...at]), ...here.inet6.map((at) => ["inet6", ...at])]
        .map(([kind, name, network], i) => `${i + 1}: ${name}    ${kind} ${network} scope global ${name}\n`)
        .join(""),
      flows: flows.map((flow) => `${printed(flow)}\n`).join(""),
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(home, name), text);
    const script = `set -eu; WORK=${home}; . '${agent}/50-flows.sh'; refused_flows ${home}/payload '${spared}'`;
    const run = spawnSync("sh", ["-c", script], { encoding: "utf8" });
    expect(run.stderr).toBe("");
    expect(run.status).toBe(0);
    return run.stdout.split("\n").filter((line) => line !== "");
  }

  const argumentsOf = (flow: Flow): string => {
    const ports = /tcp|udp|sctp/.test(flow.protocol) ? ` --sport ${flow.sourcePort} --dport ${flow.dialedPort}` : "";
    const name = { esp: "50", "ipv6-icmp": "icmpv6" }[flow.protocol as string] ?? flow.protocol;
    return `-D -p ${name} -s ${flow.source} -d ${flow.dialed}${ports}`;
  };

  it("are those that would not be let in anew, on random policies", () => {
    let gone = 0;
    let kept = 0;
    fc.assert(
      fc.property(
        policies,
        nodes,
        fc.array(flowsOf("inet"), { minLength: 60, maxLength: 60 }),
        fc.array(flowsOf("inet6"), { minLength: 60, maxLength: 60 }),
        (policy, node, flows4, flows6) => {
          const payload = renderPayload(compileRuleset(normalizePolicy(policy), node));
          const bundle = readBundle(payload, peers);
          const must = [
            ...flows4.filter((flow) => ended(bundle, "inet", flow)),
            ...flows6.filter((flow) => ended(bundle, "inet6", flow)),
          ];
          gone += must.length;
          kept += flows4.length + flows6.length - must.length;
          expect(refused(payload, [...flows4, ...flows6])).toEqual(must.map(argumentsOf));
        },
      ),
      { numRuns: 12 },
    );
    // The control: both happened, often.
    expect(gone).toBeGreaterThan(200);
    expect(kept).toBeGreaterThan(200);
  }, 120_000);

  const node = { name: "m", pool: "m", role: "manager" } as const;
  const payloadFor = (policy: PolicyInput) => renderPayload(compileRuleset(normalizePolicy(policy), node));
  const ssh = (source: string, sourcePort = 40000): Flow => ({
    protocol: "tcp",
    source,
    dialed: "203.0.113.10",
    led: "203.0.113.10",
    sourcePort,
    dialedPort: 22,
    ledPort: 22,
    icmpType: 8,
  });

  it("are SSH's too, from sources that it has no more, but for the connection that brings the payload", () => {
    const payload = payloadFor({ ssh: { sources: ["192.0.2.7"] } });
    const flows = [ssh("192.0.2.7"), ssh("192.0.2.8"), ssh("198.51.100.1", 40001)];
    expect(refused(payload, flows, "198.51.100.1 40001 203.0.113.10 22")).toEqual([argumentsOf(ssh("192.0.2.8"))]);
  });

  it("of IPv6 are not a peer's for beginning with the bits of an IPv4 one", () => {
    const control = { ...ssh("10.0.0.2"), dialedPort: 7946, ledPort: 7946 };
    const host = { dialed: "2001:db8:ffff::1", led: "2001:db8:ffff::1" };
    const alike = { ...control, ...host, source: "a00:2::5" };
    expect(peers).toContain(control.source);
    expect(refused(payloadFor({}), [control, alike])).toEqual([argumentsOf(alike)]);
  });

  it("are told among ten thousand networks", () => {
    const networks = Array.from({ length: 10_000 }, (_, i) => `10.${100 + (i >> 8)}.${i & 255}.0/25`);
    const payload = payloadFor({ publishedPorts: [{ port: 443, sources: networks }] });
    const flows = Array.from({ length: 500 }, (_, i): Flow => {
      return { ...ssh(`10.100.${i >> 1}.${(i & 1) * 200 + 3}`), dialedPort: 443, led: "172.17.0.5", ledPort: 80 };
    });
    expect(refused(payload, flows)).toHaveLength(250);
  }, 60_000);
});
