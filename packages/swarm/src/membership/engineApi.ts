/**
 * Request bodies for the Docker Engine API. They go to a node on standard input: a join token must never be an
 * argument of a process, where every user of the machine could read it.
 */

/** UDP and TCP port of swarm's control plane (managers listen on it). */
export const swarmPort = 2377;

export interface OverlaySettings {
  /** IPv4 range that overlay networks are cut from; must not overlap with the private network. */
  readonly addressPool: string;
  /** MTU of the private network; Docker takes 50 bytes for VXLAN off it (moby, `overlay` driver: `maxMTU`). */
  readonly underlayMtu: number;
}

/** Body of `POST /swarm/init`: everything on the private address, nothing on a public one. */
export function initRequest(privateIp: string, overlay: OverlaySettings): string {
  return JSON.stringify({
    ListenAddr: `${privateIp}:${swarmPort}`,
    AdvertiseAddr: privateIp,
    DataPathAddr: privateIp,
    DefaultAddrPool: [overlay.addressPool],
    SubnetSize: 24,
  });
}

/** Stands in a join request for the address of the manager to ask: the node finds out who is one. */
export const anyManager = "MANAGER";

/** Body of `POST /swarm/join`. It holds the join token, so it is a secret. */
export function joinRequest(privateIp: string, joinToken: string): string {
  return JSON.stringify({
    ListenAddr: `${privateIp}:${swarmPort}`,
    AdvertiseAddr: privateIp,
    DataPathAddr: privateIp,
    RemoteAddrs: [`${anyManager}:${swarmPort}`],
    JoinToken: joinToken,
  });
}

/** Body of `POST /networks/create` for the ingress network, as swarm makes it by itself but for the MTU. */
export function ingressRequest(overlay: OverlaySettings): string {
  return JSON.stringify({
    Name: "ingress",
    Driver: "overlay",
    Scope: "swarm",
    Ingress: true,
    Options: { "com.docker.network.driver.mtu": String(overlay.underlayMtu) },
  });
}
