/** A backend without machines that remembers what it was asked and what its machines would be. */
import type {
  Backend,
  FirewallRule,
  LoadBalancerSpec,
  MachineSpec,
  NetworkSpec,
  PowerState,
  VolumeSpec,
} from "../../backend.js";

interface RecordedMachine {
  spec: MachineSpec;
  power: PowerState;
  /** Undefined: no firewall. */
  firewall: readonly FirewallRule[] | undefined;
}

export interface RecordingBackend extends Backend {
  /** Calls in their order, as `method(first argument or id)`. */
  readonly calls: string[];
  readonly machines: Map<number, RecordedMachine>;
  readonly networks: Map<number, NetworkSpec>;
  readonly balancers: Map<number, LoadBalancerSpec>;
  readonly volumes: Map<number, VolumeSpec>;
  /** Makes the next call of the method reject with the message. */
  failNext(method: keyof Backend, message: string): void;
  /** Holds calls of the method back until the returned function is called. */
  hold(method: keyof Backend): () => void;
}

export function recordingBackend(images: readonly string[] = ["debian-12", "debian-13"]): RecordingBackend {
  const calls: string[] = [];
  const machines = new Map<number, RecordedMachine>();
  const networks = new Map<number, NetworkSpec>();
  const balancers = new Map<number, LoadBalancerSpec>();
  const volumes = new Map<number, VolumeSpec>();
  const failures = new Map<keyof Backend, string>();
  const held = new Map<keyof Backend, Promise<void>>();

  async function enter(method: keyof Backend, what: number | string): Promise<void> {
    calls.push(`${method}(${what})`);
    await held.get(method);
    const message = failures.get(method);
    failures.delete(method);
    if (message !== undefined) throw new Error(message);
  }

  async function machine(method: keyof Backend, serverId: number): Promise<RecordedMachine> {
    await enter(method, serverId);
    const found = machines.get(serverId);
    if (!found) throw new Error(`there is no machine ${serverId}`);
    return found;
  }

  return {
    calls,
    machines,
    networks,
    balancers,
    volumes,
    failNext: (method, message) => void failures.set(method, message),
    hold(method) {
      let release: () => void = () => undefined;
      held.set(method, new Promise((resolve) => (release = resolve)));
      return () => {
        held.delete(method);
        release();
      };
    },
    images: async () => images,
    async putNetwork(spec) {
      await enter("putNetwork", spec.networkId);
      networks.set(spec.networkId, spec);
    },
    async deleteNetwork(networkId) {
      await enter("deleteNetwork", networkId);
      networks.delete(networkId);
    },
    async createMachine(spec) {
      await enter("createMachine", spec.serverId);
      const kept = machines.get(spec.serverId);
      machines.set(spec.serverId, { spec, power: kept?.power ?? "off", firewall: kept?.firewall });
    },
    async rebuildMachine(serverId, image) {
      const found = await machine("rebuildMachine", serverId);
      found.spec = { ...found.spec, image };
      found.power = "off";
    },
    async resizeMachine(serverId, size) {
      const found = await machine("resizeMachine", serverId);
      found.spec = { ...found.spec, ...size };
    },
    async deleteMachine(serverId) {
      await enter("deleteMachine", serverId);
      machines.delete(serverId);
    },
    async powerOn(serverId) {
      (await machine("powerOn", serverId)).power = "running";
    },
    async powerOff(serverId) {
      (await machine("powerOff", serverId)).power = "off";
    },
    async shutdown(serverId) {
      (await machine("shutdown", serverId)).power = "off";
    },
    async reboot(serverId) {
      await machine("reboot", serverId);
    },
    async reset(serverId) {
      (await machine("reset", serverId)).power = "running";
    },
    async powerState(serverId) {
      return machines.get(serverId)?.power ?? "off";
    },
    async attachPrivate(serverId, nic) {
      const found = await machine("attachPrivate", serverId);
      const others = found.spec.privateInterfaces.filter((item) => item.networkId !== nic.networkId);
      found.spec = { ...found.spec, privateInterfaces: [...others, nic] };
    },
    async detachPrivate(serverId, networkId) {
      const found = await machine("detachPrivate", serverId);
      const others = found.spec.privateInterfaces.filter((item) => item.networkId !== networkId);
      found.spec = { ...found.spec, privateInterfaces: others };
    },
    async putVolume(spec) {
      await enter("putVolume", spec.volumeId);
      volumes.set(spec.volumeId, spec);
    },
    async deleteVolume(volumeId) {
      await enter("deleteVolume", volumeId);
      volumes.delete(volumeId);
    },
    async attachVolume(serverId, volumeId) {
      const found = await machine("attachVolume", serverId);
      found.spec = { ...found.spec, volumes: [...(found.spec.volumes ?? []), volumeId] };
    },
    async detachVolume(serverId, volumeId) {
      const found = await machine("detachVolume", serverId);
      found.spec = { ...found.spec, volumes: (found.spec.volumes ?? []).filter((id) => id !== volumeId) };
    },
    async setPublic(serverId, nic) {
      const found = await machine("setPublic", serverId);
      const { publicInterface: _, ...spec } = found.spec;
      found.spec = nic ? { ...spec, publicInterface: nic } : spec;
    },
    async setFirewall(serverId, rules) {
      (await machine("setFirewall", serverId)).firewall = rules;
    },
    async putLoadBalancer(spec) {
      await enter("putLoadBalancer", spec.loadBalancerId);
      balancers.set(spec.loadBalancerId, spec);
    },
    async deleteLoadBalancer(loadBalancerId) {
      await enter("deleteLoadBalancer", loadBalancerId);
      balancers.delete(loadBalancerId);
    },
    /** Every target is well. */
    async targetHealth(loadBalancerId) {
      const { services = [], targets = [] } = balancers.get(loadBalancerId) ?? {};
      return services.flatMap(({ listenPort }) =>
        targets.map(({ serverId, usePrivateIp }) => ({ serverId, usePrivateIp, listenPort, healthy: true })),
      );
    },
  };
}
