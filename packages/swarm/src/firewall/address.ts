/** Addresses and networks of both families, in the one spelling that iptables and ipset print. */
import * as ipaddr from "ipaddr.js";

/** `inet` is IPv4 and `inet6` is IPv6, as ipset calls them. */
export type Family = "inet" | "inet6";
export const families: readonly Family[] = ["inet", "inet6"];

/** A network whose host bits are zero. A single address is a network of full length. */
export interface Network {
  readonly family: Family;
  /** Canonical: `192.0.2.0`, `2001:db8::`. */
  readonly address: string;
  /** Length of the prefix in bits: 0 to 32, or 0 to 128. */
  readonly prefix: number;
}

/** Why a text is no network that a rule can use; `allowed` says what is. */
export interface NetworkProblem {
  readonly allowed: string;
}

const notation = "an IPv4 or IPv6 network or address, such as 192.0.2.0/24 or 2001:db8::1";
const strictIpv4 = /^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/;

/** The width of an address in bits. */
export function widthOf(family: Family): number {
  return family === "inet" ? 32 : 128;
}

/**
 * Parses `192.0.2.0/24`, `192.0.2.1`, `2001:db8::/32` or `2001:db8::1`. Octal, shortened and hexadecimal IPv4, IPv6 zones,
 * and a network with host bits set are refused: each is more often a slip than a wish, and which network was meant is the
 * user's to say. IPv4-mapped and IPv4-compatible IPv6 (`::/96`) never is a source on the wire, and is refused as well.
 */
export function parseNetwork(text: string): Network | NetworkProblem {
  const match = /^([^/%]+)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text);
  const bytes = match?.[1] === undefined ? undefined : bytesOf(match[1]);
  if (match === null || bytes === undefined) return { allowed: notation };
  const family: Family = bytes.length === 4 ? "inet" : "inet6";
  const prefix = match[2] === undefined ? widthOf(family) : Number(match[2]);
  if (prefix > widthOf(family)) return { allowed: `a prefix of 0 to ${widthOf(family)} bits` };
  const masked = maskTo(bytes, prefix);
  const network = { family, address: spell(masked), prefix };
  if (masked.some((byte, index) => byte !== bytes[index]))
    return { allowed: `a network without host bits: ${formatNetwork(network)}` };
  const head = family === "inet6" && prefix >= 96 ? masked.slice(0, 12) : [];
  const embedded =
    head.slice(0, 10).every((byte) => byte === 0) && head[10] === head[11] && (head[10] === 0 || head[10] === 255);
  if (head.length > 0 && embedded)
    return { allowed: "an IPv4 network written as IPv4, or an IPv6 network outside ::/96 and ::ffff:0:0/96" };
  return network;
}

export function isNetwork(parsed: Network | NetworkProblem): parsed is Network {
  return "family" in parsed;
}

/** As `iptables -S` prints it: always with the length of the prefix. */
export function formatNetwork({ address, prefix }: Network): string {
  return `${address}/${prefix}`;
}

/** As `ipset save` prints an element: a single address goes without `/32` or `/128`. */
export function formatElement({ family, address, prefix }: Network): string {
  return prefix === widthOf(family) ? address : `${address}/${prefix}`;
}

/** Whether every address of `inner` is in `outer`. */
export function containsNetwork(outer: Network, inner: Network): boolean {
  if (outer.family !== inner.family || outer.prefix > inner.prefix) return false;
  return spell(maskTo(ipaddr.parse(inner.address).toByteArray(), outer.prefix)) === outer.address;
}

/**
 * Sorted by family and address, without duplicates and without networks that another one of the list contains. Neighbours
 * are not joined: a network stays as the user wrote it.
 */
export function simplifyNetworks(networks: readonly Network[]): readonly Network[] {
  const keyed = networks
    .map((network) => ({ network, key: sortKey(network) }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  const kept: Network[] = [];
  // Sorted so, a network comes right after the ones that contain it: the last one kept is the only candidate.
  for (const { network } of keyed) {
    const last = kept.at(-1);
    if (last === undefined || !containsNetwork(last, network)) kept.push(network);
  }
  return kept;
}

/** Canonical spelling of a single address, or undefined when it is none. */
export function canonicalAddress(text: string): Network | undefined {
  const network = parseNetwork(text);
  return isNetwork(network) && !text.includes("/") ? network : undefined;
}

function bytesOf(address: string): readonly number[] | undefined {
  if (!address.includes(":")) {
    const bytes = strictIpv4.test(address) ? address.split(".").map(Number) : [];
    return bytes.length === 4 && bytes.every((byte) => byte < 256) ? bytes : undefined;
  }
  return ipaddr.IPv6.isValid(address) ? ipaddr.IPv6.parse(address).toByteArray() : undefined;
}

function maskTo(bytes: readonly number[], prefix: number): readonly number[] {
  return bytes.map((byte, index) => byte & (0xff00 >> Math.min(8, Math.max(0, prefix - index * 8))) & 0xff);
}

function spell(bytes: readonly number[]): string {
  const address = ipaddr.fromByteArray([...bytes]);
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
}

function sortKey({ family, address, prefix }: Network): string {
  const bytes = ipaddr.parse(address).toByteArray();
  return `${family} ${bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("")} ${String(prefix).padStart(3, "0")}`;
}
