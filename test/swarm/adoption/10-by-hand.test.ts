/** A swarm that a person made by hand becomes a SwarmCluster, and is let go again. */
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { z } from "zod";
import { apiGet, holdConnection, responderProgram, type Stack, say, watched } from "../../harness/src/index.js";
import { mistakes } from "./byHand.js";
import { differences, type HostState, newPackages, stateOf } from "./hostState.js";
import {
  answering,
  example,
  expectNoOp,
  expectServed,
  failedChecks,
  handMadeSwarm,
  lifeOf,
  type Machine,
  newStack,
  preview,
  reportOn,
  swarmIdOf,
  theRegion,
  up,
  uptimeOf,
} from "./lib.js";

describe("a swarm made by hand", () => {
  let machines: readonly Machine[];
  let manager: Machine;
  let stack: Stack;
  let swarmId: string;
  let before: readonly HostState[];
  let life: readonly string[];
  let uptimes: readonly number[];
  const all = <T>(work: (machine: Machine) => Promise<T>): Promise<T[]> => Promise.all(machines.map(work));

  beforeAll(async () => {
    const made = await handMadeSwarm();
    machines = made;
    [manager] = made;
    stack = await newStack("by-hand-swarm", example);
    await stack.setConfig("networkId", String(inject("byHand").networkId));
    const node = (role: string, { id, name, hostKey }: Machine) => ({
      role,
      id: String(id),
      hostName: name,
      hostKey,
    });
    await stack.setConfig(
      "nodes",
      JSON.stringify({
        "manager-1": node("manager", made[0]),
        "worker-1": node("worker", made[1]),
        "worker-2": node("worker", made[2]),
      }),
    );
    swarmId = await swarmIdOf(manager);
    [before, life, uptimes] = await Promise.all([all(({ host }) => stateOf(host)), all(lifeOf), all(uptimeOf)]);
  });
  afterAll(async () => {
    await stack?.destroy();
  });

  test("answers on ports that nobody meant to be open", async () => {
    expect(await answering(manager, [80, ...mistakes])).toEqual(["5432/4", "5432/6", "6379/4", "6379/6", "80/4"]);
  });

  test("is previewed without anything made, replaced or deleted in Hetzner Cloud", async () => {
    const previewed = await preview(stack);
    const { steps, cloud } = previewed;
    expect(cloud).toEqual([]);
    expect(steps.filter((step) => !step.startsWith("create "))).toEqual([]);
    expect(steps).toContain("create Command existing-swarm-worker-2-policy");
    expect(steps.join("\n")).not.toMatch(/bootstrap/);

    const names = ["manager-1", "worker-1", "worker-2"].map((name) => `existing-swarm-${name}`);
    const { counts, changes } = await reportOn(
      previewed,
      Object.fromEntries(machines.map((machine, index) => [names[index] ?? "", machine])),
    );
    say(`    preview-report: ${JSON.stringify(counts)}; ${changes.join("; ")}`);
    expect(counts).toMatchObject({ update: 0, replace: 0, delete: 0, other: 0 });
    for (const port of mistakes) expect(changes).toContain(`closes tcp/${port} on ${names[0]}`);
    // Swarm's own ports close for everybody but the nodes; nothing that listens now is said to open.
    expect(changes).toContain(`closes tcp/7946 on ${names.join()}`);
    expect(changes.join("\n")).not.toMatch(/^opens |^closes tcp\/(80|22) /m);
  });

  test("is adopted while it serves: the same swarm, the same Docker, and only what the policy names is open", async () => {
    const held = await holdConnection(theRegion(), `http://${manager.publicIpv4}/`);
    const { records } = await watched(theRegion(), machines, () => up(stack));
    const connection = await held.stop();
    say(`    one connection: ${connection.requests} requests, ${connection.failures} failed`);
    expectServed(records);
    expect(connection).toMatchObject({ failures: 0, connections: 1 });

    expect(await swarmIdOf(manager)).toBe(swarmId);
    expect(z.looseObject({ swarmId: z.string() }).parse(await stack.outputs()).swarmId).toBe(swarmId);
    expect(await all(lifeOf)).toEqual(life);
    for (const [index, now] of (await all(uptimeOf)).entries()) expect(now).toBeGreaterThan(uptimes[index] ?? 0);

    expect(await answering(manager, [80, ...mistakes])).toEqual(["80/4"]);
    // They are closed by the firewall, not for want of somebody who listens.
    for (const port of mistakes)
      expect(
        await manager.host.ssh(
          `${responderProgram} probe`,
          JSON.stringify([
            { id: "local", network: "tcp4", address: "127.0.0.1", port, kind: "answer", timeoutMs: 4000, attempts: 2 },
          ]),
        ),
      ).toContain('"open":true');
    expect(await failedChecks(stack, machines)).toEqual([]);
  });

  test("is as Hetzner Cloud had it", async () => {
    const { servers } = z
      .object({ servers: z.array(z.object({ name: z.string(), labels: z.record(z.string(), z.string()) })) })
      .parse(await apiGet(theRegion(), "/servers"));
    expect(servers.map(({ name, labels }) => [name, labels]).sort()).toEqual(
      machines.map(({ name }) => [name, { made: "by-hand" }]).sort(),
    );
  });

  test("changes nothing the second time, and opens no connection", async () => {
    await expectNoOp(stack);
  });

  test("is let go as it was: rules, sets, units, files; swarm and service run on", async () => {
    const { result, records } = await watched(theRegion(), machines, () => stack.destroy());
    expect(result.exitCode).toBe(0);
    expectServed(records);
    const after = await all(({ host }) => stateOf(host));
    for (const [index, machine] of machines.entries()) {
      const [was, is] = [before[index], after[index]];
      if (!was || !is) throw new Error("a state is missing");
      say(
        `    ${machine.name}: ${is.lines.length} things compared; packages that stay: ${newPackages(was, is).join(" ")}`,
      );
      // A survey that sees nothing would find no difference either.
      expect(was.lines.length).toBeGreaterThan(500);
      expect(await differences(machine.host, was, is), machine.name).toEqual([]);
    }
    expect(await swarmIdOf(manager)).toBe(swarmId);
    expect(await all(lifeOf)).toEqual(life);
    expect(await answering(manager, [80, ...mistakes])).toEqual(["5432/4", "5432/6", "6379/4", "6379/6", "80/4"]);
  });
});
