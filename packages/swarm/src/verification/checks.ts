/** What each check of the host agent is about, and what to do when it fails. */

export interface CheckDescription {
  readonly what: string;
  readonly fix: string;
}

const reload =
  "systemctl reload hcloud-iptables puts the payload's rules back; journalctl -u hcloud-iptables-check says what changed";

/** By name; a `*` at the end stands for the part that differs by chain, family or set. The longest match counts. */
export const checkCatalogue: Readonly<Record<string, CheckDescription>> = {
  "iptables-nft-v*": {
    what: "iptables writes to the kernel's nf_tables, the backend that Docker uses too",
    fix: "update-alternatives --set iptables /usr/sbin/iptables-nft, likewise ip6tables, then restart Docker",
  },
  "no-legacy-rules-v*": {
    what: "no rules of the old iptables backend, which would apply beside ours unseen",
    fix: "find what loads them with iptables-legacy -S and ip6tables-legacy -S, remove it and restart the host",
  },
  "payload-present": {
    what: "the host has rules to enforce; without them only SSH is open",
    fix: "send the policy again: pulumi up",
  },
  "chain-*": { what: "a chain has exactly the rules of the payload, in their order", fix: reload },
  "jump-*": { what: "the kernel enters our chain first of all, and once", fix: reload },
  "set-*": { what: "a set of sources has exactly the networks of the payload", fix: reload },
  peers: {
    what: "the swarm's ports are open to the cluster's own nodes and to nobody else",
    fix: "systemctl reload hcloud-iptables, or send the peers again: pulumi up",
  },
  "unit-enabled": { what: "the rules are loaded at boot", fix: "systemctl enable hcloud-iptables.service" },
  "unit-active": { what: "the rules were loaded since boot", fix: "systemctl start hcloud-iptables.service" },
  "timer-active": {
    what: "the host looks at its rules every few minutes",
    fix: "systemctl enable --now hcloud-iptables-check.timer",
  },
  "no-*": {
    what: "no other program replaces or flushes the rules",
    fix: "systemctl mask the unit that the check names, without stopping it, then systemctl reload hcloud-iptables",
  },
  "docker-requires-firewall": {
    what: "Docker does not start without the rules",
    fix: "systemctl daemon-reload, or put the agent's files on the host again",
  },
  "docker-after-firewall": {
    what: "Docker starts after the rules",
    fix: "systemctl daemon-reload, or put the agent's files on the host again",
  },
  "docker-iptables-on": {
    what: "nothing in Docker's configuration takes its ports out of the rules' reach",
    fix: "take the options found out of /etc/docker/daemon.json or the unit, then restart Docker",
  },
  "docker-no-tcp-socket": {
    what: "Docker's API does not listen on the network",
    fix: "take the tcp:// host out of /etc/docker/daemon.json or the unit, then restart Docker",
  },
  "swarm-address-private": {
    what: "the node shows itself to the swarm with a private address",
    fix: "let the node leave the swarm and join it with the private address",
  },
};

/** The description of a check by the name in a report; nothing for one that only a newer agent knows. */
export function describeCheck(name: string): CheckDescription | undefined {
  const key = Object.keys(checkCatalogue)
    .filter((key) => (key.endsWith("*") ? name.startsWith(key.slice(0, -1)) : name === key))
    .sort((a, b) => b.length - a.length)[0];
  return key === undefined ? undefined : checkCatalogue[key];
}
