/** The work that actions do on the backend. Every step can be repeated: a restarted region runs some of them again. */
import type { PowerState } from "../backend.js";
import { type Context, networkKey, volumeKey } from "./context.js";
import { networkSpec } from "./networks.js";
import { machineSpec } from "./servers.js";
import { byId, isLocked, type Server } from "./state.js";
import { volumeSpec, volumesOf } from "./volumes.js";

function current({ engine }: Context, serverId: number): Server {
  return byId(engine.state.servers, serverId, "server");
}

function setPower({ engine }: Context, serverId: number, power: PowerState): void {
  engine.change((draft) => {
    byId(draft.servers, serverId, "server").power = power;
  });
}

/** Makes or updates a Network in the backend from the current state. */
export async function putNetwork({ engine, backend }: Context, networkId: number): Promise<void> {
  await backend.putNetwork(networkSpec(byId(engine.state.networks, networkId, "network")));
}

/** Makes a Volume's disk, or a larger one of it, from the current state. */
export async function putVolume({ engine, backend }: Context, volumeId: number): Promise<void> {
  await backend.putVolume(volumeSpec(byId(engine.state.volumes, volumeId, "volume")));
  engine.change((draft) => {
    byId(draft.volumes, volumeId, "volume").available = true;
  });
}

/** Makes the machine with its firewall; it is off after it. Waits for the server's Networks and Volumes to be there. */
export async function provision(context: Context, serverId: number): Promise<void> {
  const { engine, backend, firewalls } = context;
  const server = current(context, serverId);
  for (const net of server.privateNets) await engine.idle(networkKey(net.networkId));
  for (const id of volumesOf(engine.state, serverId)) await engine.idle(volumeKey(id));
  await backend.createMachine(machineSpec(engine.state, current(context, serverId)));
  engine.change((draft) => {
    byId(draft.servers, serverId, "server").provisioned = true;
  });
  firewalls.forget(serverId);
  await firewalls.bring(serverId);
}

export async function powerOn(context: Context, serverId: number): Promise<void> {
  if (!current(context, serverId).provisioned) throw new Error("the server's machine was not made");
  await context.backend.powerOn(serverId);
  setPower(context, serverId, "running");
}

export async function powerOff(context: Context, serverId: number): Promise<void> {
  await context.backend.powerOff(serverId);
  setPower(context, serverId, "off");
}

export async function reset(context: Context, serverId: number): Promise<void> {
  await context.backend.reset(serverId);
  setPower(context, serverId, "running");
}

/** Removes the machine. No filter is applied to it from the first step on. */
export async function destroy(context: Context, serverId: number): Promise<void> {
  const { engine, backend, firewalls } = context;
  engine.change((draft) => {
    byId(draft.servers, serverId, "server").provisioned = false;
  });
  await firewalls.bring(serverId);
  await backend.deleteMachine(serverId);
  firewalls.forget(serverId);
}

/**
 * Takes over what the machines did by themselves: a guest that shut down is off. Servers with a running action are left
 * to it; a machine whose state cannot be read keeps its last one.
 */
export async function observePower(context: Context): Promise<void> {
  const { engine, backend } = context;
  const settled = (server: Server) => server.provisioned && !isLocked(engine.state, "server", server.id);
  const seen = await Promise.all(
    engine.state.servers.filter(settled).map(async (server) => ({
      id: server.id,
      power: await backend.powerState(server.id).catch(() => server.power),
    })),
  );
  const news = seen.filter(({ id, power }) =>
    engine.state.servers.some((server) => server.id === id && settled(server) && server.power !== power),
  );
  if (news.length === 0) return;
  engine.change((draft) => {
    for (const { id, power } of news) byId(draft.servers, id, "server").power = power;
  });
}
