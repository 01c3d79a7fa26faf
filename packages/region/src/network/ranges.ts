/** Arithmetic on IPv4 ranges. Pure. */
import ipaddr from "ipaddr.js";

/** First usable address of a CIDR, which is the gateway of a Network: `10.0.0.1` of `10.0.0.0/16`. */
export function firstAddress(cidr: string): string {
  const bytes = ipaddr.IPv4.networkAddressFromCIDR(cidr).toByteArray();
  bytes[3] = (bytes[3] ?? 0) + 1;
  return bytes.join(".");
}
