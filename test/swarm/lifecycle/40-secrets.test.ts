/** What the whole swarm shares: tokens that are rotated, and managers that lock themselves. */
import { beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../../harness/src/index.js";
import { expectWhole, failedChecks, Life, restart, secretsSchema, sessionsByNode } from "./lib.js";

let life: Life;
let swarmId: string;
beforeAll(async () => {
  life = await Life.ready();
  swarmId = life.cluster.outputs.swarmId;
});
const secrets = async () => secretsSchema.parse(await life.stack.outputs());

const workersState = () =>
  life.ssh(life.node("w1"), "docker info --format '{{.Swarm.LocalNodeState}} {{.Swarm.Error}}'");
/** The worker is in no swarm then, and has no attempt to join behind it. */
const leave = async () => {
  if (!(await workersState()).startsWith("inactive")) await life.ssh(life.node("w1"), "docker swarm leave --force");
};

/** What becomes of a worker that wants to join with a token: its state, and why. The token is told on standard input. */
const tryToken = async (token: string): Promise<string> => {
  const body = JSON.stringify({
    ListenAddr: "0.0.0.0:2377",
    RemoteAddrs: [`${life.node("m2").privateIp}:2377`],
    JoinToken: token,
  });
  const joins = "curl -s --unix-socket /var/run/docker.sock -H 'Content-Type: application/json' --data-binary @-";
  const answer = await life.cluster.ssh(life.node("w1"), `${joins} http://localhost/swarm/join`, body);
  if (answer !== "" && !/Timeout was reached/.test(answer)) return answer;
  // Docker answers after 20 s at the latest and goes on by itself.
  return await eventually("the end of the attempt to join", 300, async () => {
    const state = await workersState();
    return /^pending *$/.test(state) ? "" : state;
  });
};

describe("join tokens", () => {
  it("are rotated by a higher number, once; members stay, the old ones are refused", async () => {
    const before = await secrets();
    const run = await life.become(life.wish, { swarm: { joinTokenRotation: 1 } });
    await expectWhole(life, swarmId);
    expect(sessionsByNode(life, run)).toEqual({ "life-m1": 2, "life-m2": 2, "life-m3": 2, "life-w1": 1 });
    const after = await secrets();
    expect(after.workerJoinToken === before.workerJoinToken, "worker's token is the one of before").toBe(false);
    expect(after.managerJoinToken === before.managerJoinToken, "manager's token is the one of before").toBe(false);
    expect((await life.become(life.wish, { swarm: { joinTokenRotation: 1 } })).sshSessions).toEqual([]);

    // A worker that leaves by hand cannot come back with an old token, a manager's neither, and can with the new one.
    const { workerJoinToken: worker, managerJoinToken: manager } = before;
    for (const [what, token] of Object.entries({ worker, manager })) {
      await leave();
      expect(await tryToken(token), `${what}'s token of before`).toMatch(/join token is necessary/);
    }
    await leave();
    expect(await tryToken(after.workerJoinToken)).toBe("active");
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
    await restart(life, manager);
    const state = "docker info --format '{{.Swarm.LocalNodeState}}'";
    await eventually("Docker's answer", 600, async () => (await life.ssh(manager, state)) === "locked");
    expect(await failedChecks(life, manager)).toEqual([]);
    await life.cluster.ssh(manager, "docker swarm unlock", `${unlockKey}\n`);
    await eventually("the manager's return", 300, async () => (await life.ssh(manager, state)) === "active");
    await life.settle();
    await expectWhole(life, swarmId);
  });
});
