/** A host whose key changed: what the real engine says, and what accepting the new key does to a node that is up. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bootstrapHostKey, fingerprintOf } from "../../../packages/swarm/src/remote/sshKey.js";
import { type Sshd, startSshd } from "../../engine/lib/sshd.mjs";
import { type Cloud, engine, openCloud, openPulumi, type Project } from "../cloud";

const timeout = 240_000;
let cloud: Cloud;
let project: Project;
let sshd: Sshd;
let shown: string;
beforeAll(async () => {
  // The published Node host is older than the engine, and knows no hooks.
  const path = engine("--policies");
  cloud = await openCloud();
  project = await openPulumi(cloud, path);
  sshd = await startSshd();
  shown = sshd.connection.hostKey;
}, 1_200_000);
afterAll(async () => {
  await sshd?.close();
  await project?.close();
  await cloud?.close();
});

const up = ["up", "--yes", "--skip-preview", "--non-interactive"];

interface Node {
  /** Of its present server. */
  readonly resource?: string;
  readonly server?: string;
  readonly hostKey?: string;
  /** The key of its first contact. */
  readonly first: string;
  readonly policy: string;
}

/** A node by the component's own functions; this machine is its host, and its last step notes that it ran. */
function program({ resource = "m1", server = "7", hostKey, first, policy }: Node): string {
  return `
const pulumi = require("@pulumi/pulumi");
const { bootstrapStep, firstKeyOf, hostKeyFrom, lastStep } = part("remote/steps");
const { hostKeyInForce } = part("nodes/acceptedKey");
class Owner extends pulumi.ComponentResource {}
const parent = new Owner("test:index:Owner", "prod");
const { privateKey, ...host } = ${JSON.stringify(sshd.connection)};
const pinned = { name: "prod-${resource}", argument: "pools.m.nodes.m1.hostKey", inDoubt: "raise the node's 'replacement'" };
const target = { ...host, privateKey: pulumi.secret(privateKey), pinned, dialSeconds: 60 };
const place = { name: "prod-${resource}", parent, identity: "${server}" };
const bootstrap = bootstrapStep(
  { ...place, target: { ...target, hostKey: ${JSON.stringify(first)} } },
  ${JSON.stringify(`echo first >>${join(project.dir, "runs")}; echo '${shown}'\n`)},
);
const key = hostKeyInForce(
  { component: parent, name: "prod" },
  { component: "SwarmCluster 'prod'", name: "m1", hostKey: ${JSON.stringify(hostKey)}, pinned },
  { serverId: pulumi.output("${server}"), own: hostKeyFrom(bootstrap), oneUse: firstKeyOf(bootstrap) },
);
lastStep({ ...place, target: { ...target, hostKey: key } }, {
  ...{ kind: "membership", digest: "${policy}", agent: "a", probationSeconds: 60 },
  program: ${JSON.stringify(`echo last $1 >>${join(project.dir, "runs")}\n`)},
});
exports.key = key;
`;
}
const runs = (): string[] => {
  const file = join(project.dir, "runs");
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  writeFileSync(file, "");
  return text.trim().split("\n");
};
const changes = async () =>
  (await project.preview()).filter(({ op }) => op !== "same").map((s) => `${s.op} ${s.resource}`);

let first: string;
let changed: string;

test("a changed key is refused, and the message says what to look at and what accepts it", { timeout }, async () => {
  first = shown;
  project.program(program({ first, policy: "one" }));
  await project.run(up);
  expect(runs()).toEqual(["first", "last one"]);

  changed = await sshd.changeHostKey();
  project.program(program({ first, policy: "two" }));
  const error = await project.run(up).then(
    () => "no error",
    (one: unknown) => String(one),
  );
  expect(error).toContain("ssh: host key mismatch");
  expect(error).toContain("prod-m1 shows another host key than the pinned one");
  expect(error).toContain(`'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub' is to say ${fingerprintOf(first)}.`);
  expect(error).toContain(
    "giving the file's text as pools.m.nodes.m1.hostKey; in doubt raise the node's 'replacement'",
  );
  expect(error).not.toMatch(/PRIVATE KEY|error hook/);
  expect(runs()).toEqual([""]);
});

test("accepted, it is pinned: the node's steps run over it, its first contact is not made again", {
  timeout,
}, async () => {
  project.program(program({ first, policy: "two", hostKey: changed }));
  expect(await changes()).toEqual([
    expect.stringMatching(/^create Command prod-m1-host-key-[0-9a-f]{8}$/),
    "update Command prod-m1-membership",
  ]);
  await project.run(up);
  expect(runs()).toEqual(["last two"]);
  await project.run(["preview", "--expect-no-changes", "--non-interactive"]);
  expect(await project.run(["stack", "output", "key"])).toContain(changed);
});

test("a server in the node's place is known by its own key, though the program still names the other", {
  timeout,
}, async () => {
  shown = await sshd.changeHostKey();
  project.program(program({ first: shown, policy: "two", hostKey: changed, resource: "m1-r1", server: "8" }));
  const output = await project.run(up);
  expect(runs()).toEqual(["first", "last two"]);
  expect(await project.run(["stack", "output", "key"])).toContain(shown);
  expect(output).toContain("pools.m.nodes.m1.hostKey is of a server that prod-m1-r1 has taken the place of");
});

test("the one-use key of the first boot is not accepted", { timeout }, async () => {
  project.program(program({ first: shown, policy: "three", hostKey: shown, resource: "m1-r1", server: "8" }));
  await expect(project.run(up)).rejects.toThrow(/hostKey: given the one-use key of the first boot/);
  expect(runs()).toEqual([""]);
});

test("a program in another language, which has the component from a process of its own, gets the message too", {
  timeout,
}, async () => {
  const plugin = join(import.meta.dirname, "../../../packages/swarm/plugin");
  const named = `plugins:\n  providers:\n    - name: hcloud-swarm\n      path: ${plugin}\n`;
  writeFileSync(join(project.dir, "Pulumi.yaml"), `name: engine-check\nruntime: nodejs\n${named}`);
  const other = bootstrapHostKey("another", "key", "pair").publicKey;
  const { host, port, user, privateKey } = sshd.connection;
  const args = {
    connection: { host, port, user, privateKey, hostKey: other },
    timeouts: { probation: 60 },
  };
  project.program(`
const pulumi = require("@pulumi/pulumi");
new pulumi.ComponentResource("hcloud-swarm:index:HostHardening", "box", ${JSON.stringify(args)}, {}, true);
`);
  const error = await project.run(up).then(
    () => "no error",
    (one: unknown) => String(one),
  );
  expect(error).toContain("ssh: host key mismatch");
  expect(error).toContain("box shows another host key than the pinned one");
  expect(error).toContain(`is to say ${fingerprintOf(other)}. If it says another one`);
  expect(error).toContain("giving the file's text as connection.hostKey; in doubt leave it pinned");
});

test("a step whose deletion fails says why to a destroy, which knows no hooks", { timeout }, async () => {
  project.program(`
const pulumi = require("@pulumi/pulumi");
const { agentStep } = part("remote/steps");
const pinned = { name: "box", argument: "connection.hostKey", inDoubt: "leave it pinned" };
const target = { ...${JSON.stringify({ ...sshd.connection, hostKey: shown })}, pinned, dialSeconds: 60 };
const place = { name: "box", parent: pulumi.rootStackResource, identity: "7", target };
agentStep(place, "true", "exit 3");
`);
  await project.run(up);
  expect(await project.run(["stack", "export"])).toContain("hcloud-swarm-changed-key-box-agent");
  const error = await project.run(["destroy", "--yes", "--skip-preview", "--non-interactive"]).then(
    () => "no error",
    (one: unknown) => String(one),
  );
  expect(error).toMatch(/box-agent[\s\S]*status 3/);
  expect(error).not.toMatch(/hook/);
});
