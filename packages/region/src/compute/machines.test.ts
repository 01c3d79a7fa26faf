import { describe, expect, it } from "vitest";
import type { MachineSpec } from "../backend.js";
import { freeSlot, recordOf } from "./machines.js";
import { qemuArguments } from "./qemuArguments.js";

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

function argumentsFor(kind: "kvm" | "tcg", limits = { cores: 2, memory: 1536 }): string[] {
  return qemuArguments({
    machine: recordOf(spec, "disk-1.qcow2", "/images/x"),
    paths: { disk: "/s/a,b/disk-1.qcow2", qmp: "/s/qmp.sock", agent: "/s/agent.sock", console: "/s/console.log" },
    boot: { kernel: "/images/x/kernel", initrd: "/images/x/initrd" },
    accelerator: { kind },
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

  it("switches mitigations off under emulation only", () => {
    expect(argumentsFor("tcg").join(" ")).toContain("mitigations=off");
    expect(argumentsFor("kvm").join(" ")).not.toContain("mitigations=off");
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
