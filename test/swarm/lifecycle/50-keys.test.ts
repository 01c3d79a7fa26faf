/** The SSH key becomes another one on nodes that are up, and nobody else's does. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { api, type ClusterNode, type StackRun, sshKey } from "../../harness/src/index.js";
import { admits, expectWhole, Life, note, sessionsByNode } from "./lib.js";

let life: Life;
let swarmId: string;
let oldFile: string;
let newFile: string;
/** What each node's authorized_keys said before, by the node's name. */
const before = new Map<string, string>();

const publicKey = (file: string): string => readFileSync(`${file}.pub`, "utf8").split(" ").slice(0, 2).join(" ").trim();
const fingerprint = async (file: string): Promise<string> =>
  (await execa("ssh-keygen", ["-l", "-f", `${file}.pub`])).stdout.split(" ")[1] ?? "";
const authorizedKeys = (node: ClusterNode): Promise<string> => life.cluster.ssh(node, "cat ~root/.ssh/authorized_keys");
const keysOf = async (file: string): Promise<Record<string, boolean>> => {
  const answers: Record<string, boolean> = {};
  for (const node of life.cluster.nodes) answers[node.name] = await admits(life, node, file);
  return answers;
};
const onEveryNode = (answer: boolean): Record<string, boolean> =>
  Object.fromEntries(life.cluster.nodes.map((node) => [node.name, answer]));
const secretLines = (file: string): string[] =>
  readFileSync(file, "utf8")
    .split("\n")
    .slice(3, 6)
    .filter((line) => line.length > 20);
const expectNoPrivateKey = (text: string): void => {
  expect(text).not.toMatch(/PRIVATE KEY/);
  for (const line of [...secretLines(oldFile), ...secretLines(newFile)]) expect(text.includes(line)).toBe(false);
};
const up = (...flags: string[]): Promise<StackRun> => life.stack.up(note, ...flags);

beforeAll(async () => {
  life = await Life.ready();
  swarmId = life.cluster.outputs.swarmId;
  oldFile = life.keyFile;
  newFile = await sshKey(join(life.stack.stateDir, "rotated"));
  const stranger = await sshKey(join(life.stack.stateDir, "stranger"));
  for (const node of life.cluster.nodes) {
    // Somebody else's key, one with conditions, and a remark that names the old key.
    const lines = [publicKey(stranger), `from="192.0.2.0/24" ${publicKey(stranger)} ann`, `# ${publicKey(oldFile)}`];
    await life.cluster.ssh(node, "cat >>~root/.ssh/authorized_keys", `${lines.join("\n")}\n`);
    before.set(node.name, await authorizedKeys(node));
  }
});

describe("the SSH key", () => {
  it("is the old one so far", async () => {
    expect(await keysOf(oldFile)).toEqual(onEveryNode(true));
    expect(await keysOf(newFile)).toEqual(onEveryNode(false));
  });

  it("shows in a preview, node by node, by its fingerprint alone and without a connection", async () => {
    await life.stack.setConfig("privateKeyFile", newFile);
    await life.stack.setConfig("previousPrivateKeyFile", oldFile);
    const { text, sshSessions } = await life.stack.previewDiff();
    const [was, is] = [await fingerprint(oldFile), await fingerprint(newFile)];
    for (const name of Object.keys(life.cluster.outputs.nodes)) expect(text).toContain(`${name}: "${was} -> ${is}"`);
    expect(text.split(`lets SSH key ${is} in beside ${was}`)).toHaveLength(life.cluster.nodes.length + 1);
    expect(text.split(`takes SSH key ${was} away, ${is} stays`)).toHaveLength(life.cluster.nodes.length + 1);
    expect(text).not.toMatch(/hcloud:index\/server:Server: \(replace\)/);
    expect(sshSessions).toEqual([]);
    expectNoPrivateKey(text);
  });

  it("opens every node, old and new, as long as one node has not been reached with the new one", async () => {
    const w1 = life.node("w1");
    await life.ssh(w1, "systemctl stop docker.socket docker.service");
    await expect(up()).rejects.toThrow(/\(life-w1-(policy|membership)\):.*error/s);
    expect(await keysOf(oldFile)).toEqual(onEveryNode(true));
    expect(await keysOf(newFile)).toEqual(onEveryNode(true));
    await life.ssh(w1, "systemctl start docker.service");
    await life.settle();
  });

  it("is rotated by the next `up`: the new one opens every node, the old one none", async () => {
    const servers = life.cluster.nodes.map((node) => node.serverId).sort();
    const run = await up();
    life.keyFile = newFile;
    await life.reopen();
    expect(life.cluster.nodes.map((node) => node.serverId).sort()).toEqual(servers);
    expect(await keysOf(newFile)).toEqual(onEveryNode(true));
    expect(await keysOf(oldFile)).toEqual(onEveryNode(false));
    await expectWhole(life, swarmId);
    // Let in, policy, membership, peers, taken away; less where the interrupted deployment came further.
    for (const [node, sessions] of Object.entries(sessionsByNode(life, run)))
      expect(sessions, `sessions of ${node}`).toBeLessThanOrEqual(5);
    expectNoPrivateKey(run.text);
    expectNoPrivateKey((await life.stack.pulumi("stack", "export")).text);
  });

  it("is all that changed among the keys of a node", async () => {
    for (const node of life.cluster.nodes) {
      const lines = (before.get(node.name) ?? "").trimEnd().split("\n");
      const others = lines.filter((line) => !line.startsWith(publicKey(oldFile)));
      expect(others.length, node.name).toBe(lines.length - 1);
      const now = (await authorizedKeys(node)).trimEnd().split("\n");
      expect(now, node.name).toEqual([...others, `${publicKey(newFile)} hcloud-swarm`]);
    }
  });

  it("costs nothing once it is rotated, and one connection a node when the program forgets the old one", async () => {
    expect((await up()).sshSessions).toEqual([]);
    await life.stack.removeConfig("previousPrivateKeyFile");
    const forgotten = await up();
    expect(new Set(Object.values(sessionsByNode(life, forgotten)))).toEqual(new Set([1]));
    expect((await up()).sshSessions).toEqual([]);
    const { ssh_keys: keys } = z
      .object({ ssh_keys: z.array(z.object({ name: z.string(), public_key: z.string() })) })
      .parse(await api(life.region, "GET", "/ssh_keys"));
    expect(keys.map((key) => [key.name, key.public_key.trim()])).toEqual([["life", publicKey(newFile)]]);
    expect(await keysOf(newFile)).toEqual(onEveryNode(true));
  });

  it("is the only one that a server knows which is made afterwards", async () => {
    await life.become({ ...life.wish, w1: { role: "worker", replacement: 1 } });
    expect(life.node("w1").name).toBe("life-w1-r1");
    expect(await keysOf(newFile)).toEqual(onEveryNode(true));
    expect(await keysOf(oldFile)).toEqual(onEveryNode(false));
    await expectWhole(life, swarmId);
  });
});
