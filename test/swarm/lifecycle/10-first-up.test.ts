import { beforeAll, describe, expect, inject, it } from "vitest";
import { z } from "zod";
import { api, restoreCheckpoint } from "../../harness/src/index.js";
import { expectWhole, Life, three, type Wish } from "./lib.js";

let life: Life;
beforeAll(async () => {
  life = await Life.open(three);
  await life.settle();
});

describe("three managers and a worker", () => {
  it("are one swarm", async () => {
    await expectWhole(life, life.cluster.outputs.swarmId);
  });

  it("cost at most three SSH connections a node, and an `up` without changes none", async () => {
    const { firstUpSessions } = inject("life");
    expect(Object.keys(firstUpSessions)).toHaveLength(4);
    for (const [host, sessions] of Object.entries(firstUpSessions)) expect(sessions, host).toBeLessThanOrEqual(3);
    const run = await life.become(three);
    expect(run.sshSessions).toEqual([]);
    expect(run.text).not.toMatch(/ (created|updated|deleted|replaced)/);
  });
});

describe("a swarm without a quorum", () => {
  it("is left as it is: the change is refused with the way on, before anything is demoted or deleted", async () => {
    // Two of three managers no longer take part; the program wants the third one alone.
    for (const name of ["m2", "m3"]) await life.ssh(life.node(name), "systemctl stop docker.socket docker.service");
    const only: Wish = { m1: { role: "manager" }, w1: { role: "worker" } };
    await expect(life.become(only)).rejects.toThrow(/quorum.*Bring (?:its )?managers back/s);
    const { servers } = z
      .object({ servers: z.array(z.object({ name: z.string() })) })
      .parse(await api(life.region, "GET", "/servers"));
    expect(servers.map((server) => server.name).sort()).toEqual(["life-m1", "life-m2", "life-m3", "life-w1"]);

    for (const name of ["m2", "m3"]) await life.ssh(life.node(name), "systemctl start docker.service");
    await life.settle();
    const format = "{{.Hostname}} {{if .ManagerStatus}}manager{{else}}worker{{end}}";
    const roles = await life.ssh(life.manager, `docker node ls --format '${format}'`);
    expect(roles.split("\n").sort()).toEqual([
      ...["m1", "m2", "m3"].map((name) => `life-${name} manager`),
      "life-w1 worker",
    ]);
    await restoreCheckpoint(life.region, inject("life").stateDir, "ready");
  });
});
