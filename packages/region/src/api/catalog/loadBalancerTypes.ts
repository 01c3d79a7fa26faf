/** Load Balancer types of the Hetzner Cloud, as its API lists them; prices are for orientation. */
import { invalidField } from "../errors.js";
import { locations } from "./locations.js";
import { pricesOf } from "./serverTypes.js";

function type(id: number, size: number, limits: readonly [number, number, number, number], price: number) {
  const [services, targets, connections, certificates] = limits;
  return {
    id,
    name: `lb${size}`,
    description: `LB${size}`,
    max_services: services,
    max_targets: targets,
    max_connections: connections,
    max_assigned_certificates: certificates,
    deprecated: null,
    prices: pricesOf({ price, locations: locations.map(({ name }) => name) }),
  };
}

export const loadBalancerTypes = [
  type(1, 11, [5, 25, 10_000, 10], 5.39),
  type(2, 21, [15, 75, 20_000, 25], 15.9),
  type(3, 31, [30, 150, 40_000, 50], 31.9),
];

export type LoadBalancerType = (typeof loadBalancerTypes)[number];

/** The type with this id or name. Throws `invalid_input`. */
export function findLoadBalancerType(wanted: string): LoadBalancerType {
  const found = loadBalancerTypes.find(({ id, name }) => String(id) === wanted || name === wanted);
  if (!found) throw invalidField("load_balancer_type", `load balancer type '${wanted}' not found`);
  return found;
}
