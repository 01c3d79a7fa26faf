/**
 * What a long list of sources costs a packet: the payload of a policy with 10 and with 10,000 networks (IP sets), and the same
 * 10,000 as one iptables rule each. Two network namespaces of this machine, real iptables-nft; frames of new connections from
 * the list's last network are put on a veth, whose other end runs the rules in the sender's own system call.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileRuleset, normalizePolicy, renderPayload } from "../../packages/swarm/src/firewall/index.js";
import { ethernet, udp4 } from "../swarm/attacks/frames.js";

const port = 9999;
const [rulesSide, sender] = [`hcb-${process.pid}-r`, `hcb-${process.pid}-s`];
const batch = 1000;
const rounds = 60;

/** Network number `index` of a list: a /24 each, from 20.0.0.0 on. */
const network = (index: number): string => `20.${index >> 8}.${index & 255}.0/24`;
const networks = (count: number): string[] => Array.from({ length: count }, (_, index) => network(index));

/** The chain that packets for a host service of these sources meet, as the component makes it. */
function setRules(count: number): { sets: string; rules: string } {
  const policy = normalizePolicy({ hostServices: [{ port, protocol: "udp", sources: networks(count) }] });
  const payload = renderPayload(compileRuleset(policy, { name: "n", pool: "n", role: "standalone" }));
  const section = (name: string) => new RegExp(`^### ${name}\\n([^#]*)`, "m").exec(payload)?.[1] ?? "";
  return { sets: section("sets"), rules: `${section("iptables")}*filter\n-A INPUT -j HC-IN\nCOMMIT\n` };
}

/** The same with a rule for each network, as scripts do it. */
function ruleRules(count: number): { sets: string; rules: string } {
  const { rules } = setRules(10);
  const rule = /^-A HC-IN .*--match-set .*$/m;
  const [one] = rule.exec(rules) ?? [];
  if (one === undefined) throw new Error("the payload has no rule with a set");
  const each = networks(count).map((cidr) =>
    one.replace(/ -m set --match-set \S+ src/, "").replace("-A HC-IN", `-A HC-IN -s ${cidr}`),
  );
  return {
    sets: "",
    rules: rules
      .replace(/^.*--match-set .*$/gm, "")
      .replace(/^-A HC-IN -j DROP$/m, `${each.join("\n")}\n-A HC-IN -j DROP`),
  };
}

const ip = (...args: string[]) => execFileSync("ip", args, { stdio: ["ignore", "ignore", "inherit"] });
const inside = (namespace: string, command: string, args: readonly string[], input = ""): string =>
  execFileSync("ip", ["netns", "exec", namespace, command, ...args], { input, encoding: "utf8", maxBuffer: 1 << 28 });

/** Microseconds a packet: the best of many rounds, for whatever else this machine does only adds. */
function measure({ sets, rules }: { sets: string; rules: string }, last: string, folder: string): number {
  // Not one after the other in the same chains: the rules of the list before would count, too.
  inside(rulesSide, "iptables-nft", ["-F"]);
  inside(rulesSide, "ipset", ["-exist", "restore"], sets);
  inside(rulesSide, "iptables-nft-restore", ["--noflush"], rules);
  const source = last.replace(/0\/24$/, "9");
  const mac = inside(rulesSide, "cat", ["/sys/class/net/bench0/address"]).trim();
  const frames = Array.from({ length: batch }, (_, index) => {
    const packet = udp4({
      source,
      destination: "198.18.0.1",
      sourcePort: 10_000 + index,
      destinationPort: port,
      payload: Buffer.from("bench"),
    });
    return ethernet({ source: "02:00:00:00:00:01", destination: mac }, packet).toString("hex");
  });
  const file = join(folder, "frames");
  writeFileSync(file, frames.join("\n"));
  const script = `
import socket, subprocess, sys, time
frames = [bytes.fromhex(line) for line in open(sys.argv[1]).read().split()]
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("bench1", 0))
best = None
for _ in range(${rounds}):
    # New connections each time: an established one would never meet the list.
    subprocess.run(["ip", "netns", "exec", sys.argv[2], "conntrack", "-F"], stderr=subprocess.DEVNULL, check=True)
    begin = time.perf_counter()
    for frame in frames: wire.send(frame)
    spent = (time.perf_counter() - begin) / len(frames) * 1e6
    best = spent if best is None else min(best, spent)
print(best)`;
  const run = inside(sender, "python3", ["-c", script, file, rulesSide]);
  const counted = inside(rulesSide, "iptables-nft", ["-nvxL", "HC-IN"]);
  // The control: every packet met the rule for its port, or the numbers say nothing.
  const accepted = counted
    .split("\n")
    .filter((line) => line.includes(` ${port}`))
    .reduce((sum, line) => sum + Number(line.trim().split(/\s+/)[0]), 0);
  if (accepted !== batch * rounds)
    throw new Error(`${accepted} of ${batch * rounds} packets met the rule:\n${counted}`);
  return Number(run);
}

function main(): void {
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  try {
    for (const name of [rulesSide, sender]) ip("netns", "add", name);
    ip("-n", rulesSide, "link", "add", "bench0", "type", "veth", "peer", "name", "bench1", "netns", sender);
    for (const [name, device] of [
      [rulesSide, "bench0"],
      [sender, "bench1"],
    ] as const)
      ip("-n", name, "link", "set", device, "up");
    ip("-n", rulesSide, "addr", "add", "198.18.0.1/24", "dev", "bench0");
    ip("-n", rulesSide, "route", "add", "20.0.0.0/8", "dev", "bench0");
    const few = measure(setRules(10), network(9), folder);
    const many = measure(setRules(10_000), network(9_999), folder);
    const each = measure(ruleRules(10_000), network(9_999), folder);
    const line = (what: string, value: number) =>
      process.stdout.write(
        `${what.padEnd(34)} ${value.toFixed(2).padStart(9)} µs a packet  ${(value / few).toFixed(2)} x\n`,
      );
    line("10 networks, one set", few);
    line("10,000 networks, one set", many);
    line("10,000 networks, one rule each", each);
  } finally {
    for (const name of [rulesSide, sender]) ip("netns", "del", name);
    rmSync(folder, { recursive: true, force: true });
  }
}

main();
