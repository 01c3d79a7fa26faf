/** The load balancer in front of a cluster, as `SwarmCluster` takes it. `loadBalancerSchema.ts` checks it. */

/** How connections are spread over the nodes, in Hetzner Cloud's words. */
export const LoadBalancerAlgorithm = {
  /** One node after the other. */
  RoundRobin: "round_robin",
  /** The node that has the fewest. */
  LeastConnections: "least_connections",
} as const;
export type LoadBalancerAlgorithm = (typeof LoadBalancerAlgorithm)[keyof typeof LoadBalancerAlgorithm];

/** What a load balancer understands of what it carries. */
export const LoadBalancerProtocol = {
  /** Nothing: bytes pass as they are, TLS with them. */
  Tcp: "tcp",
  /** Requests of HTTP without TLS, each sent on by itself, with the client's address in `X-Forwarded-For`. */
  Http: "http",
} as const;
export type LoadBalancerProtocol = (typeof LoadBalancerProtocol)[keyof typeof LoadBalancerProtocol];

/**
 * A Hetzner Cloud Load Balancer in front of the nodes, over the private network. The policy lets its private address in on the ports
 * that it dials, and nobody else whom the policy does not name: with a load balancer `policy.publishedPorts` is empty by default.
 */
export interface LoadBalancerArgs {
  /** What it listens on; each port once. */
  services: LoadBalancerServiceArgs[];
  /** Hetzner Cloud load balancer type, which bounds services and nodes. Default: `lb11`, with 5 services and 25 nodes. */
  type?: string;
  /**
   * Hetzner Cloud location, in the zone of the network. Default: `fsn1`. Changing it replaces the load balancer, whose public
   * addresses are others then.
   */
  location?: string;
  /** Default: `round_robin`. */
  algorithm?: LoadBalancerAlgorithm;
  /**
   * Its IPv4 address in the nodes' subnet, known from the start so that the policy can name it. Must be given where the subnet is not
   * known from the start either. Default: the last address of the subnet that nothing else is known to have, such as `10.0.0.254`.
   */
  privateIp?: string;
  /** Pools whose nodes it dials, and that let it in. Default: all. */
  pools?: string[];
}

/** A port that a load balancer listens on, and the nodes' port that it dials. */
export interface LoadBalancerServiceArgs {
  /** As the outside world dials it, 1 to 65535. */
  listenPort: number;
  /** The published port of the nodes, never the container's. Neither SSH's port nor one of swarm's. Default: `listenPort`. */
  publishedPort?: number;
  /** Default: `tcp`. Changing it takes the service away for a moment. */
  protocol?: LoadBalancerProtocol;
  /** Whether connections begin with a PROXY header that tells the client's address; what is published must expect it. Default: false. */
  proxyProtocol?: boolean;
  /** How nodes are told that serve from those that do not. Default: a check of the service's own protocol on its port. */
  healthCheck?: LoadBalancerHealthCheckArgs;
}

/** How a load balancer finds out whether a node serves. */
export interface LoadBalancerHealthCheckArgs {
  /** Default: the service's. With `tcp`, a node serves that takes a connection. */
  protocol?: LoadBalancerProtocol;
  /** A published port of the nodes, opened for the load balancer as well. Default: the service's. */
  port?: number;
  /** Seconds between two checks. From 3 to 60; default: 15. */
  interval?: number;
  /** Seconds that a node has for its answer. From 1 to 60, at most `interval`; default: 10, or `interval` where that is less. */
  timeout?: number;
  /** Failed checks in a row after which a node gets no connections. From 1 to 5; default: 3. */
  retries?: number;
  /** Of `http`: what is asked for. Default: `/`. */
  path?: string;
  /** Of `http`: the Host header. Default: none of its own. */
  domain?: string;
  /** Of `http`: the status codes of a node that serves, `?` for any digit. Default: `2??` and `3??`. */
  statusCodes?: string[];
  /** Of `http`: a text that the answer must hold. Default: any. */
  response?: string;
  /** Of `http`: whether it is asked over TLS; certificates are not checked. Default: false. */
  tls?: boolean;
}
