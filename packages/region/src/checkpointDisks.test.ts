/** Disks over checkpoints, with machines that are off: real files and real qemu-img, nobody to boot. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Api } from "./api/index.js";
import type { MachineSpec } from "./backend.js";
import { CheckpointStore, Checkpoints } from "./checkpoints.js";
import { Machines } from "./compute/machines.js";
import { Volumes } from "./compute/volumes.js";
import { imageIn } from "./images/store.js";
import { layoutOf } from "./layout.js";
import type { LoadBalancers } from "./network/loadBalancers.js";
import type { Router } from "./network/router.js";
import { run } from "./support/command.js";

let state: string;
let machines: Machines;
let checkpoints: Checkpoints;

const spec = (serverId: number, name: string): MachineSpec => ({
  ...{ serverId, name, image: "debian-13", cores: 1, memory: 1024, disk: 1 },
  privateInterfaces: [],
});
const disks = () => machines.list().map(({ record }) => [record.spec.name, record.disk]);

beforeEach(async () => {
  state = mkdtempSync(join(tmpdir(), "checkpoints-"));
  const layout = layoutOf("disks", state);
  const store = new CheckpointStore(layout.checkpoints);
  const nothing = async () => {};
  const router = { removePublic: nothing, flushConnections: nothing, networkIds: () => [] } as unknown as Router;
  const image = imageIn(join(state, "image"));
  mkdirSync(image.directory);
  await run("qemu-img", ["create", "-q", "-f", "raw", image.disk, "1M"]);
  machines = new Machines({
    ...{ layout, router, accelerator: { kind: "tcg" }, limits: { cores: 1, memory: 1024 } },
    image: () => image,
    volume: String,
    isKept: (serverId, disk) => store.isKept(serverId, disk),
  });
  checkpoints = new Checkpoints({
    ...{ layout, store, machines, router, fingerprint: "tcg" },
    volumes: new Volumes(layout.volumes, (id) => store.isVolumeKept(id)),
    balancers: { close: nothing } as unknown as LoadBalancers,
    api: {
      ...{ idle: nothing, observe: nothing, restore: () => {}, resume: async () => [], snapshot: () => "{}" },
      state: () => ({ volumes: [], networks: [] }),
    } as unknown as Api,
  });
});
afterEach(() => rmSync(state, { recursive: true }));

it("a machine that gets the id of another checkpoint's has a disk of its own, and both come back", async () => {
  await checkpoints.save("empty");
  await machines.create(spec(1001, "first"));
  await checkpoints.save("ready");
  await checkpoints.restore("empty");
  expect(disks()).toEqual([]);

  await machines.create(spec(1001, "second"));
  expect(disks()).toEqual([["second", "disk-2.qcow2"]]);
  await checkpoints.restore("ready");
  expect(disks()).toEqual([["first", "disk-1.qcow2"]]);
  expect(existsSync(join(machines.directory(1001), "disk-2.qcow2"))).toBe(false);
});

it("nothing is left of a machine that no checkpoint has", async () => {
  await checkpoints.save("empty");
  await machines.create(spec(1001, "only"));
  await checkpoints.restore("empty");
  expect(existsSync(machines.directory(1001))).toBe(false);
});
