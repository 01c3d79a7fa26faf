import { describe, expect, it } from "vitest";
import type { MachineSpec } from "../backend.js";
import { qemuArguments } from "./qemuArguments.js";
import { freeSlot, recordOf } from "./slots.js";

const nic = (networkId: number) => ({
  networkId,
  mac: `86:00:00:00:00:0${networkId}`,
  ip: `10.${networkId}.0.2`,
  aliasIps: [],
});
const spec: MachineSpec = {
  serverId: 1001,
  name: "web",
  image: "debian-13",
  cores: 8,
  memory: 16_384,
  disk: 40,
  publicInterface: { mac: "96:00:00:00:00:01", ipv4: "203.0.113.1" },
  privateInterfaces: [nic(1), nic(2)],
};

function argumentsFor(kind: "kvm" | "tcg", limits = { cores: 2, memory: 1536 }, volumes: number[] = []): string[] {
  return qemuArguments({
    machine: recordOf({ ...spec, volumes }, "disk-1.qcow2", "/images/x"),
    paths: {
      ...{ disk: "/s/a,b/disk-1.qcow2", qmp: "/s/qmp.sock", agent: "/s/agent.sock", console: "/s/console.log" },
      volume: (id) => `/v/a,b/${id}.qcow2`,
    },
    boot: { kernel: "/images/x/kernel", initrd: "/images/x/initrd" },
    accelerator: { kind, counterKhz: 2_445_420 },
    limits,
  });
}

describe("qemuArguments", () => {
  it("bounds every server by the region's limits", () => {
    const args = argumentsFor("tcg");
    expect(args[args.indexOf("-smp") + 1]).toBe("2");
    expect(args[args.indexOf("-m") + 1]).toBe("1536");
  });

  it("gives a server less than the limits when its type says so", () => {
    const args = argumentsFor("tcg", { cores: 64, memory: 65_536 });
    expect(args[args.indexOf("-smp") + 1]).toBe("8");
    expect(args[args.indexOf("-m") + 1]).toBe("16384");
  });

  it("tells cloud-init's data source that this is Hetzner", () => {
    expect(argumentsFor("tcg")).toContain("type=1,manufacturer=Hetzner,product=vServer,serial=1001");
  });

  it("puts private interfaces on buses 7 and up, so that they are called enp7s0 and so on", () => {
    const devices = argumentsFor("tcg").filter((arg) => arg.startsWith("virtio-net-pci"));
    expect(devices.map((device) => /mac=([^,]+).*bus=(\w+)/.exec(device)?.slice(1))).toEqual([
      ["96:00:00:00:00:01", "bus1"],
      ["86:00:00:00:00:01", "bus7"],
      ["86:00:00:00:00:02", "bus8"],
    ]);
  });

  it("doubles commas in paths", () => {
    expect(argumentsFor("tcg").find((arg) => arg.startsWith("driver=file"))).toContain(
      "filename=/s/a,,b/disk-1.qcow2,",
    );
  });

  it("tells an emulated kernel how fast its time stamp counter runs", () => {
    expect(argumentsFor("tcg").join(" ")).toContain(" tsc_early_khz=2445420");
    expect(argumentsFor("kvm").join(" ")).not.toContain("tsc_early_khz");
  });

  it("switches mitigations off under emulation only", () => {
    expect(argumentsFor("tcg").join(" ")).toContain("mitigations=off");
    expect(argumentsFor("kvm").join(" ")).not.toContain("mitigations=off");
  });
});

describe("volumes", () => {
  it("change nothing about a machine without any", () => {
    expect(argumentsFor("tcg").join(" ")).not.toMatch(/scsi|volume/);
  });

  it("are SCSI disks that the guest's udev calls scsi-0HC_Volume_ID", () => {
    const args = argumentsFor("tcg", undefined, [4711, 4712]);
    const devices = args.filter((arg) => arg.startsWith("{")).map((arg) => JSON.parse(arg));
    expect(devices).toMatchObject([
      { driver: "virtio-scsi-pci", id: "volumes", bus: "bus5" },
      { driver: "qcow2", "node-name": "volume4711", file: { filename: "/v/a,b/4711.qcow2" } },
      { driver: "scsi-hd", drive: "volume4711", "scsi-id": 0, vendor: "HC", product: "Volume", serial: "4711" },
      { driver: "qcow2", "node-name": "volume4712" },
      { driver: "scsi-hd", drive: "volume4712", "scsi-id": 1, vendor: "HC", product: "Volume", serial: "4712" },
    ]);
  });

  it("keep their places when another one goes, and the controller stays with the last", () => {
    const both = recordOf({ ...spec, volumes: [1, 2] }, "d", "b");
    const one = recordOf({ ...spec, volumes: [2, 3] }, "d", "b", both);
    expect(one.volumes).toEqual([
      { slot: 1, volumeId: 2 },
      { slot: 0, volumeId: 3 },
    ]);
    expect(recordOf(spec, "d", "b", one)).toMatchObject({ volumes: [], holdsVolumes: true });
    expect(recordOf(spec, "d", "b").holdsVolumes).toBe(false);
  });

  it("are at most sixteen", () => {
    const many = Array.from({ length: 17 }, (_, index) => index + 1);
    expect(() => recordOf({ ...spec, volumes: many }, "d", "b")).toThrow("at most 16 volumes");
  });
});

describe("slots of private interfaces", () => {
  it("stay with their Network when another one goes", () => {
    const before = recordOf(spec, "d", "b");
    const after = recordOf({ ...spec, privateInterfaces: [nic(2)] }, "d", "b", before);
    expect(after.privateInterfaces.map(({ slot, nic: { networkId } }) => [networkId, slot])).toEqual([[2, 1]]);
  });

  it("fill the first gap, also before an interface that keeps its slot", () => {
    const before = recordOf({ ...spec, privateInterfaces: [nic(1)] }, "d", "b");
    const after = recordOf({ ...spec, privateInterfaces: [nic(3), nic(1)] }, "d", "b", before);
    expect(after.privateInterfaces.map(({ slot, nic: { networkId } }) => [networkId, slot])).toEqual([
      [3, 1],
      [1, 0],
    ]);
  });

  it("are three", () => {
    expect(freeSlot([0, 2])).toBe(1);
    expect(() => freeSlot([0, 1, 2])).toThrow("at most 3 networks");
  });
});
