/** What iptables does not show, or shows as if nothing had happened: changes of the kernel's tables by nft, and foreign tables. */
import type { Mutation } from "./ruleMutations";

const tables = ["raw", "mangle", "filter"] as const;
const families = [
  { nft: "ip", version: 4, any: "ip daddr 0.0.0.0/0" },
  { nft: "ip6", version: 6, any: "ip6 daddr ::/0" },
] as const;
/** Mends whatever the agent can mend by itself. AGENT is the agent's path. */
const repair = '"$AGENT" check';

const foreignTables = [
  ["translates a closed port", "type nat hook prerouting priority -150;", "tcp dport 8080 redirect to :22"],
  ["rewrites the port", "type filter hook prerouting priority -350;", "tcp dport 8080 tcp dport set 22"],
  ["takes packets from conntrack", "type filter hook prerouting priority -350;", "tcp dport 8080 notrack"],
  ["marks packets", "type filter hook prerouting priority -250;", "meta mark set 0x1"],
] as const;

/** Ways to another port than the one that was dialed, in the tables of iptables itself. */
const redirections = families.flatMap(({ nft, version }): Mutation[] => {
  const tool = version === 4 ? "iptables" : "ip6tables";
  const there = version === 4 ? "10.0.0.9:5432" : "[fd00::9]:5432";
  const rules: readonly (readonly [string, string, string])[] = [
    ["of an open port to another", "nat", "-p tcp --dport 443 -j REDIRECT --to-ports 22"],
    ["of an open port to another host", "nat", `-p tcp --dport 443 -j DNAT --to-destination ${there}`],
    ["to a socket that listens elsewhere", "mangle", "-p tcp --dport 443 -j TPROXY --on-port 22"],
    ["of what conntrack knows", "raw", "-p tcp --dport 443 -j CT --notrack"],
  ];
  return [
    ...rules.map(([what, table, rule]) => ({
      name: `redirection ${what}, IPv${version}`,
      kind: "redirection",
      // At the end: where a rule of ours has to be first is another check's.
      apply: `${tool} -t ${table} -A PREROUTING ${rule}`,
      undo: `${tool} -t ${table} -D PREROUTING ${rule}`,
      caughtBy: ["no-foreign-nft-rules"],
    })),
    {
      name: `redirection by a chain of its own, IPv${version}`,
      kind: "redirection",
      apply: `${tool} -t nat -N elsewhere && ${tool} -t nat -A elsewhere -p tcp --dport 443 -j REDIRECT --to-ports 22 && ${tool} -t nat -I PREROUTING -j elsewhere`,
      undo: `${tool} -t nat -D PREROUTING -j elsewhere; ${tool} -t nat -F elsewhere; ${tool} -t nat -X elsewhere`,
      caughtBy: ["no-foreign-nft-rules"],
    },
    {
      name: `redirection by nft, which iptables cannot read, IPv${version}`,
      kind: "redirection",
      apply: `${tool} -t nat -S >/dev/null && nft 'add chain ${nft} nat PREROUTING { type nat hook prerouting priority -100; }' && nft 'insert rule ${nft} nat PREROUTING tcp dport 443 meta skuid 0 redirect to :22'`,
      undo: removeFirst(nft, "PREROUTING", "nat"),
      caughtBy: ["no-foreign-nft-rules"],
    },
    {
      name: `redirection in a chain of Docker's name, IPv${version}`,
      kind: "redirection",
      apply: `{ ${tool} -t nat -S DOCKER >/dev/null 2>&1 || ${tool} -t nat -N DOCKER; } && ${tool} -t nat -I DOCKER -p tcp --dport 443 -j REDIRECT --to-ports 22`,
      undo: `${tool} -t nat -D DOCKER -p tcp --dport 443 -j REDIRECT --to-ports 22; ${tool} -t nat -X DOCKER 2>/dev/null || :`,
      caughtBy: ["no-foreign-nft-rules"],
    },
  ];
});

function switchedOff({ nft, version }: (typeof families)[number], table: string): Mutation {
  return {
    name: `switch off: table ${nft} ${table}`,
    kind: "switch off",
    apply: `nft 'add table ${nft} ${table} { flags dormant; }'`,
    undo: repair,
    caughtBy: [`base-chains-v${version}`],
  };
}

/** On a host that is a way out for others. */
export const egressMutations: readonly Mutation[] = [
  ...families.map((family) => switchedOff(family, "nat")),
  {
    name: "shadow: private packets leave as they are",
    kind: "shadow",
    apply: "iptables -t nat -I POSTROUTING -s 10.0.0.0/16 -j ACCEPT",
    undo: "iptables -t nat -D POSTROUTING -s 10.0.0.0/16 -j ACCEPT",
    caughtBy: ["jump-nat-postrouting-hc-nat-v4"],
  },
];

/** Needs nft on the host, and the payload of the agent in force. */
export const kernelMutations: readonly Mutation[] = [
  ...families.flatMap((family) => tables.map((table) => switchedOff(family, table))),
  ...families.map(
    ({ nft, version }): Mutation => ({
      name: `unhook: ${nft} mangle FORWARD is no base chain any more`,
      kind: "unhook",
      apply: `nft 'flush chain ${nft} mangle FORWARD; delete chain ${nft} mangle FORWARD; add chain ${nft} mangle FORWARD; add rule ${nft} mangle FORWARD counter jump HC-BELT'`,
      undo: `nft 'flush chain ${nft} mangle FORWARD; delete chain ${nft} mangle FORWARD' && ${repair}`,
      caughtBy: [`base-chains-v${version}`],
    }),
  ),
  ...families.map(
    ({ nft, version }): Mutation => ({
      name: `unhook: ${nft} raw PREROUTING comes last`,
      kind: "unhook",
      apply: `nft 'flush chain ${nft} raw PREROUTING; delete chain ${nft} raw PREROUTING; add chain ${nft} raw PREROUTING { type filter hook prerouting priority 300; }; add rule ${nft} raw PREROUTING counter jump HC-RAW'`,
      undo: `nft 'flush chain ${nft} raw PREROUTING; delete chain ${nft} raw PREROUTING' && ${repair}`,
      caughtBy: [`base-chains-v${version}`],
    }),
  ),
  ...families.map(
    ({ nft, version }): Mutation => ({
      name: `policy: ${nft} filter INPUT drops what passes`,
      kind: "policy",
      apply: `nft 'add chain ${nft} filter INPUT { policy drop; }'`,
      undo: `nft 'add chain ${nft} filter INPUT { policy accept; }'`,
      caughtBy: [`base-chains-v${version}`],
    }),
  ),
  ...families.flatMap(({ nft, version }): Mutation[] => [
    {
      name: `native rule: accept in front of the jump in ${nft} filter INPUT`,
      kind: "native rule",
      apply: `nft insert rule ${nft} filter INPUT tcp dport 8080 accept`,
      undo: removeFirst(nft, "INPUT"),
      caughtBy: [`jump-filter-input-hc-in-v${version}`],
    },
    {
      name: `native rule: log in front of the jump in ${nft} filter DOCKER-USER`,
      kind: "native rule",
      apply: `nft insert rule ${nft} filter DOCKER-USER ct state new log accept`,
      undo: removeFirst(nft, "DOCKER-USER"),
      caughtBy: [`jump-filter-docker-user-hc-fwd-v${version}`],
    },
    {
      name: `native rule: accept as first rule of ${nft} filter HC-IN`,
      kind: "native rule",
      apply: `nft insert rule ${nft} filter HC-IN tcp dport 8080 accept`,
      undo: `${removeFirst(nft, "HC-IN")} && ${repair}`,
      caughtBy: [`kernel-rules-v${version}`],
    },
    {
      name: `native rule: one that iptables cannot read in ${nft} mangle HC-BELT`,
      kind: "native rule",
      apply: `nft 'insert rule ${nft} mangle HC-BELT ct state new meta skuid 0 accept'`,
      undo: removeFirst(nft, "HC-BELT", "mangle"),
      caughtBy: [`kernel-rules-v${version}`, `no-unreadable-tables-v${version}`],
    },
    {
      name: `left over: a chain of ours with a jump to it in ${nft} filter`,
      kind: "left over",
      apply: `${version === 4 ? "iptables" : "ip6tables"} -N HC-OLD && ${version === 4 ? "iptables" : "ip6tables"} -A OUTPUT -j HC-OLD`,
      undo: `${version === 4 ? "iptables" : "ip6tables"} -D OUTPUT -j HC-OLD && ${version === 4 ? "iptables" : "ip6tables"} -X HC-OLD`,
      caughtBy: [`apply-again-changes-nothing-v${version}`],
    },
  ]),
  {
    name: "flush: nft flush ruleset",
    kind: "flush",
    // What Docker had goes too, and comes back with its next start; on a host that runs it, this one is left to the attacks.
    apply: "nft flush ruleset",
    undo: repair,
    caughtBy: ["base-chains-v4", "base-chains-v6", "jump-filter-input-hc-in-v4", "jump-filter-input-hc-in-v6"],
  },
  ...foreignTables.map(
    ([what, header, rule]): Mutation => ({
      name: `foreign table: ${what}`,
      kind: "foreign table",
      apply: `nft 'add table inet strange; add chain inet strange c { ${header} }; add rule inet strange c ${rule}'`,
      undo: "nft delete table inet strange",
      caughtBy: ["no-foreign-nft-rules"],
    }),
  ),
  ...redirections,
  {
    name: "foreign table: a chain of its own inside ip filter that goes on elsewhere",
    kind: "foreign table",
    apply:
      "nft 'add chain ip filter elsewhere; add rule ip filter elsewhere accept; add chain ip filter early { type filter hook input priority -50; }; add rule ip filter early jump elsewhere'",
    undo: "nft 'flush chain ip filter early; delete chain ip filter early; flush chain ip filter elsewhere; delete chain ip filter elsewhere'",
    caughtBy: ["no-foreign-nft-rules"],
  },
];

/** What must not alarm: tables of others that only take away. */
export const harmlessChanges: readonly Pick<Mutation, "name" | "apply" | "undo">[] = [
  {
    name: "a table of fail2ban's kind",
    apply:
      "nft 'add table inet f2b; add set inet f2b banned { type ipv4_addr; }; add chain inet f2b c { type filter hook input priority -1; }; add rule inet f2b c ip saddr @banned tcp dport 22 counter reject'",
    undo: "nft delete table inet f2b",
  },
  {
    name: "a jump of fail2ban's behind ours",
    apply: "iptables -N f2b-sshd && iptables -A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd",
    undo: "iptables -D INPUT -p tcp -m multiport --dports 22 -j f2b-sshd && iptables -X f2b-sshd",
  },
  {
    name: "Docker's own drop of clear-text VXLAN above our jump",
    apply:
      "iptables -I INPUT -p udp -m policy --dir in --pol none -m udp --dport 4789 -m u32 --u32 '0xc&0xff=0x1' -j DROP",
    undo: "iptables -D INPUT -p udp -m policy --dir in --pol none -m udp --dport 4789 -m u32 --u32 '0xc&0xff=0x1' -j DROP",
  },
  {
    name: "the addresses of Docker's networks above our jump",
    apply: "iptables -t nat -I POSTROUTING -o docker_gwbridge -m addrtype --src-type LOCAL -j MASQUERADE",
    undo: "iptables -t nat -D POSTROUTING -o docker_gwbridge -m addrtype --src-type LOCAL -j MASQUERADE",
  },
  ...families.map(({ version }) => {
    const [tool, container] = version === 4 ? ["iptables", "172.30.9.2"] : ["ip6tables", "[fd00:9::2]"];
    const rules = [
      "PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
      "PREROUTING -m addrtype --dst-type LOCAL -j DOCKER-INGRESS",
      "DOCKER -i docker9 -j RETURN",
      `DOCKER ! -i docker9 -p sctp -m sctp --dport 8080 -j DNAT --to-destination ${container}:80`,
      `DOCKER-INGRESS -p tcp -m tcp --dport 8080 -j DNAT --to-destination ${container}:8080`,
      "DOCKER-INGRESS -j RETURN",
    ];
    const chains = ["DOCKER", "DOCKER-INGRESS"];
    return {
      name: `what Docker translates, as it writes it, IPv${version}`,
      apply: [
        ...chains.map((chain) => `{ ${tool} -t nat -N ${chain} 2>/dev/null || :; }`),
        ...rules.map((rule) => `${tool} -t nat -A ${rule}`),
      ].join(" && "),
      // On a host that runs Docker, the chains stay.
      undo: [
        ...rules.map((rule) => `${tool} -t nat -D ${rule}`),
        ...chains.map((chain) => `{ ${tool} -t nat -X ${chain} 2>/dev/null || :; }`),
      ].join(" && "),
    };
  }),
  {
    name: "a drop by what a match sees, a log line and an exception, before the translation",
    apply:
      "iptables -t raw -A PREROUTING -d 10.9.0.1/32 -m addrtype ! --src-type LOCAL -j DROP && iptables -t nat -I PREROUTING -s 192.0.2.7 -j RETURN && iptables -t mangle -A PREROUTING -m limit --limit 1/min -j LOG --log-prefix seen",
    undo: "iptables -t raw -D PREROUTING -d 10.9.0.1/32 -m addrtype ! --src-type LOCAL -j DROP; iptables -t nat -D PREROUTING -s 192.0.2.7 -j RETURN; iptables -t mangle -D PREROUTING -m limit --limit 1/min -j LOG --log-prefix seen",
  },
  {
    name: "Docker's RETURN behind ours in DOCKER-USER",
    apply: "iptables -A DOCKER-USER -j RETURN",
    undo: "iptables -D DOCKER-USER -j RETURN",
  },
];

/** Deletes the first rule of a chain by its handle. */
function removeFirst(family: string, chain: string, table = "filter"): string {
  const handle = `nft -a list chain ${family} ${table} ${chain} | sed -n '/chain ${chain} /,$ s/.*# handle \\([0-9]*\\)$/\\1/p' | sed -n 2p`;
  return `nft delete rule ${family} ${table} ${chain} handle "$(${handle})"`;
}
