/**
 * What a long list of sources costs a packet: the payload of a policy with 10 and with 10,000 networks (IP sets), and the same
 * 10,000 as one iptables rule each; on the way to the host (INPUT) and on the way to a container (the belt in mangle, then
 * FORWARD). Fails where 10,000 cost noticeably more than 10.
 *
 * Network namespaces of this machine, real iptables-nft, one for each list; frames of new connections from the list's last network
 * are put on a veth, whose other end runs the rules in the sender's own system call. The lists take turns, so that whatever else
 * this machine does hits all of them, and each round gives a ratio of its own; the median of those counts.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileRuleset, normalizePolicy, renderPayload } from "../../packages/swarm/src/firewall/index.js";
import type { Chain, Rule, Ruleset, Table } from "../../packages/swarm/src/firewall/ruleset.js";
import { Namespace, sectionOf } from "../../packages/swarm/src/testing/namespace.js";
import { ethernet, udp4 } from "../swarm/attacks/frames.js";

/** How many times the packet's cost with 10 networks it may be with 10,000. */
const mostRatio = 1.25;
const batch = 1000;
const rounds = 60;
const hostPort = 9999;
const publishedPort = 9998;
const hostIp = "198.18.0.1";
const containerIp = "172.17.0.2";
const senderMac = "02:00:00:00:00:01";

interface Way {
  readonly name: string;
  readonly port: number;
  /** The chains of ours that decide. */
  readonly chains: readonly (readonly [table: string, chain: string])[];
}

const ways: readonly Way[] = [
  { name: "to the host: INPUT", port: hostPort, chains: [["filter", "HC-IN"]] },
  {
    name: "to a container: the belt in mangle, then FORWARD",
    port: publishedPort,
    chains: [
      ["mangle", "HC-BELT"],
      ["filter", "HC-FWD"],
    ],
  },
];

/** Network number `index` of a list: a /24 each, from 20.0.0.0 on. */
const network = (index: number): string => `20.${index >> 8}.${index & 255}.0/24`;
const networks = (count: number): string[] => Array.from({ length: count }, (_, index) => network(index));

/** As the component makes it. */
function withSets(count: number): Ruleset {
  const sources = networks(count);
  const policy = normalizePolicy({
    hostServices: [{ port: hostPort, protocol: "udp", sources }],
    publishedPorts: [{ port: publishedPort, protocol: "udp", sources }],
  });
  return compileRuleset(policy, { name: "n", pool: "n", role: "standalone" });
}

/** The same with a rule for each network, as scripts do it. */
function withRules(count: number): Ruleset {
  const isListed = (rule: Rule) => rule.matches.some(({ kind }) => kind === "set");
  const eachOf = (rule: Rule): readonly Rule[] => {
    if (!isListed(rule)) return [rule];
    const matches = rule.matches.filter(({ kind }) => kind !== "set");
    return networks(count).map((source) => ({ ...rule, source, matches }));
  };
  // Containers' way to their host is not measured, and loading would take longer.
  const unrolled = ({ name, rules }: Chain): Chain => ({
    name,
    rules: name === "HC-CTR" ? rules.filter((rule) => !isListed(rule)) : rules.flatMap(eachOf),
  });
  const ruleset = withSets(10);
  const inet = ruleset.inet.map((table): Table => ({ ...table, chains: table.chains.map(unrolled) }));
  return { ...ruleset, sets: [], inet };
}

/** A list of sources in a namespace of its own. */
interface List {
  readonly name: string;
  readonly ruleset: Ruleset;
  readonly namespace: Namespace;
  /** The sender's end of its wire. */
  readonly device: string;
  /** The last network in it. */
  readonly last: string;
  /** Measured every so many rounds. */
  readonly every: number;
}

/** Wires the namespace to the sender, and loads the rules. */
function prepare({ namespace, device, ruleset }: List, sender: Namespace): void {
  namespace.ip(`link add eth0 type veth peer name ${device} netns ${sender.name}
    link add docker0 type bridge
    addr add ${hostIp}/24 dev eth0
    addr add 172.17.0.1/16 dev docker0
    link set eth0 up\nlink set docker0 up
    route add 20.0.0.0/8 dev eth0
    neighbour add ${containerIp} lladdr 02:00:00:00:00:02 dev docker0`);
  sender.ip(`link set ${device} up`);
  namespace.run("sysctl", "-qw", "net.ipv4.ip_forward=1");
  const payload = renderPayload(ruleset);
  const hooks = ruleset.hooks.map(({ table, chain, target }) => `*${table}\n-A ${chain} -j ${target}\nCOMMIT\n`);
  const published = `-p udp -m udp --dport ${publishedPort} -m addrtype --dst-type LOCAL -j DNAT --to-destination ${containerIp}:53`;
  namespace.feed(sectionOf(payload, "sets"), "ipset", "restore");
  namespace.feed(
    `${sectionOf(payload, "iptables")}*filter\n:DOCKER-USER - [0:0]\nCOMMIT\n${hooks.join("")}*nat\n-A PREROUTING ${published}\nCOMMIT\n`,
    "iptables-nft-restore",
    "--noflush",
  );
}

/** New connections from the list's last network, to be sent as they are. */
function framesFor({ namespace, last }: List, { port }: Way): string {
  const destination = namespace.run("cat", "/sys/class/net/eth0/address").trim();
  const frames = Array.from({ length: batch }, (_, index) => {
    const source = last.replace(/0\/24$/, "9");
    const ports = { sourcePort: 10_000 + index, destinationPort: port };
    const packet = udp4({ source, destination: hostIp, ...ports, payload: Buffer.from("bench") });
    return ethernet({ source: senderMac, destination }, packet).toString("hex");
  });
  return frames.join("\n");
}

const sending = `
import json, socket, statistics, subprocess, sys, time
lists = json.load(sys.stdin)
for one in lists:
    frames = [bytes.fromhex(line) for line in open(one["file"]).read().split()]
    one["pieces"] = [frames[at:at + 50] for at in range(0, len(frames), 50)]
    one["wire"] = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    one["wire"].bind((one["device"], 0))
    one["spent"] = []
for round in range(${rounds}):
    # No list is always the first.
    turn = round % len(lists)
    for one in lists[turn:] + lists[:turn]:
        if round % one["every"]:
            one["spent"].append(None)
            continue
        # New connections each time: an established one would never meet the list.
        subprocess.run(["ip", "netns", "exec", one["namespace"], "conntrack", "-F"], stderr=subprocess.DEVNULL, check=True)
        send, costs = one["wire"].send, []
        # In pieces: when this machine turns to something else, few of them notice.
        for piece in one["pieces"]:
            begin = time.perf_counter()
            for frame in piece: send(frame)
            costs.append((time.perf_counter() - begin) / len(piece) * 1e6)
        one["spent"].append(statistics.median(costs))
json.dump([one["spent"] for one in lists], sys.stdout)`;

/** Microseconds a packet of each list, round by round; none where the list was not measured in that round. */
function measure(sender: Namespace, lists: readonly List[], way: Way, folder: string): readonly (number | null)[][] {
  const asked = lists.map((list) => {
    const file = join(folder, `${list.device}-${way.port}`);
    writeFileSync(file, framesFor(list, way));
    return { device: list.device, namespace: list.namespace.name, every: list.every, file };
  });
  const spent: (number | null)[][] = JSON.parse(sender.feed(JSON.stringify(asked), "python3", "-c", sending));
  lists.forEach((list, index) => {
    const sent = batch * (spent[index] ?? []).filter((round) => round !== null).length;
    for (const [table, chain] of way.chains) refuseUnseen(list, way, table, chain, sent);
  });
  return spent;
}

/** The control: every packet met the rule for its port in each chain, or the numbers say nothing. */
function refuseUnseen({ name, namespace }: List, { port }: Way, table: string, chain: string, sent: number): void {
  const counted = namespace.run("iptables-nft", "-t", table, "-nvxL", chain).split("\n");
  const met = counted
    .filter((line) => line.includes(` ${port}`))
    .reduce((sum, line) => sum + Number(line.trim().split(/\s+/)[0]), 0);
  if (met === sent) return;
  throw new Error(`${name}: ${met} of ${sent} packets met their rule in ${chain}:\n${counted.slice(0, 40).join("\n")}`);
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const [low = Number.NaN, high = low] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return (low + high) / 2;
}

function main(): void {
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  const namespaces: Namespace[] = [];
  const made = (): Namespace => {
    const namespace = new Namespace();
    namespaces.push(namespace);
    return namespace;
  };
  try {
    const sender = made();
    const [few, many, each] = [withSets(10), withSets(10_000), withRules(10_000)];
    const lists: readonly List[] = [
      { name: "10 networks, one set", ruleset: few, device: "few", last: network(9), every: 1, namespace: made() },
      {
        name: "10,000 networks, one set",
        ruleset: many,
        device: "many",
        last: network(9_999),
        every: 1,
        namespace: made(),
      },
      {
        name: "10,000 networks, one rule each",
        ruleset: each,
        device: "each",
        last: network(9_999),
        every: 10,
        namespace: made(),
      },
    ];
    for (const list of lists) prepare(list, sender);
    process.stdout.write(`${rounds} rounds of ${batch} new connections, sending included; medians\n`);
    for (const way of ways) {
      const spent = measure(sender, lists, way, folder);
      process.stdout.write(`${way.name}\n`);
      lists.forEach(({ name, ruleset }, index) => {
        const own = spent[index] ?? [];
        const cost = median(own.filter((round) => round !== null));
        const ratio = median(
          own.flatMap((round, at) => (round === null ? [] : [round / (spent[0]?.[at] ?? Number.NaN)])),
        );
        const numbers = `${cost.toFixed(2).padStart(9)} µs a packet  ${ratio.toFixed(2).padStart(7)} x`;
        process.stdout.write(`  ${name.padEnd(32)} ${numbers}\n`);
        if (ruleset !== many || ratio <= mostRatio) return;
        process.stderr.write(`${way.name}: ${name}, cost ${ratio.toFixed(2)} x of 10; at most ${mostRatio} x\n`);
        process.exitCode = 1;
      });
    }
  } finally {
    for (const namespace of namespaces) namespace.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

main();
