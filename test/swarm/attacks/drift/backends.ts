/** Other tools and settings that take the rules' place or the ground from under them: reported, not repaired. */
import type { DriftAttack } from "../types.js";

const install = (packages: string) =>
  `export DEBIAN_FRONTEND=noninteractive; apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends ${packages} >/dev/null`;

const reported = (name: string, what: string, breakIt: string, caughtBy: RegExp, undo?: string): DriftAttack => ({
  group: "drift",
  name,
  what,
  breakIt,
  caughtBy,
  outcome: "reported",
  ...(undo ? { undo } : {}),
});

const daemonOption = (option: string) =>
  `python3 - <<'EOF'
import json
path = "/etc/docker/daemon.json"
options = json.load(open(path))
options.update(${option})
json.dump(options, open(path, "w"))
EOF`;

export const backendDrifts: readonly DriftAttack[] = [
  {
    ...reported(
      "nft-log-in-docker-user",
      "a native nft rule in DOCKER-USER: iptables cannot read the table any more, and Docker adds no jump",
      "nft add rule ip filter DOCKER-USER log",
      /^no-unreadable-tables-v4$/,
      // The rule is the chain's last one; its handle is the highest.
      `nft delete rule ip filter DOCKER-USER handle "$(nft -a list chain ip filter DOCKER-USER | sed -n 's/.* log .*# handle \\([0-9]*\\)$/\\1/p; s/^.*log # handle \\([0-9]*\\)$/\\1/p' | tail -n 1)"`,
    ),
    alsoWrong: {
      checks: /^(chain|jump)-filter-.*-v4$|^apply-again-changes-nothing-v4$/,
      why: "iptables tells nothing of that table, so nobody can say with it what is in there",
    },
  },
  reported(
    "legacy-rules-loaded",
    "rules in the legacy tables",
    "iptables-legacy -A INPUT -j ACCEPT",
    /^no-legacy-rules-v4$/,
  ),
  reported(
    "legacy-forward-drop",
    "a legacy FORWARD policy of DROP, which breaks allowed traffic",
    "iptables-legacy -P FORWARD DROP",
    /^no-legacy-rules-v4$/,
  ),
  reported(
    "alternatives-flip",
    "iptables is iptables-legacy from now on",
    "update-alternatives --set iptables /usr/sbin/iptables-legacy >/dev/null",
    /^(iptables-nft-v4|docker-chains-in-force)$/,
  ),
  {
    ...reported(
      "ufw-enable",
      "ufw installed and enabled",
      `${install("ufw")}; ufw --force enable >/dev/null`,
      /^(no-ufw|no-foreign-nft-rules)$/,
    ),
    alsoWrong: { checks: /^base-chains-v[46]$/, why: "ufw makes INPUT drop what nobody accepts" },
  },
  reported(
    "netfilter-persistent-restore",
    "netfilter-persistent installed and saved rules restored over ours",
    `${install("iptables-persistent netfilter-persistent")}
     printf '*filter\\n:INPUT ACCEPT [0:0]\\n:FORWARD ACCEPT [0:0]\\n:OUTPUT ACCEPT [0:0]\\nCOMMIT\\n' >/etc/iptables/rules.v4
     netfilter-persistent start >/dev/null 2>&1`,
    /^no-netfilter-persistent$/,
  ),
  {
    ...reported(
      "backend-switched-nftables",
      "Docker told to use its nftables backend, then restarted",
      daemonOption('{"firewall-backend": "nftables"}'),
      /^docker-backend$/,
    ),
    // Docker before 29 does not know the option, and would refuse it by itself.
    atNextStart: { refusedWith: "only iptables is supported" },
  },
  {
    ...reported(
      "ip6tables-false",
      "Docker told to leave ip6tables alone, then restarted",
      daemonOption('{"ip6tables": False}'),
      /^docker-iptables-on$/,
    ),
    atNextStart: "starts",
  },
];
