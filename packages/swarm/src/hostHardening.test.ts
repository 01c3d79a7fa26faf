import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import type { HostHardeningArgs } from "./args/components";
import { HostHardening } from "./hostHardening";
import { bootstrapHostKey } from "./remote/sshKey";
import { fakeCloud, hostKey, isSecret, known, plain } from "./testing/fakeCloud";

const { privateKey } = bootstrapHostKey("a test", "key", "pair");
const connection = { host: "192.0.2.9", privateKey, hostKey };

async function up(extra: Partial<HostHardeningArgs> = {}, options = {}) {
  const cloud = await fakeCloud(options);
  const host = new HostHardening("box", { connection, ...extra });
  await cloud.settled();
  return { cloud, host };
}

describe("HostHardening", () => {
  it("installs, applies and verifies, over connections with the host's key pinned", async () => {
    const { cloud, host } = await up();
    const steps = cloud.ofType("command:remote:Command");
    expect(steps.map((step) => step.name)).toEqual(["box-agent", "box-policy", "box-verification"]);
    for (const { inputs } of steps) {
      expect(plain(inputs.connection)).toMatchObject({ host: "192.0.2.9", port: 22, user: "root", hostKey });
      expect(isSecret(inputs.connection)).toBe(true);
      expect(inputs.triggers).toEqual(["192.0.2.9"]);
    }
    expect(isSecret(cloud.inputsOf("box-policy").stdin)).toBe(false);
    expect(await known(host.report)).toMatchObject({ passed: true });
  });

  it("takes the agent away when it goes, unless it is to stay", async () => {
    expect((await up()).cloud.inputsOf("box-agent").delete).toMatch(/systemctl .*disable hcloud-iptables\.service/);
    expect((await up({ keepOnRemove: true })).cloud.inputsOf("box-agent").delete).toBeUndefined();
    for (const { name, inputs } of (await up()).cloud.ofType("command:remote:Command"))
      if (name !== "box-agent") expect(inputs.delete, name).toBeUndefined();
  });

  it("uses sudo for a user that is not root", async () => {
    const { cloud } = await up({ connection: { ...connection, user: "admin" } });
    for (const { name, inputs } of cloud.ofType("command:remote:Command"))
      expect(inputs.create, name).toMatch(/^sudo -n sh -c '/);
    expect(cloud.inputsOf("box-agent").delete).toMatch(/^sudo -n sh -c '/);
  });

  it("opens the swarm's ports to the peers it is told", async () => {
    const later = pulumi.output(Promise.resolve("10.0.0.8"));
    const { cloud } = await up({ swarm: { role: "manager", peers: ["10.0.0.7", later] } });
    const { stdin } = cloud.inputsOf("box-policy");
    expect(stdin).toContain("### peers\n10.0.0.7\n10.0.0.8\n### end\n");
    expect(stdin).toContain("2377");
  });

  it("previews when nothing is known yet", async () => {
    const { host } = await up({}, { preview: true });
    expect(await host.report.isKnown).toBe(false);
  });

  it.each<[string, object, RegExp]>([
    [
      "a connection without a host key",
      { connection: { host: "h", privateKey } },
      /connection\.hostKey: given nothing/,
    ],
    [
      "another kind of host key",
      { connection: { ...connection, hostKey: "ssh-rsa AAAA" } },
      /connection\.hostKey: given "ssh-rsa/,
    ],
    ["a peer that is no address", { swarm: { role: "worker", peers: ["x"] } }, /swarm\.peers\[0\]: given "x"/],
  ])("refuses %s before anything is done", async (_, extra, message) => {
    const cloud = await fakeCloud();
    expect(() => new HostHardening("box", { connection, ...extra } as HostHardeningArgs)).toThrow(message);
    await cloud.settled();
    expect(cloud.asked).toEqual([]);
  });
});
