/** The backend of the hcloud API on this machine: QEMU below, namespaces and packet filters beside it. */
import type { Backend } from "./backend.js";
import type { Machines } from "./compute/machines.js";
import type { Volumes } from "./compute/volumes.js";
import { builtImages } from "./images/store.js";
import type { LoadBalancers } from "./network/loadBalancers.js";
import type { Router } from "./network/router.js";

export function createLocalBackend(
  machines: Machines,
  volumes: Volumes,
  router: Router,
  balancers: LoadBalancers,
  imagesDirectory: string,
): Backend {
  return {
    images: async () => builtImages(imagesDirectory),
    putNetwork: (spec) => router.putNetwork(spec),
    deleteNetwork: (networkId) => router.deleteNetwork(networkId),
    createMachine: (spec) => machines.create(spec),
    rebuildMachine: (serverId, image) => machines.rebuild(serverId, image),
    resizeMachine: (serverId, size) => machines.resize(serverId, size),
    deleteMachine: (serverId) => machines.delete(serverId),
    powerOn: (serverId) => machines.powerOn(serverId),
    powerOff: (serverId) => machines.powerOff(serverId),
    shutdown: (serverId) => machines.shutdown(serverId),
    reboot: (serverId) => machines.reboot(serverId),
    reset: (serverId) => machines.reset(serverId),
    powerState: async (serverId) => machines.powerState(serverId),
    attachPrivate: (serverId, nic) => machines.attach(serverId, nic),
    detachPrivate: (serverId, networkId) => machines.detach(serverId, networkId),
    async putVolume(spec) {
      if (await volumes.make(spec)) return;
      if (!(await machines.growVolume(spec.volumeId, spec.size))) await volumes.grow(spec);
    },
    deleteVolume: async (volumeId) => volumes.delete(volumeId),
    attachVolume: (serverId, volumeId) => machines.attachVolume(serverId, volumeId),
    detachVolume: (serverId, volumeId) => machines.detachVolume(serverId, volumeId),
    setPublic: (serverId, nic) => machines.setPublic(serverId, nic),
    setFirewall: (serverId, rules) => router.setFirewall(serverId, rules),
    putLoadBalancer: (spec) => balancers.put(spec),
    deleteLoadBalancer: (loadBalancerId) => balancers.delete(loadBalancerId),
    targetHealth: (loadBalancerId) => balancers.health(loadBalancerId),
  };
}
