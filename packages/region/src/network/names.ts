/** Names and fixed addresses of a region's networks. */

/** The namespace of the daemon, the servers' public interfaces and the API's packet filters. */
export const routerNamespace = (name: string): string => `hcr-${name}`;
/** The world outside, where operators and attackers sit. */
export const outsideNamespace = (name: string): string => `hcr-${name}-out`;
/** One hcloud Network. */
export const networkNamespace = (name: string, networkId: number): string => `hcr-${name}-n${networkId}`;

/** One Load Balancer. */
export const balancerNamespace = (name: string, balancerId: number): string => `hcr-${name}-lb${balancerId}`;

/** Whether this namespace is one of the region's. */
export function isOfRegion(namespace: string, name: string): boolean {
  return new RegExp(`^hcr-${name}(-out|-(n|lb)[0-9]+)?$`).test(namespace);
}

/** Interface of a server's public side in the router; ids in base 36 keep it under the kernel's 15 characters. */
export const publicTap = (serverId: number): string => `p${serverId.toString(36)}`;
/** Interface of a server's side in a Network. */
export const privateTap = (serverId: number, networkId: number): string =>
  `n${serverId.toString(36)}.${networkId.toString(36)}`;
/** Interface of a Load Balancer's public side in the router. */
export const balancerLink = (balancerId: number): string => `b${balancerId.toString(36)}`;
/** Interface between a Load Balancer and a Network, on both ends. */
export const balancerPrivateLink = (balancerId: number, networkId: number): string =>
  `b${balancerId.toString(36)}.${networkId.toString(36)}`;

export const OUTSIDE = {
  ipv4: "192.0.2.10/24",
  ipv6: "2001:db8:ffff::10/64",
  routerIpv4: "192.0.2.1",
  routerIpv6: "2001:db8:ffff::1",
} as const;

/** Interface from the router to the outside. */
export const UPLINK = "outside";
export const METADATA_ADDRESS = "169.254.169.254";
/** Gateway of every server's public IPv4, and where DNS and the package mirror answer. */
export const PUBLIC_GATEWAY = "172.31.1.1";
/** Hetzner's resolvers, which the region's DNS answers at too. */
export const RESOLVERS = ["185.12.64.1", "185.12.64.2"] as const;
export const MIRROR_HOST = "mirror.region.internal";
export const API_PORT = 8080;
export const API_ENDPOINT = `http://${OUTSIDE.routerIpv4}:${API_PORT}/v1`;
