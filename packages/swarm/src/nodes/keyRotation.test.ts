/** The SSH key becomes another one: which step comes with which key, in what order, and what a preview says of it. */
import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import type { SwarmClusterArgs } from "../args/components";
import type { SshArgs } from "../args/host";
import { HardenedServer } from "../hardenedServer";
import { addKeyProgram, removeKeyProgram, upgradeProgram } from "../host";
import { bootstrapHostKey, fingerprintOf } from "../remote/sshKey";
import { SwarmCluster } from "../swarmCluster";
import { type FakeCloud, type FakeOptions, fakeCloud, hostKey, isSecret, plain } from "../testing/fakeCloud";
import { madeCluster } from "../testing/madeCluster";

const was = bootstrapHostKey("the old one", "key", "pair");
const is = bootstrapHostKey("the new one", "key", "pair");
const [wasPrint, isPrint] = [was, is].map((key) => fingerprintOf(key.publicKey)) as [string, string];
const rotating: SshArgs = { privateKey: is.privateKey, previousPrivateKey: was.privateKey };
const members = ["m1", "w1"];
const pools: SwarmClusterArgs["pools"] = {
  m: { role: "manager", nodes: { m1: {} } },
  w: { role: "worker", nodes: { w1: {} } },
};

const up = (ssh: SshArgs, extra: Partial<SwarmClusterArgs> = {}, options: FakeOptions = {}) =>
  madeCluster({ ssh, pools, ...extra }, { slow: true, ...options });
const keyOf = (cloud: FakeCloud, step: string): string => plain(cloud.inputsOf(step).connection).privateKey.trim();
const names = (cloud: FakeCloud): string[] => cloud.asked.map((one) => one.name).sort();
/** What stands in plain text somewhere among what was asked for. */
const openly = (cloud: FakeCloud): string =>
  JSON.stringify(cloud.asked, (_, value) => (isSecret(value) ? "[secret]" : value));

describe.each([false, true])("a rotated key, swarm there already (in a preview: %s)", (preview) => {
  const options: FakeOptions = preview
    ? { preview }
    : { swarm: members.map((name) => ({ name, role: name === "m1" ? "manager" : "worker" })) };

  it("is named, with the old one, in the component's inputs and in the commands of each node", async () => {
    const { cloud } = await up(rotating, {}, options);
    expect(cloud.inputsOf("prod").sshKeys).toEqual({
      m1: `${wasPrint} -> ${isPrint}`,
      w1: `${wasPrint} -> ${isPrint}`,
    });
    for (const node of members) {
      const { create, update, stdin } = cloud.inputsOf(`prod-${node}-agent`);
      expect(create).toBeUndefined();
      expect(update).toBe(`timeout --verbose 1500 sh -s # lets SSH key ${isPrint} in beside ${wasPrint}`);
      expect(plain(stdin)).toBe(`set -eu\n${addKeyProgram(is.publicKey)}${upgradeProgram()}`);
      const removal = cloud.inputsOf(`prod-${node}-old-key`);
      expect(removal.create).toBe(`timeout --verbose 900 sh -s # takes SSH key ${wasPrint} away, ${isPrint} stays`);
      expect(removal.delete).toBeUndefined();
      expect(plain(removal.stdin)).toBe(removeKeyProgram(was.publicKey, is.publicKey));
    }
  });

  it("shows no private key, old or new", async () => {
    const { cloud } = await up(rotating, {}, options);
    const text = openly(cloud);
    expect(text).not.toMatch(/PRIVATE KEY/);
    for (const { privateKey } of [was, is]) expect(text).not.toContain(privateKey.split("\n")[2]);
    for (const { inputs, name } of cloud.ofType("command:remote:Command"))
      for (const run of [inputs.create, inputs.update, inputs.delete, plain(inputs.stdin)])
        expect(JSON.stringify(run ?? ""), name).not.toMatch(/PRIVATE KEY/);
  });

  it("is another one in Hetzner Cloud too, beside the old one until that is deleted", async () => {
    const before = (await up({ privateKey: was.privateKey }, {}, options)).cloud.inputsOf("prod-ssh-key");
    const during = (await up(rotating, {}, options)).cloud.inputsOf("prod-ssh-key");
    const after = (await up({ privateKey: is.privateKey }, {}, options)).cloud.inputsOf("prod-ssh-key");
    expect([before.name, after.name]).toEqual(["prod", "prod"]);
    expect(during.name).toMatch(/^prod-[0-9a-f]{8}$/);
    expect([before, during, after].map((key) => key.publicKey)).toEqual([was.publicKey, is.publicKey, is.publicKey]);
  });
});

describe("a rotation", () => {
  it("lets the new key in over the old one; every other step comes with the new one", async () => {
    const { cloud } = await up(rotating);
    const steps = cloud.ofType("command:remote:Command").map((one) => one.name);
    expect(steps).toHaveLength(14);
    for (const step of steps) {
      const expected = step.endsWith("-agent") ? was : is;
      expect(keyOf(cloud, step), step).toBe(expected.privateKey.trim());
    }
  });

  it("takes the old key away from no node before every node was reached with the new one", async () => {
    const { cloud } = await up(rotating);
    for (const node of members) {
      expect(cloud.isDoneBefore(`prod-${node}-agent`, `prod-${node}-policy`)).toBe(true);
      for (const other of members)
        expect(cloud.isDoneBefore(`prod-${other}-membership`, `prod-${node}-old-key`), `${other} ${node}`).toBe(true);
    }
  });

  it("is over without the previous key: the same steps as if there had been no other key", async () => {
    const { cloud } = await up({ privateKey: is.privateKey });
    const during = await up(rotating);
    expect(names(cloud)).toEqual(names(during.cloud).filter((name) => !name.endsWith("-old-key")));
    expect(cloud.inputsOf("prod-m1-agent").update).toBe("timeout --verbose 1500 sh -s");
    expect(cloud.inputsOf("prod")).not.toHaveProperty("sshKeys");
    for (const { name } of cloud.ofType("command:remote:Command"))
      expect(keyOf(cloud, name), name).toBe(is.privateKey.trim());
  });

  it("gives servers that are made meanwhile the new key: for their first contact, and in their user-data", async () => {
    const { cloud } = await up(rotating);
    const first = bootstrapHostKey(is.privateKey, "prod", "w1");
    expect(plain(cloud.inputsOf("prod-w1").userData)).toContain(first.publicKey);
    expect(plain(cloud.inputsOf("prod-w1-bootstrap").connection)).toMatchObject({ hostKey: first.publicKey });
  });

  it("leaves the keys of adopted servers alone, and comes to them with the new one", async () => {
    const adopt = { id: "55", hostKey, address: "198.51.100.7" };
    const servers = { "55": { name: "old-box", ipv4Address: "198.51.100.7", networks: [] } };
    const mixed: SwarmClusterArgs["pools"] = { ...pools, w: { role: "worker", nodes: { w1: { adopt } } } };
    const { cloud } = await up(rotating, { pools: mixed }, { servers });
    expect(names(cloud)).toContain("prod-m1-old-key");
    expect(names(cloud)).not.toContain("prod-w1-old-key");
    expect(keyOf(cloud, "prod-w1-agent")).toBe(is.privateKey.trim());
    const { update, create, stdin } = cloud.inputsOf("prod-w1-agent");
    expect(JSON.stringify([update, create, stdin])).not.toMatch(/authorized_keys|SHA256/);
    expect(cloud.inputsOf("prod").sshKeys.w1).toMatch(/^SHA256:\S+, which has to be let in there already/);
    expect(cloud.isDoneBefore("prod-w1-membership", "prod-m1-old-key")).toBe(true);
  });

  it("is the same for a server alone", async () => {
    const cloud = await fakeCloud({ slow: true });
    new HardenedServer("web", { ssh: rotating });
    await cloud.settled();
    expect(cloud.inputsOf("web").sshKey).toBe(`${wasPrint} -> ${isPrint}`);
    expect(keyOf(cloud, "web-server-agent")).toBe(was.privateKey.trim());
    for (const step of ["policy", "verification", "old-key"])
      expect(keyOf(cloud, `web-server-${step}`), step).toBe(is.privateKey.trim());
    expect(cloud.isDoneBefore("web-server-verification", "web-server-old-key")).toBe(true);
    expect(openly(cloud)).not.toMatch(/PRIVATE KEY/);
  });

  it("takes keys that are known later, and keeps them secret", async () => {
    const later = (key: string) => pulumi.output(Promise.resolve(key));
    const { cloud } = await up({ privateKey: later(is.privateKey), previousPrivateKey: later(was.privateKey) });
    expect(keyOf(cloud, "prod-m1-agent")).toBe(was.privateKey.trim());
    expect(cloud.inputsOf("prod-m1-agent").update).toContain(isPrint);
    expect(openly(cloud)).not.toMatch(/PRIVATE KEY/);
  });
});

describe("a previous key", () => {
  const path = "ssh.previousPrivateKey";
  it.each<[string, string, RegExp]>([
    ["that is the present one", `\r\n${is.privateKey}`, /given the key of ssh\.privateKey; allowed: the key before it/],
    ["that is none", "rubbish", /given a text, not shown here; allowed: an SSH private key/],
  ])("%s is refused before anything is made", async (_, previousPrivateKey, message) => {
    const cloud = await fakeCloud();
    const make = () => new SwarmCluster("prod", { ssh: { ...rotating, previousPrivateKey }, pools });
    expect(make).toThrow(message);
    expect(make).toThrow(path);
    await cloud.settled();
    expect(cloud.asked).toEqual([]);
  });
});

it("names a key as ssh-keygen does", () => {
  // Of `ssh-keygen -lf`.
  const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl github";
  expect(fingerprintOf(key)).toBe("SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU");
});
