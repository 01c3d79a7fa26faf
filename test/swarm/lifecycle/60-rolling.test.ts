/** Maintenance: every node is upgraded and restarted, one at a time, under probes; and what it leaves as it was. */
import { beforeAll, describe, expect, it } from "vitest";
import { say } from "../../harness/src/index.js";
import { bootId, expectOneAtATime, expectWhole, Life, listening, sessionsByNode, taskMoveSeconds } from "./lib.js";

let life: Life;
let swarmId: string;
/** The number that the nodes have had. */
let had = 0;
beforeAll(async () => {
  life = await Life.ready();
  swarmId = life.cluster.outputs.swarmId;
});

const names = ["m1", "m2", "m3", "w1"];
const boots = () => life.each(names, bootId);
/** Lets every node write down each of its boots from now on. */
async function countBoots(): Promise<void> {
  const unit = [
    "[Unit]\nDescription=Counts boots\n[Service]\nType=oneshot",
    "ExecStart=/bin/sh -c 'cat /proc/sys/kernel/random/boot_id >>/var/lib/counted-boots'\n[Install]\nWantedBy=multi-user.target\n",
  ].join("\n");
  for (const name of names) {
    const file = "/etc/systemd/system/count-boots.service";
    await life.cluster.ssh(life.node(name), `cat >${file} && systemctl enable --quiet count-boots.service`, unit);
  }
}
/** A package whose newer version is among the node's sources. */
const outdated = `set -eu
mkdir -p /srv/packages && cd /srv/packages
build() {
  mkdir -p "probe-$1/DEBIAN"
  printf 'Package: hcs-probe\\nVersion: %s\\nArchitecture: all\\nMaintainer: Test <test@example.org>\\nDescription: to be upgraded\\n' "$1" \\
    >"probe-$1/DEBIAN/control"
  dpkg-deb --build --root-owner-group "probe-$1" >/dev/null
}
build 1 && build 2
dpkg --install probe-1.deb >/dev/null
{
  dpkg-deb --field probe-2.deb
  printf 'Filename: ./probe-2.deb\\nSize: %s\\nSHA256: %s\\n' "$(stat -c %s probe-2.deb)" "$(sha256sum <probe-2.deb | cut -d ' ' -f 1)"
} >Packages
echo 'deb [trusted=yes] file:/srv/packages ./' >/etc/apt/sources.list.d/probe.list`;
const probeVersion = "dpkg --status hcs-probe | sed -n 's/^Version: //p'";
const counted = (name: string) => life.ssh(life.node(name), "wc -l </var/lib/counted-boots");

describe("a maintenance number that is raised", () => {
  it("upgrades and restarts each node once, never two at a time, one that its user drained too; the web service goes on", async () => {
    const before = await boots();
    await countBoots();
    for (const name of ["m2", "w1"]) await life.ssh(life.node(name), outdated);
    expect(await life.each(["m2", "w1"], probeVersion)).toEqual({ m2: "1", w1: "1" });
    const usersOwn = life.node("m3").name;
    await life.ssh(life.manager, `docker node update --availability drain ${usersOwn}`);
    const args = { maintenance: { number: 1, upgrade: "all" } };
    await life.stack.setConfig("args", JSON.stringify(args));
    const preview = await life.stack.previewDiff();
    for (const name of names)
      expect(preview.text).toContain(
        `${life.node(name).name}, maintenance 1: drained, all packages upgraded, restarted, verified, active again`,
      );

    const managers = ["m1", "m2", "m3"].map((name) => life.node(name));
    const served = await life.servedBySome(() => listening(life, managers, () => life.become(life.wish, args)));
    had = 1;
    const { result } = served;
    const after = await boots();
    for (const name of names) {
      expect(after[name], `boot of ${name}`).not.toBe(before[name]);
      expect(await counted(name), `restarts of ${name}`).toBe("1");
    }
    expect(await life.each(["m2", "w1"], probeVersion)).toEqual({ m2: "2", w1: "2" });
    const state = `docker node inspect ${usersOwn} --format '{{.Spec.Availability}} {{json .Spec.Labels}}'`;
    expect(await life.ssh(life.manager, state)).toBe('drain {"hcloud-swarm.maintained":"1"}');
    expectOneAtATime(
      result.lists.filter((list) => list.length === names.length),
      ["m1", "m2", "w1"].map((name) => life.node(name).name),
    );
    say(`    web: ${served.answers} answers, longest time without one ${served.outageSeconds.toFixed(1)} s`);
    expect(served.answers).toBeGreaterThan(100);
    expect(served.outageSeconds).toBeLessThan(taskMoveSeconds);
    for (const [node, sessions] of Object.entries(sessionsByNode(life, result.result)))
      expect(sessions, `sessions of ${node}`).toBe(node === "life-m1" ? 9 : node === "life-m2" ? 5 : 3);
    await life.ssh(life.manager, `docker node update --availability active ${usersOwn}`);
    await life.settle();
    await expectWhole(life, swarmId);
  });

  it("is done then: a second deployment has nothing to do, and a lower number restarts nobody", async () => {
    const before = await boots();
    expect((await life.become(life.wish)).sshSessions).toEqual([]);
    await life.become(life.wish, { maintenance: { number: 0 } });
    expect(await boots()).toEqual(before);
  });

  it("is refused before any node is touched where a version of Docker cannot be had", async () => {
    const before = await boots();
    await life.stack.setConfig("args", JSON.stringify({ maintenance: { number: 2, dockerVersion: "99" } }));
    const run = await life.stack.pulumi("up", "--yes", "--skip-preview");
    expect(run.exitCode).not.toBe(0);
    expect(run.text).toMatch(/Docker 99 cannot be had/);
    expect(await boots()).toEqual(before);
    await life.become(life.wish, { maintenance: { number: had } });
    await expectWhole(life, swarmId);
  });

  it("is none for a node that is new", async () => {
    const before = await boots();
    await life.become({ ...life.wish, w2: { role: "worker" } }, { maintenance: { number: 1 } });
    await expectWhole(life, swarmId);
    expect(await life.ssh(life.node("w2"), "cat /var/lib/hcloud-swarm/maintenance")).toBe("1 new - ok");
    expect(await boots()).toEqual(before);
  });
});
