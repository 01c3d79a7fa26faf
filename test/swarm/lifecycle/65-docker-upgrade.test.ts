/** Docker goes from Debian 13's 26.1 to the 28.5 of sid, one node at a time, under probes; to an older one it does not go. */
import { beforeAll, describe, expect, it } from "vitest";
import { say } from "../../harness/src/index.js";
import { bootId, expectOneAtATime, expectWhole, Life, listening, taskMoveSeconds } from "./lib.js";

let life: Life;
let swarmId: string;

/** Docker alone comes from sid: it needs no library that Debian 13 has not. The archive may be a snapshot that is older than a week. */
const newerDocker = `set -eu
sed -n 's/ trixie main$/ sid main/p' /etc/apt/sources.list >/etc/apt/sources.list.d/sid.list
[ -s /etc/apt/sources.list.d/sid.list ]
echo 'Acquire::Check-Valid-Until "false";' >/etc/apt/apt.conf.d/90-sid
cat >/etc/apt/preferences.d/sid <<'END'
Package: *
Pin: release n=sid
Pin-Priority: 50

Package: docker.io docker-cli containerd runc tini-static
Pin: release n=sid
Pin-Priority: 500
END`;

const names = ["m1", "m2", "m3", "w1"];
const versions = () => life.each(names, "docker version --format '{{.Server.Version}}'");
const boots = () => life.each(names, bootId);
const maintenance = (dockerVersion: string) => ({ maintenance: { dockerVersion, timeout: 7200 } });

beforeAll(async () => {
  life = await Life.ready();
  swarmId = life.cluster.outputs.swarmId;
  await Promise.all(life.cluster.nodes.map((node) => life.ssh(node, newerDocker)));
});

describe("a version of Docker in the program", () => {
  it("comes to every node, one at a time and without a restart of the machines, and the web service goes on", async () => {
    const before = await versions();
    for (const name of names) expect(before[name], name).toMatch(/^26\.1\./);
    const booted = await boots();
    await life.stack.setConfig("args", JSON.stringify(maintenance("28.5")));
    expect((await life.stack.previewDiff()).text).toContain("Docker 28.5 where it has another");
    const managers = ["m1", "m2", "m3"].map((name) => life.node(name));
    const served = await life.servedBySome(() =>
      listening(life, managers, () => life.become(life.wish, maintenance("28.5"))),
    );
    await life.settle();
    const after = await versions();
    for (const name of names) expect(after[name], name).toMatch(/^28\.5\./);
    expect(await boots()).toEqual(booted);
    await expectWhole(life, swarmId);
    expectOneAtATime(
      served.result.lists.filter((list) => list.length === names.length),
      names.map((name) => life.node(name).name),
    );
    say(`    web: ${served.answers} answers, longest time without one ${served.outageSeconds.toFixed(1)} s`);
    expect(served.answers).toBeGreaterThan(100);
    expect(served.outageSeconds).toBeLessThan(taskMoveSeconds);
  });

  it("is there then: the next deployment has nothing to do", async () => {
    expect((await life.become(life.wish)).sshSessions).toEqual([]);
  });

  it("is not gone back from: an older one is refused before any node is touched", async () => {
    await life.stack.setConfig("args", JSON.stringify(maintenance("26.1")));
    const run = await life.stack.pulumi("up", "--yes", "--skip-preview");
    expect(run.exitCode).not.toBe(0);
    expect(run.text).toMatch(/Docker 26\.1 is older than what is installed/);
    for (const [name, version] of Object.entries(await versions())) expect(version, name).toMatch(/^28\.5\./);
  });
});
