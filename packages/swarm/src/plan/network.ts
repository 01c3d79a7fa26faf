/** Where things are in a Hetzner Cloud Network. */

/** The router, which hands on by the Network's routes: the first address of its range behind the range's own. */
export function gatewayOf(ipRange: string): string {
  const [network = ""] = ipRange.split("/");
  return network.replace(/\d+$/, (last) => String(Number(last) + 1));
}

interface NetworkPlan {
  readonly ipRange: string;
  readonly subnetRange?: string | undefined;
  readonly existing?: unknown;
  readonly existingSubnet?: unknown;
}

/** Where the nodes are: of a network that is there, Hetzner Cloud may choose another subnet for a server. */
export function nodesRange({ ipRange, subnetRange, existing, existingSubnet }: NetworkPlan): string {
  return (existing ?? existingSubnet) === undefined ? (subnetRange ?? ipRange) : ipRange;
}
