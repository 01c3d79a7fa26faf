/** Targets of a Load Balancer: servers, or what a label selector selects. */
import { z } from "zod";
import type { BalancedTarget, TargetHealth } from "../backend.js";
import { findLoadBalancerType } from "./catalog/loadBalancerTypes.js";
import { ApiError, invalidField } from "./errors.js";
import { selectorOf } from "./labels.js";
import { primaryIpOf } from "./primaryIps.js";
import { byId, type LoadBalancer, type Server, type State, type Target } from "./state.js";
import { idSchema } from "./validation.js";

export const targetSchema = z.object({
  type: z.enum(["server", "label_selector", "ip"]),
  server: z.object({ id: idSchema }).optional(),
  label_selector: z.object({ selector: z.string().min(1) }).optional(),
  ip: z.object({ ip: z.string() }).optional(),
  use_private_ip: z.boolean().default(false),
});
type TargetInput = z.output<typeof targetSchema>;

function targetOf(state: State, input: TargetInput): Target {
  const usePrivateIp = input.use_private_ip;
  if (input.type === "server") {
    if (!input.server) throw invalidField("server", "is required for type server");
    return { type: "server", serverId: byId(state.servers, input.server.id, "server").id, usePrivateIp };
  }
  if (input.type === "label_selector") {
    if (!input.label_selector) throw invalidField("label_selector", "is required for type label_selector");
    const { selector } = input.label_selector;
    selectorOf(selector, "label_selector.selector");
    return { type: "label_selector", selector, usePrivateIp };
  }
  if (!input.ip) throw invalidField("ip", "is required for type ip");
  const { ip } = input.ip;
  const ofCloud =
    [...state.primaryIps, ...state.loadBalancers.map(({ ipv4 }) => ({ ip: ipv4 }))].some((item) => item.ip === ip) ||
    state.servers.some(({ privateNets }) => privateNets.some((net) => net.ip === ip));
  if (ofCloud) {
    throw new ApiError("cloud_resource_ip_not_allowed", `IP ${ip} belongs to a Hetzner Cloud resource`);
  }
  throw new ApiError("ip_not_owned", `IP ${ip} is not owned by the owner of the project`);
}

function isSame(a: Target, b: Target): boolean {
  if (a.type === "server") return b.type === "server" && a.serverId === b.serverId;
  return b.type === "label_selector" && a.selector === b.selector;
}

/** The server's address that the Load Balancer would connect to; undefined when it has none. */
function addressOf(state: State, balancer: LoadBalancer, server: Server, usePrivateIp: boolean): string | undefined {
  if (!usePrivateIp) return primaryIpOf(state, server.id, "ipv4")?.ip;
  const networks = new Set(balancer.privateNets.map(({ networkId }) => networkId));
  return server.privateNets.find((net) => networks.has(net.networkId))?.ip;
}

export function addTargetTo(state: State, balancer: LoadBalancer, input: TargetInput): void {
  const target = targetOf(state, input);
  if (target.usePrivateIp && balancer.privateNets.length === 0) {
    throw new ApiError("load_balancer_not_attached_to_network", "the load balancer is not attached to a network");
  }
  if (!target.usePrivateIp && !balancer.publicEnabled) {
    throw new ApiError("load_balancer_public_interface_disabled", "the load balancer's public interface is disabled");
  }
  if (balancer.targets.some((other) => isSame(other, target))) {
    throw new ApiError("target_already_defined", "the target is already defined");
  }
  if (target.type === "server") {
    const server = byId(state.servers, target.serverId, "server");
    if (addressOf(state, balancer, server, target.usePrivateIp) === undefined) {
      throw target.usePrivateIp
        ? new ApiError("server_not_attached_to_network", "the server is not attached to the load balancer's network")
        : new ApiError("missing_ipv4", "the server does not have a public IPv4 address");
    }
  }
  balancer.targets.push(target);
  assertTargetLimit(state, balancer);
}

/** Throws `resource_limit_exceeded` when the targets, those of selectors included, are more than the type allows. */
export function assertTargetLimit(state: State, balancer: LoadBalancer): void {
  const { max_targets } = findLoadBalancerType(balancer.type);
  if (balancer.targets.flatMap((target) => serversOf(state, target)).length > max_targets) {
    throw new ApiError(
      "resource_limit_exceeded",
      `a load balancer of type ${balancer.type} has at most ${max_targets} targets`,
    );
  }
}

export function removeTargetFrom(state: State, balancer: LoadBalancer, input: TargetInput): void {
  const unwanted = targetOf(state, input);
  const found = balancer.targets.find((target) => isSame(target, unwanted));
  if (!found) throw new ApiError("not_found", "the load balancer does not have this target");
  balancer.targets = balancer.targets.filter((target) => target !== found);
}

/** A server that is gone is no target any more. */
export function forgetTarget(state: State, serverId: number): void {
  for (const balancer of state.loadBalancers) {
    balancer.targets = balancer.targets.filter((target) => target.type !== "server" || target.serverId !== serverId);
  }
}

function serversOf(state: State, target: Target): Server[] {
  if (target.type === "server") return state.servers.filter(({ id }) => id === target.serverId);
  const selects = selectorOf(target.selector);
  return state.servers.filter(({ labels }) => selects(labels));
}

/** Ids of the Load Balancers that have the server as a target. */
export function balancersOf(state: State, serverId: number): number[] {
  return state.loadBalancers
    .filter(({ targets }) => targets.some((target) => serversOf(state, target).some(({ id }) => id === serverId)))
    .map(({ id }) => id);
}

/** Where connections go: servers without a fitting address are left out, and each address is in it once. */
export function balancedTargets(state: State, balancer: LoadBalancer): BalancedTarget[] {
  const found = new Map<string, BalancedTarget>();
  for (const target of balancer.targets) {
    const { usePrivateIp } = target;
    for (const server of serversOf(state, target)) {
      const address = addressOf(state, balancer, server, usePrivateIp);
      if (address !== undefined) found.set(address, { serverId: server.id, usePrivateIp, address });
    }
  }
  return [...found.values()].sort((a, b) => a.serverId - b.serverId || a.address.localeCompare(b.address));
}

export function targetView(state: State, balancer: LoadBalancer, target: Target, health: readonly TargetHealth[]) {
  const { usePrivateIp } = target;
  const ofServer = (serverId: number) => ({
    type: "server",
    server: { id: serverId },
    use_private_ip: usePrivateIp,
    health_status: balancer.services.map(({ listenPort }) => {
      const found = health.find(
        (item) => item.serverId === serverId && item.usePrivateIp === usePrivateIp && item.listenPort === listenPort,
      );
      const status = found === undefined ? "unknown" : found.healthy ? "healthy" : "unhealthy";
      return { listen_port: listenPort, status };
    }),
  });
  if (target.type === "server") return ofServer(target.serverId);
  return {
    type: "label_selector",
    label_selector: { selector: target.selector },
    use_private_ip: usePrivateIp,
    targets: serversOf(state, target).map(({ id }) => ofServer(id)),
  };
}
