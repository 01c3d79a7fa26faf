/**
 * Checkpoints: the whole region under a name. Memory and disk of each server are an internal snapshot in its qcow2
 * overlay, and those of Volumes one in theirs; beside them stand the API's state and the machines' records. Load Balancers have no memory worth keeping: the API
 * makes them again from its state, without the connections. A disk stays as long as a checkpoint names it.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Api } from "./api/index.js";
import { networkSpec } from "./api/networks.js";
import type { Machines } from "./compute/machines.js";
import { type MachineRecord, machineRecord } from "./compute/record.js";
import type { Volumes } from "./compute/volumes.js";
import type { Layout } from "./layout.js";
import type { LoadBalancers } from "./network/loadBalancers.js";
import type { Router } from "./network/router.js";
import { run, tryRun } from "./support/command.js";
import { writeFileAtomically } from "./support/files.js";

const manifest = z.object({
  name: z.string(),
  created: z.string(),
  /** QEMU can load memory only into the machine that it was saved from: same accelerator, cores, memory. */
  fingerprint: z.string(),
  api: z.string(),
  machines: z.array(z.object({ record: machineRecord, running: z.boolean() })),
  /** Ids. Checkpoints of before there were any lack them. */
  volumes: z.array(z.int().positive()).default([]),
});
type Manifest = z.infer<typeof manifest>;

/** Volumes that no running machine has: their disks are nobody's but ours. */
function looseVolumes({ machines, volumes }: Pick<Manifest, "machines" | "volumes">): number[] {
  const held = machines.filter(({ running }) => running).flatMap(({ record }) => record.volumes);
  return volumes.filter((id) => !held.some(({ volumeId }) => volumeId === id));
}

/** Snapshots of checkpoints share a qcow2's name space with nobody else. */
const snapshotName = (checkpoint: string): string => `hcr-${checkpoint}`;

export function checkCheckpointName(name: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) {
    throw new Error(
      `a checkpoint's name is up to 64 letters, digits, dots, dashes, underscores; not ${JSON.stringify(name)}`,
    );
  }
  return name;
}

/** The checkpoints on disk, by their manifests. */
export class CheckpointStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  list(): Manifest[] {
    if (!existsSync(this.#directory)) return [];
    return readdirSync(this.#directory)
      .filter((file) => file.endsWith(".json"))
      .map((file) => manifest.parse(JSON.parse(readFileSync(join(this.#directory, file), "utf8"))));
  }

  get(name: string): Manifest {
    checkCheckpointName(name);
    const found = this.list().find((item) => item.name === name);
    if (!found) throw new Error(`there is no checkpoint ${JSON.stringify(name)}`);
    return found;
  }

  has(name: string): boolean {
    return existsSync(this.#file(name));
  }

  put(checkpoint: z.input<typeof manifest>): void {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    writeFileAtomically(this.#file(checkpoint.name), JSON.stringify(checkpoint));
  }

  remove(name: string): void {
    rmSync(this.#file(name), { force: true });
  }

  /** Whether any checkpoint needs this disk of a server. */
  isKept(serverId: number, disk: string): boolean {
    return this.list().some(({ machines }) =>
      machines.some(({ record }) => record.spec.serverId === serverId && record.disk === disk),
    );
  }

  isVolumeKept(volumeId: number): boolean {
    return this.list().some(({ volumes }) => volumes.includes(volumeId));
  }

  #file(name: string): string {
    return join(this.#directory, `${checkCheckpointName(name)}.json`);
  }
}

export interface CheckpointsOptions {
  readonly layout: Layout;
  readonly store: CheckpointStore;
  readonly machines: Machines;
  readonly volumes: Volumes;
  readonly router: Router;
  readonly balancers: LoadBalancers;
  readonly api: Api;
  readonly fingerprint: string;
}

export interface Summary {
  readonly name: string;
  readonly created: string;
  readonly servers: number;
}

export class Checkpoints {
  readonly #options: CheckpointsOptions;

  constructor(options: CheckpointsOptions) {
    this.#options = options;
  }

  list(): Summary[] {
    return this.#options.store
      .list()
      .map(({ name, created, machines }) => ({ name, created, servers: machines.length }));
  }

  /** Keeps the region as it is now; one of that name is replaced. Call it when no action runs. */
  async save(name: string): Promise<void> {
    checkCheckpointName(name);
    const { store, machines, volumes, api, fingerprint } = this.#options;
    await api.idle();
    await api.observe();
    if (store.has(name)) await this.delete(name);
    const snapshot = snapshotName(name);
    const present = machines.list();
    const there = api
      .state()
      .volumes.map(({ id }) => id)
      .filter((id) => volumes.has(id));
    await Promise.all([
      ...looseVolumes({ machines: present, volumes: there }).map((id) =>
        run("qemu-img", ["snapshot", "-c", snapshot, volumes.path(id)]),
      ),
      ...present.map(async ({ record, running }) => {
        if (running) await machines.running(record.spec.serverId)?.save(snapshot);
        else await run("qemu-img", ["snapshot", "-c", snapshot, machines.paths(record).disk]);
      }),
    ]);
    const created = new Date().toISOString();
    store.put({ name, created, fingerprint, api: api.snapshot(), machines: present, volumes: there });
  }

  /** Brings back exactly what the checkpoint has: its servers and networks and no others. */
  async restore(name: string): Promise<string[]> {
    const { store, machines, volumes, router, balancers, api, fingerprint } = this.#options;
    const checkpoint = store.get(name);
    if (checkpoint.fingerprint !== fingerprint && checkpoint.machines.some(({ running }) => running)) {
      throw new Error(
        `the checkpoint ${name} was saved with other machines (${checkpoint.fingerprint}) than this region makes (${fingerprint})`,
      );
    }
    for (const { record } of checkpoint.machines) {
      const { disk } = machines.paths(record);
      if (!existsSync(disk)) throw new Error(`the checkpoint ${name} lacks the disk of server ${record.spec.name}`);
    }
    for (const id of checkpoint.volumes)
      if (!volumes.has(id)) throw new Error(`the checkpoint ${name} lacks the disk of volume ${id}`);
    await api.idle();
    const abandoned = machines.list().map(({ record }) => record);
    await machines.releaseAll();
    await balancers.close();
    for (const networkId of router.networkIds()) await router.deleteNetwork(networkId);
    await router.flushConnections();
    this.#removeDisks(abandoned, checkpoint);
    volumes.keepOnly(checkpoint.volumes);

    // Networks and machines come first and in parallel; the API finds them made, lays its filters and lets them run.
    api.restore(checkpoint.api);
    for (const network of api.state().networks) await router.putNetwork(networkSpec(network));
    for (const { record } of checkpoint.machines) await machines.adopt(record);
    for (const id of looseVolumes(checkpoint))
      await run("qemu-img", ["snapshot", "-a", snapshotName(name), volumes.path(id)]);
    await Promise.all(checkpoint.machines.map((item) => this.#load(item, snapshotName(name))));
    const problems = (await api.resume()).map(({ resource, message }) => `${resource}: ${message}`);
    await Promise.all(
      checkpoint.machines.map(async ({ record: { spec } }) => {
        const machine = machines.running(spec.serverId);
        if (machine && !(await machine.setClock())) {
          problems.push(`server ${spec.name}: its clock is not set, as its agent does not answer`);
        }
      }),
    );
    return problems;
  }

  /** Leaves a machine that ran standing still, with its memory in place; the API lets it go once its filter is there. */
  async #load({ record, running }: Manifest["machines"][number], snapshot: string): Promise<void> {
    const { machines } = this.#options;
    if (running) await machines.resumeFrom(record.spec.serverId, snapshot);
    else await run("qemu-img", ["snapshot", "-a", snapshot, machines.paths(record).disk]);
  }

  #removeDisks(records: readonly MachineRecord[], checkpoint: Manifest): void {
    const { store, machines } = this.#options;
    for (const { spec, disk } of records) {
      if (!checkpoint.machines.some(({ record }) => record.spec.serverId === spec.serverId))
        machines.clear(spec.serverId);
      else if (!store.isKept(spec.serverId, disk))
        rmSync(join(machines.directory(spec.serverId), disk), { force: true });
    }
  }

  async delete(name: string): Promise<void> {
    const { store, machines, volumes, api } = this.#options;
    const checkpoint = store.get(name);
    store.remove(name);
    const snapshot = snapshotName(name);
    const present = new Map(machines.list().map((item) => [item.record.spec.serverId, item]));
    // Those that a running machine has lose theirs with its own; one that another machine has now keeps it until it is saved anew.
    for (const id of looseVolumes({ machines: machines.list(), volumes: checkpoint.volumes })) {
      if (api.state().volumes.some((volume) => volume.id === id) || store.isVolumeKept(id))
        await tryRun("qemu-img", ["snapshot", "-d", snapshot, volumes.path(id)]);
      else volumes.delete(id);
    }
    await Promise.all(
      checkpoint.machines.map(async ({ record }) => {
        const { serverId } = record.spec;
        const here = present.get(serverId);
        const disk = machines.paths(record).disk;
        if (here?.record.disk === record.disk) {
          const machine = machines.running(serverId);
          if (machine) await machine.deleteSnapshot(snapshot);
          else await tryRun("qemu-img", ["snapshot", "-d", snapshot, disk]);
        } else if (store.isKept(serverId, record.disk)) {
          await tryRun("qemu-img", ["snapshot", "-d", snapshot, disk]);
        } else {
          rmSync(disk, { force: true });
          if (!here) rmSync(machines.directory(serverId), { recursive: true, force: true });
        }
      }),
    );
  }
}
