/** What the whole swarm shares: tokens that are rotated, and managers that lock themselves. */
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { eventually } from "../../harness/src/index.js";
import { expectWhole, Life } from "./lib.js";

const secretsSchema = z.looseObject({
  workerJoinToken: z.string(),
  managerJoinToken: z.string(),
  unlockKey: z.string(),
});
let life: Life;
let swarmId: string;
beforeAll(async () => {
  life = await Life.ready();
  swarmId = life.cluster.outputs.swarmId;
});
const secrets = async () => secretsSchema.parse(await life.stack.outputs());

/** What a manager says to somebody who wants to join with a token: the token is asked for on standard input. */
const tryToken = async (token: string): Promise<string> => {
  const body = JSON.stringify({
    ListenAddr: "0.0.0.0:2377",
    RemoteAddrs: [`${life.node("m2").privateIp}:2377`],
    JoinToken: token,
  });
  const joins = "curl -s --unix-socket /var/run/docker.sock -H 'Content-Type: application/json' --data-binary @-";
  return await life.cluster.ssh(life.node("w1"), `${joins} http://localhost/swarm/join`, body);
};

describe("join tokens", () => {
  it("are rotated by a higher number, once; members stay, the old ones are refused", async () => {
    const before = await secrets();
    await life.become(life.wish, { swarm: { joinTokenRotation: 1 } });
    await expectWhole(life, swarmId);
    const after = await secrets();
    expect(after.workerJoinToken).not.toBe(before.workerJoinToken);
    expect(after.managerJoinToken).not.toBe(before.managerJoinToken);
    expect(await life.ssh(life.manager, "docker swarm join-token --quiet worker")).toBe(after.workerJoinToken);
    expect((await life.become(life.wish, { swarm: { joinTokenRotation: 1 } })).sshSessions).toEqual([]);

    // A worker that leaves by hand cannot come back with the old token, and can with the new one.
    await life.ssh(life.node("w1"), "docker swarm leave --force");
    expect(await tryToken(before.workerJoinToken)).toMatch(/invalid join token/);
    expect(await tryToken(after.workerJoinToken)).toBe("");
  });
});

describe("autolock", () => {
  it("locks a manager that was restarted, until it gets the key; its rules are in force meanwhile", async () => {
    // w1 left and came back by hand, as another node: the program puts one of its own in its place.
    await life.become(
      { ...life.wish, w1: { role: "worker", replacement: 1 } },
      { swarm: { joinTokenRotation: 1, autolock: true } },
    );
    const { unlockKey } = await secrets();
    expect(unlockKey).toMatch(/^SWMKEY-1-/);
    const manager = life.node("m3");
    const bootId = () => life.ssh(manager, "cat /proc/sys/kernel/random/boot_id");
    const before = await bootId();
    await life.ssh(manager, "systemd-run --quiet --on-active=1 systemctl reboot");
    await eventually(`${manager.name} after its restart`, 300, async () => (await bootId()) !== before);
    const state = "docker info --format '{{.Swarm.LocalNodeState}}'";
    await eventually("Docker's answer", 120, async () => (await life.ssh(manager, state)) === "locked");
    expect(await life.ssh(manager, "/opt/hcloud-iptables.sh verify --json || :")).toMatch(/"passed": ?true/);
    await life.cluster.ssh(manager, "docker swarm unlock", `${unlockKey}\n`);
    await eventually("the manager's return", 60, async () => (await life.ssh(manager, state)) === "active");
    await expectWhole(life, swarmId);
  });
});
