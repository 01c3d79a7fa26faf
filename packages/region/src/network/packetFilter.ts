/** The text for `nft -f` that makes the router's packet filter: source checks, and the API's Firewalls. Pure. */
import ipaddr from "ipaddr.js";
import type { FirewallRule, PublicInterface } from "../backend.js";
import { publicTap } from "./names.js";

export interface FilteredServer {
  readonly serverId: number;
  readonly publicInterface: PublicInterface;
  /** Undefined: no Firewall is applied, all passes. */
  readonly rules: readonly FirewallRule[] | undefined;
}

type Family = "ip" | "ip6";

function familyOf(cidr: string): Family {
  return ipaddr.parseCIDR(cidr)[0].kind() === "ipv4" ? "ip" : "ip6";
}

function protocolMatch(rule: FirewallRule, family: Family): string {
  switch (rule.protocol) {
    case "tcp":
    case "udp":
      return rule.port === undefined || rule.port === "any"
        ? `meta l4proto ${rule.protocol}`
        : `${rule.protocol} dport ${rule.port}`;
    case "icmp":
      return family === "ip" ? "ip protocol icmp" : "meta l4proto ipv6-icmp";
    case "esp":
    case "gre":
      return `meta l4proto ${rule.protocol}`;
    default: {
      const never: never = rule.protocol;
      throw new Error(`unknown protocol ${never}`);
    }
  }
}

/** The accepting rules of one direction. */
function accepts(rules: readonly FirewallRule[], direction: "in" | "out"): string[] {
  const side = direction === "in" ? "saddr" : "daddr";
  return rules
    .filter((rule) => rule.direction === direction)
    .flatMap((rule) =>
      (["ip", "ip6"] as const).flatMap((family) => {
        const cidrs = rule.cidrs.filter((cidr) => familyOf(cidr) === family);
        // One rule a CIDR: an anonymous set would reject CIDRs that overlap, which the API allows.
        return cidrs.map((cidr) => `${family} ${side} ${cidr} ${protocolMatch(rule, family)} accept`);
      }),
    );
}

function chain(name: string, rules: readonly string[]): string[] {
  return [`  chain ${name} {`, ...rules.map((rule) => `    ${rule}`), "  }"];
}

/** Only its own addresses may be a server's source; DHCP and duplicate address detection come from none. */
function sourceRules({ serverId, publicInterface: { ipv4, ipv6Network } }: FilteredServer): string[] {
  const tap = `iifname "${publicTap(serverId)}"`;
  const own6 = ipv6Network === undefined ? "fe80::/10" : `{ ${ipv6Network}, fe80::/10 }`;
  return [
    `${tap} ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept`,
    ipv4 === undefined ? `${tap} meta nfproto ipv4 drop` : `${tap} ip saddr != ${ipv4} drop`,
    `${tap} ip6 saddr :: meta l4proto ipv6-icmp accept`,
    `${tap} ip6 saddr != ${own6} drop`,
  ];
}

/** The whole filter as one transaction that replaces the one before. */
export function packetFilterText(servers: readonly FilteredServer[]): string {
  const filtered = servers.filter((server) => server.rules !== undefined);
  const outbound = filtered.filter(({ rules }) => rules?.some((rule) => rule.direction === "out"));
  const lines = [
    "table inet region {}",
    "delete table inet region",
    "table inet region {",
    ...chain("sources", ["type filter hook prerouting priority raw; policy accept;", ...servers.flatMap(sourceRules)]),
    ...filtered.flatMap((server) =>
      chain(`in-${server.serverId}`, [
        "ct state established,related accept",
        ...accepts(server.rules ?? [], "in"),
        "drop",
      ]),
    ),
    ...outbound.flatMap((server) =>
      chain(`out-${server.serverId}`, [
        "ct state established,related return",
        ...accepts(server.rules ?? [], "out").map((rule) => rule.replace(/accept$/, "return")),
        "drop",
      ]),
    ),
    ...chain("forward", [
      "type filter hook forward priority filter; policy accept;",
      // Leaving comes first: a packet between two servers passes the sender's filter, then the receiver's.
      ...outbound.map(({ serverId }) => `iifname "${publicTap(serverId)}" jump out-${serverId}`),
      ...filtered.map(({ serverId }) => `oifname "${publicTap(serverId)}" jump in-${serverId}`),
    ]),
    "}",
  ];
  return `${lines.join("\n")}\n`;
}

function keyOf(rule: FirewallRule): string[] {
  return rule.cidrs.map((cidr) => `${rule.direction} ${rule.protocol} ${rule.port ?? ""} ${cidr}`);
}

/**
 * Whether something that passed under `before` may not pass under `after`: then connections that are open must be judged
 * anew. Compares rules as written, so it may say yes where a wider rule still allows the same.
 */
export function shrinks(
  before: readonly FirewallRule[] | undefined,
  after: readonly FirewallRule[] | undefined,
): boolean {
  if (after === undefined) return false;
  if (before === undefined) return true;
  const kept = new Set(after.flatMap(keyOf));
  const filtersOut = (rules: readonly FirewallRule[]) => rules.some((rule) => rule.direction === "out");
  if (filtersOut(after) && !filtersOut(before)) return true;
  if (!filtersOut(after) && filtersOut(before)) {
    return before
      .filter((rule) => rule.direction === "in")
      .flatMap(keyOf)
      .some((key) => !kept.has(key));
  }
  return before.flatMap(keyOf).some((key) => !kept.has(key));
}
