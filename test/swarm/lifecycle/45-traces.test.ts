/**
 * Where secrets must not be: every program's arguments on every node while nodes join, tokens are rotated and managers begin to lock
 * themselves; logs and files of the nodes; user-data; Pulumi's state, previews and logs.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { cloudConfigOf, filesOf } from "../../../packages/swarm/src/testing/userDataFiles.js";
import { type ClusterNode, eventually, type StackRun } from "../../harness/src/index.js";
import { execveArguments } from "./audit.js";
import { expectWhole, Life, note, poolsOf, secretsSchema, three, userDataOf, type Wish } from "./lib.js";

const tracing = {
  packages: ["auditd"],
  rules: "/etc/audit/rules.d/every-program.rules",
  // Every start of a program, and a queue that holds them all.
  content: "-D\n-b 65536\n-a always,exit -F arch=b64 -S execve -S execveat\n",
  load: "augenrules --load >/dev/null && systemctl start auditd.service",
};
// The image's lists of packages do, as long as its mirror has what is in them.
const install = "apt-get -q install -y --no-install-recommends auditd";
const installation = `export DEBIAN_FRONTEND=noninteractive; ${install} || { apt-get -q update && ${install}; }`;
const canary = "nobody-but-this-test-says-so";
const swarm = { joinTokenRotation: 1, autolock: true };
const grown: Wish = { ...three, w2: { role: "worker" } };

/**
 * Pulumi's SDK for Node has a debug message for each resource that holds what it gave, secrets too, as the README says: the one way
 * that is left, and none of ours.
 */
const sdksMessage = /"msg":"\w+ RPC finished: .*? resp: /;

let life: Life;
let run: StackRun;
let quiet: StackRun;
let preview: StackRun;
/** Of a changed policy, with everything in the state. */
let later: StackRun;
/** What must be nowhere, by what it is. */
let secrets: ReadonlyMap<string, string>;

beforeAll(async () => {
  life = await Life.ready();
  await Promise.all(
    life.cluster.nodes.map(async (node) => {
      await life.ssh(node, installation);
      await life.cluster.ssh(node, `cat >${tracing.rules} && ${tracing.load}`, tracing.content);
    }),
  );
  const before = secretsSchema.parse(await life.stack.outputs());
  const pools = poolsOf(grown, {
    cloudInit: {
      packages: tracing.packages,
      writeFiles: [{ path: tracing.rules, content: tracing.content }],
      runcmd: [tracing.load],
    },
  });
  await life.stack.setConfig("pools", JSON.stringify(pools));
  await life.stack.setConfig("args", JSON.stringify({ swarm }));
  preview = await life.stack.previewDiff();
  run = await life.stack.up(note, "--logtostderr", "--logflow", "-v=5");
  life.wish = grown;
  await life.reopen();
  quiet = await life.stack.up(note, "--logtostderr", "--logflow", "-v=2");
  const policy = { publishedPorts: [{ port: 80 }, { port: 8443 }] };
  await life.stack.setConfig("args", JSON.stringify({ swarm, policy }));
  later = await life.stack.previewDiff();
  const after = secretsSchema.parse(await life.stack.outputs());
  const keyLines = readFileSync(life.keyFile, "utf8")
    .split("\n")
    .filter((line) => line.length > 40 && !line.includes("PRIVATE KEY"));
  secrets = new Map([
    ["worker token of before", before.workerJoinToken],
    ["manager token of before", before.managerJoinToken],
    ["worker token", after.workerJoinToken],
    ["manager token", after.managerJoinToken],
    ["unlock key", after.unlockKey],
    ...keyLines.slice(2).map((line, index) => [`line ${String(index)} of the private key`, line] as const),
  ]);
  for (const [what, secret] of secrets) expect(secret.length, what).toBeGreaterThan(30);
});

/** What of the secrets is in a text. */
const found = (text: string): string[] =>
  [...secrets].filter(([, secret]) => text.includes(secret)).map(([what]) => what);

/** Names of files on a node that hold one of the words. They come on standard input, or the search itself would be what it finds. */
const filesWith = async (node: ClusterNode, words: Iterable<string>): Promise<string[]> => {
  const places =
    "/etc /opt /root /home /run /tmp /var/tmp /var/log /var/lib/cloud /var/lib/hcloud-iptables /var/lib/hcloud-swarm";
  const search = `
    words=$(mktemp)
    cat >"$words"
    for place in ${places}; do [ ! -e "$place" ] || grep -rlFs --devices=skip -f "$words" "$place" || :; done | grep -vxF "$words" || :
    rm -f "$words"`;
  return (await life.cluster.ssh(node, search, `${[...words].join("\n")}\n`)).split("\n").filter(Boolean);
};

function everyFile(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"));
}

describe("no token, unlock key or private key that is valid", () => {
  it("is there only because nothing happened: a node joined, the tokens are others, managers lock themselves", async () => {
    await expectWhole(life, life.cluster.outputs.swarmId);
    expect(new Set(secrets.values()).size).toBe(secrets.size);
    expect(
      await life.ssh(life.manager, "docker info --format '{{.Swarm.Cluster.Spec.EncryptionConfig.AutoLockManagers}}'"),
    ).toBe("true");
  });

  it("is an argument of any program that ran on a node", async () => {
    for (const node of life.cluster.nodes) {
      await life.ssh(node, `/bin/echo ${canary}`);
      // What the kernel tells it is in its file a moment later.
      await eventually("the last program in the log", 120, () =>
        life.ssh(node, `grep -qF 'a1="${canary}"' /var/log/audit/audit.log* && echo yes`),
      );
      const started = execveArguments(await life.ssh(node, "cat /var/log/audit/audit.log*"));
      expect(started.length, node.name).toBeGreaterThan(200);
      expect(started.filter((one) => one.includes(canary)).length, `control on ${node.name}`).toBeGreaterThan(0);
      expect(found(started.join("\n")), node.name).toEqual([]);
      expect(await life.ssh(node, "auditctl -s | sed -n 's/^lost //p'"), `records lost on ${node.name}`).toBe("0");
    }
  });

  it("is in a journal or a file of a node, outside of what Docker keeps for itself", async () => {
    for (const node of life.cluster.nodes) {
      const journal = await life.ssh(node, `logger ${canary}; journalctl --sync; journalctl --output=cat --no-pager`);
      expect(journal.includes(canary), `control on ${node.name}`).toBe(true);
      expect(found(journal), node.name).toEqual([]);
      await life.cluster.ssh(node, "cat >/var/tmp/canary", `${canary}-in-a-file\n`);
      expect(await filesWith(node, [`${canary}-in-a-file`]), `control on ${node.name}`).toEqual(["/var/tmp/canary"]);
      expect(await filesWith(node, secrets.values()), node.name).toEqual([]);
    }
  });

  it("is in user-data", async () => {
    for (const node of life.cluster.nodes) {
      const userData = await userDataOf(life, node);
      const config = cloudConfigOf(userData);
      expect(config).toMatch(/^#cloud-config/);
      const files = filesOf(userData);
      expect(files.get("/opt/hcloud-iptables.sh")).toContain("DOCKER-USER");
      expect(found([config, ...files.values()].join("\n")), node.name).toEqual([]);
    }
  });

  it("is in Pulumi's state, in previews with their differences, or in the logs of the engine and the providers", async () => {
    const states = everyFile(join(life.stack.stateDir, ".pulumi"));
    expect(states.some((text) => text.includes(life.cluster.outputs.swarmId))).toBe(true);
    expect(states.flatMap(found)).toEqual([]);
    expect(preview.text).toContain("w2");
    expect(found(preview.text)).toEqual([]);
    expect(later.text).toMatch(/\+ *"?tcp\/8443"?/);
    expect(later.text).toMatch(/life-m1-membership/);
    expect(found(later.text)).toEqual([]);
    expect(run.text).toMatch(/eventSink::/);
    const lines = run.text.split("\n");
    const sdks = lines.filter((line) => sdksMessage.test(line));
    expect(found(sdks.join("\n")), "the exception, without which it can go").toContain("worker token");
    expect(found(lines.filter((line) => !sdks.includes(line)).join("\n"))).toEqual([]);
    expect(quiet.text).toMatch(/unchanged/);
    expect(found(quiet.text)).toEqual([]);
  });
});
