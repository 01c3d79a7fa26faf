/** Addresses: parsing, ranges, and which one comes next. IPv4 addresses are unsigned 32-bit numbers inside this file. */
import ipaddr from "ipaddr.js";

/** Gateway of every server's public interface; no private range may contain it as an assignable address. */
export const PUBLIC_GATEWAY = "172.31.1.1";

/** RFC 1918: the only ranges a Network may lie in. */
const PRIVATE_RANGES = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];
/** Documentation ranges of RFC 5737, so that no address of a region is one of the internet. */
const PUBLIC_RANGES = ["203.0.113.0/24", "198.51.100.0/24"];
/** Documentation range of RFC 3849; every server gets a /64 of it. Subnet 0 stays unused. */
const PUBLIC_PREFIX = "2001:db8:1";
const PUBLIC_PREFIXES = 0xffff;

/** An IPv4 range; `first` is its network address, `last` its broadcast address. */
export interface Range {
  readonly first: number;
  readonly last: number;
  readonly bits: number;
}

export function parseIpv4(text: string): number | undefined {
  if (!ipaddr.IPv4.isValidFourPartDecimal(text)) return undefined;
  return ipaddr.IPv4.parse(text).octets.reduce((sum, octet) => sum * 256 + octet, 0);
}

export function printIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join(".");
}

/** Parses `10.0.0.0/16`. Undefined when it is no IPv4 range or has host bits set. */
export function parseRange(text: string): Range | undefined {
  const [address = "", prefix = "", ...rest] = text.split("/");
  const first = parseIpv4(address);
  if (first === undefined || rest.length > 0 || !/^\d{1,2}$/.test(prefix) || Number(prefix) > 32) return undefined;
  const bits = Number(prefix);
  const size = 2 ** (32 - bits);
  return first % size === 0 ? { first, last: first + size - 1, bits } : undefined;
}

/** A range that is known to be valid, such as one from the state. */
export function knownRange(text: string): Range {
  const range = parseRange(text);
  if (!range) throw new Error(`${text} is not an IPv4 range`);
  return range;
}

export function contains(outer: Range, inner: Range | number): boolean {
  const [first, last] = typeof inner === "number" ? [inner, inner] : [inner.first, inner.last];
  return first >= outer.first && last <= outer.last;
}

export function overlaps(a: Range, b: Range): boolean {
  return a.first <= b.last && b.first <= a.last;
}

export function isPrivateRange(range: Range): boolean {
  return PRIVATE_RANGES.some((text) => contains(knownRange(text), range));
}

export function printRange(range: Range): string {
  return `${printIpv4(range.first)}/${range.bits}`;
}

/** First range of `bits` inside `outer` that overlaps none of `taken`. */
export function firstFreeRange(outer: Range, bits: number, taken: readonly Range[]): Range | undefined {
  const size = 2 ** (32 - bits);
  for (let first = outer.first; first + size - 1 <= outer.last; first += size) {
    const range = { first, last: first + size - 1, bits };
    if (!taken.some((other) => overlaps(range, other))) return range;
  }
  return undefined;
}

/** The gateway of a Network: the first address of its range, also for subnets that do not contain it. */
export function gatewayOf(networkRange: string): string {
  return printIpv4(knownRange(networkRange).first + 1);
}

/**
 * Whether a server may have this address: not the first and last of its subnet, not the Network's gateway, not the
 * gateway of the public interface.
 */
export function isAssignable(address: number, subnet: Range, network: Range): boolean {
  return (
    address > subnet.first &&
    address < subnet.last &&
    address !== network.first + 1 &&
    address !== parseIpv4(PUBLIC_GATEWAY)
  );
}

/** First assignable address of the subnet that is not taken. */
export function firstFreeAddress(subnet: Range, network: Range, taken: ReadonlySet<number>): number | undefined {
  for (let address = subnet.first + 1; address < subnet.last; address += 1) {
    if (isAssignable(address, subnet, network) && !taken.has(address)) return address;
  }
  return undefined;
}

/** First public IPv4 address that is not taken; undefined when the region has no more. */
export function freePublicIpv4(taken: ReadonlySet<string>): string | undefined {
  for (const text of PUBLIC_RANGES) {
    const range = knownRange(text);
    for (let address = range.first + 1; address < range.last; address += 1) {
      const candidate = printIpv4(address);
      if (!taken.has(candidate)) return candidate;
    }
  }
  return undefined;
}

/** First public /64 that is not taken. */
export function freePublicIpv6(taken: ReadonlySet<string>): string | undefined {
  for (let subnet = 1; subnet <= PUBLIC_PREFIXES; subnet += 1) {
    const candidate = `${PUBLIC_PREFIX}:${subnet.toString(16)}::/64`;
    if (!taken.has(candidate)) return candidate;
  }
  return undefined;
}

/** The address that a server takes of its /64: `2001:db8:1:1::/64` gives `2001:db8:1:1::1`. */
export function hostOfIpv6Network(network: string): string {
  return network.replace(/::\/64$/, "::1");
}

/** Whether `address` lies in the IPv6 network. False for text that is no IPv6 address. */
export function inIpv6Network(address: string, network: string): boolean {
  if (!ipaddr.IPv6.isValid(address)) return false;
  return ipaddr.IPv6.parse(address).match(ipaddr.IPv6.parseCIDR(network));
}

/**
 * The canonical form of a CIDR of either family: no host bits, IPv6 lower case and compressed (RFC 5952). Undefined when
 * the text is not one.
 */
export function canonicalCidr(text: string): string | undefined {
  if (!text.includes(":")) {
    const range = parseRange(text);
    return range && printRange(range);
  }
  if (!/^[0-9a-fA-F:.]+\/\d{1,3}$/.test(text) || !ipaddr.IPv6.isValidCIDR(text)) return undefined;
  const [address, bits] = ipaddr.IPv6.parseCIDR(text);
  const network = ipaddr.IPv6.networkAddressFromCIDR(text);
  return address.toNormalizedString() === network.toNormalizedString()
    ? `${network.toRFC5952String()}/${bits}`
    : undefined;
}

/** An address without zone and without the IPv4-in-IPv6 wrapping that a dual-stack listener reports. */
export function plainAddress(text: string): string {
  const bare = text.split("%")[0] ?? "";
  return bare.replace(/^::ffff:(\d+\.\d+\.\d+\.\d+)$/i, "$1");
}

function mac(prefix: string, id: number): string {
  const octets = [24, 16, 8, 0].map((shift) => ((id >>> shift) & 0xff).toString(16).padStart(2, "0"));
  return `${prefix}:${octets.join(":")}`;
}

/** MAC of a server's public interface, from the server's id: `96:00:…` as on Hetzner. */
export function publicMac(id: number): string {
  return mac("96:00", id);
}

/** MAC of an interface in a Network, from an id of its own: `86:00:…`, which cloud-init and udev rules look for. */
export function privateMac(id: number): string {
  return mac("86:00", id);
}

/** The link-local IPv6 address that an interface with this MAC gives itself (EUI-64). */
export function linkLocalOf(macAddress: string): string {
  const octets = macAddress.split(":").map((octet) => Number.parseInt(octet, 16));
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = octets;
  return new ipaddr.IPv6([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f]).toRFC5952String();
}
