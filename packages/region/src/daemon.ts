/**
 * Program: the daemon of a region, run inside the router's namespace by the host process. It is given the settings as
 * JSON in its first argument and serves the hcloud API, the metadata service, DHCP, DNS and the control socket.
 */
import { appendFileSync, readFileSync, rmSync } from "node:fs";
import Fastify from "fastify";
import { createApi, fileStore } from "./api/index.js";
import { CheckpointStore, Checkpoints } from "./checkpoints.js";
import { type Detection, detectAccelerator } from "./compute/accelerator.js";
import { Machines } from "./compute/machines.js";
import { CPU } from "./compute/qemuArguments.js";
import { counterKhz } from "./compute/timeStampCounter.js";
import { Volumes } from "./compute/volumes.js";
import { borrowImage, builtImages } from "./images/store.js";
import { layoutOf } from "./layout.js";
import { createLocalBackend } from "./localBackend.js";
import { serveMirrorProxy } from "./mirror/proxy.js";
import { LoadBalancers } from "./network/loadBalancers.js";
import { API_ENDPOINT, API_PORT, METADATA_ADDRESS, OUTSIDE, PUBLIC_GATEWAY } from "./network/names.js";
import { Router } from "./network/router.js";
import { type Settings, type Status, settingsSchema } from "./settings.js";
import { Serial } from "./support/serial.js";

async function accelerator(wanted: Settings["accelerator"]): Promise<Detection> {
  if (wanted === "auto") return await detectAccelerator();
  return { accelerator: { kind: wanted }, reason: "chosen with --accelerator" };
}

/**
 * One under emulation: with more, a core of the guest may meet code that another is patching at that moment, which real
 * processors and KVM rule out, and the guest's kernel panics now and then as it boots (`Oops: int3`).
 */
const CORES = { kvm: 2, tcg: 1 } as const;

async function main(settings: Settings): Promise<void> {
  const layout = layoutOf(settings.name, settings.stateDirectory);
  const detected = await accelerator(settings.accelerator);
  const { memory, cores = CORES[detected.accelerator.kind] } = settings;
  const router = new Router(settings.name, layout.metadataSocket);
  await router.start();
  const balancers = new LoadBalancers(settings.name, layout.balancers);
  const checkpointStore = new CheckpointStore(layout.checkpoints);
  const volumes = new Volumes(layout.volumes, (volumeId) => checkpointStore.isVolumeKept(volumeId));
  const machines = new Machines({
    layout,
    router,
    accelerator: { ...detected.accelerator, counterKhz: counterKhz(readFileSync("/proc/cpuinfo", "utf8")) },
    limits: { memory, cores },
    image: (name) => borrowImage(layout.images, name, layout.state),
    volume: (volumeId) => volumes.path(volumeId),
    isKept: (serverId, disk) => checkpointStore.isKept(serverId, disk),
  });
  const api = createApi({
    backend: createLocalBackend(machines, volumes, router, balancers, layout.images),
    store: fileStore(layout.apiState),
    token: readFileSync(layout.token, "utf8").trim(),
    ...(settings.record
      ? { onExchange: (exchange) => appendFileSync(layout.exchanges, `${JSON.stringify(exchange)}\n`, { mode: 0o600 }) }
      : {}),
  });
  const checkpoints = new Checkpoints({
    layout,
    store: checkpointStore,
    machines,
    volumes,
    router,
    balancers,
    api,
    fingerprint: `${detected.accelerator.kind} (${CPU[detected.accelerator.kind]}), at most ${cores} cores and ${memory} MiB`,
  });
  let problems: string[] = [];
  let ready = false;

  const status = async (): Promise<Status> => {
    if (ready) await api.observe();
    const { servers, primaryIps, networks: _ } = api.state();
    return {
      name: settings.name,
      ready,
      endpoint: API_ENDPOINT,
      accelerator: detected.accelerator.kind,
      acceleratorReason: detected.reason,
      stateDirectory: layout.state,
      limits: { memory, cores },
      images: builtImages(layout.images),
      servers: servers.map((server) => ({
        id: server.id,
        name: server.name,
        status: server.power,
        ipv4: primaryIps.find((ip) => ip.serverId === server.id && ip.type === "ipv4")?.ip ?? null,
        ipv6: primaryIps.find((ip) => ip.serverId === server.id && ip.type === "ipv6")?.ip ?? null,
        privateIps: server.privateNets.map((net) => net.ip),
        console: `${machines.directory(server.id)}/console.log`,
      })),
      checkpoints: checkpoints.list(),
      problems,
    };
  };

  const control = Fastify({ forceCloseConnections: true });
  const serial = new Serial();
  const stop = async () => {
    await api.app.close();
    await api.metadata.close();
    await api.networkMetadata.close();
    await serial.run(() => machines.releaseAll());
    await balancers.close();
    await router.close();
    await control.close();
    for (const socket of [layout.control, layout.metadataSocket]) rmSync(socket, { force: true });
    process.exit(0);
  };
  control.get("/status", status);
  control.post("/stop", async () => {
    setImmediate(() => void stop());
    return {};
  });
  control.post<{ Params: { name: string } }>("/checkpoints/:name/save", async ({ params }) => {
    await serial.run(() => checkpoints.save(params.name));
    return {};
  });
  control.post<{ Params: { name: string } }>("/checkpoints/:name/restore", async ({ params }) => {
    problems = await serial.run(() => checkpoints.restore(params.name));
    return { problems };
  });
  control.delete<{ Params: { name: string } }>("/checkpoints/:name", async ({ params }) => {
    await serial.run(() => checkpoints.delete(params.name));
    return {};
  });
  control.post("/faults", async ({ body }) => {
    api.setFault(body);
    return {};
  });
  control.delete("/faults", async () => {
    api.clearFaults();
    return {};
  });
  rmSync(layout.control, { force: true });
  await control.listen({ path: layout.control });

  await serveMirrorProxy(PUBLIC_GATEWAY, layout.mirrorSocket);
  await api.metadata.listen({ host: METADATA_ADDRESS, port: 80 });
  rmSync(layout.metadataSocket, { force: true });
  await api.networkMetadata.listen({ path: layout.metadataSocket });
  problems = (await api.resume()).map(({ resource, message }) => `${resource}: ${message}`);
  for (const problem of problems) console.error(problem);
  await api.app.listen({ host: OUTSIDE.routerIpv4, port: API_PORT });
  ready = true;
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void stop());
}

await main(settingsSchema.parse(JSON.parse(process.argv[2] ?? "")));
