/** Puts one of the compared rule sets on every node of the ready cluster. */
import { type Column, NotApplicable } from "./types.js";
import type { World } from "./world.js";

/** Ours leaves, and with it its timer: Docker and nothing else. The unit stays, for stopping it would stop Docker. */
const takeOursAway = "systemctl stop hcloud-iptables-check.timer; /opt/hcloud-iptables.sh remove";

/**
 * The four lines that this project grew out of: the container's ports 80 and 443 pass, other TCP that comes in by the public
 * interface does not, and SSH is accepted in INPUT, where nothing is ever dropped. Reconstructed from what is said of them
 * in the project's reference ("What is wrong with the seed's rules"): `--dports` after translation, TCP only, IPv4 only,
 * one named interface, `-N` that fails where Docker made the chain.
 */
export const seedLines: readonly string[] = [
  "iptables -N DOCKER-USER 2>/dev/null || :",
  "iptables -A INPUT -p tcp -m multiport --dports 22,80,443 -j ACCEPT",
  "iptables -I DOCKER-USER -i eth0 -p tcp -m multiport ! --dports 80,443 -m conntrack --ctstate NEW -j DROP",
  "iptables -I DOCKER-USER -i eth0 -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN",
];

/**
 * The approach that the ufw-docker project documents, in our own words: ufw denies what comes in to the host; DOCKER-USER asks
 * ufw's own forward chain first, lets private addresses pass, and drops new TCP and low UDP for private addresses. What may be
 * forwarded is named by the container's port. Applied with plain iptables, as ufw's after.rules would be, in IPv4 (its rules for
 * IPv6 came later and need bridges with IPv6); the swarm's ports are opened for the private network, as its users do.
 */
export const ufwDockerLines: readonly string[] = [
  "iptables -N ufw-user-forward",
  "iptables -A ufw-user-forward -p tcp --dport 80 -j ACCEPT",
  "iptables -A ufw-user-forward -p tcp --dport 8000 -j ACCEPT",
  "iptables -A ufw-user-forward -p tcp --dport 8081 -j ACCEPT",
  "iptables -A ufw-user-forward -p udp --dport 9001 -j ACCEPT",
  "iptables -A ufw-user-forward -p sctp --dport 9003 -j ACCEPT",
  "iptables -F DOCKER-USER",
  "iptables -A DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
  "iptables -A DOCKER-USER -m conntrack --ctstate INVALID -j DROP",
  "iptables -A DOCKER-USER -i docker0 -o docker0 -j ACCEPT",
  "iptables -A DOCKER-USER -j ufw-user-forward",
  ...["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"].map((range) => `iptables -A DOCKER-USER -s ${range} -j RETURN`),
  ...["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"].flatMap((range) => [
    `iptables -A DOCKER-USER -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -d ${range} -j DROP`,
    `iptables -A DOCKER-USER -p udp -m udp --dport 0:32767 -d ${range} -j DROP`,
  ]),
  "iptables -A DOCKER-USER -j RETURN",
  ...["iptables", "ip6tables"].flatMap((tool) => [
    `${tool} -A INPUT -i lo -j ACCEPT`,
    `${tool} -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
    `${tool} -A INPUT -p tcp -m multiport --dports 22,80,443 -j ACCEPT`,
  ]),
  "ip6tables -A INPUT -p ipv6-icmp -j ACCEPT",
  "iptables -A INPUT -p icmp -j ACCEPT",
  "iptables -A INPUT -p udp --sport 67 --dport 68 -j ACCEPT",
  "iptables -A INPUT -s 10.0.0.0/16 -p tcp -m multiport --dports 2377,7946 -j ACCEPT",
  "iptables -A INPUT -s 10.0.0.0/16 -p udp -m multiport --dports 4789,7946 -j ACCEPT",
  "iptables -A INPUT -s 10.0.0.0/16 -p esp -j ACCEPT",
  "iptables -A INPUT -j DROP",
  "ip6tables -A INPUT -j DROP",
];

/** What is run on a node of the ready cluster to have these rules there. */
export const linesOf = (column: Column): readonly string[] => lines[column];

const lines: Readonly<Record<Column, readonly string[]>> = {
  bare: [takeOursAway],
  seed: [takeOursAway, ...seedLines],
  "ufw-docker": [takeOursAway, ...ufwDockerLines],
  ours: [],
};

export async function putColumn(world: World): Promise<void> {
  const commands = lines[world.column];
  if (commands.length === 0) return;
  await Promise.all(world.both.map((node) => world.ssh(node, `set -e\n${commands.join("\n")}`)));
}

/** Why attacks of these groups are made on ours alone. */
export function onlyOurs(column: Column, group: "drift" | "lifecycle"): void {
  if (column === "ours") return;
  throw new NotApplicable(
    group === "drift"
      ? "there is nothing that would notice or repair: no verification, no payload to compare with"
      : "asked of ours alone: what its rules let in is in the attacks by packets, and it has no agent that could keep them",
  );
}
