/** A swarm that talks over public addresses: refused while the program does not name them, adopted when it does. */
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type Stack, watched } from "../../harness/src/index.js";
import { join, mistakes, startWeb } from "./byHand.js";
import { stateOf } from "./hostState.js";
import {
  answering,
  expectNoOp,
  expectServed,
  failedChecks,
  handMadeSwarm,
  lifeOf,
  type Machine,
  newStack,
  preview,
  program,
  swarmIdOf,
  theRegion,
  up,
} from "./lib.js";

describe("a swarm over public addresses", () => {
  let machines: readonly Machine[];
  let manager: Machine;
  let stack: Stack;
  let swarmId: string;
  let life: readonly string[];
  const all = <T>(work: (machine: Machine) => Promise<T>): Promise<T[]> => Promise.all(machines.map(work));
  const rulesOf = async ({ host }: Machine) =>
    (await stateOf(host)).lines.filter((line) => /^(rule|set|active) /.test(line));
  const adopting = (more: (machine: Machine) => object) =>
    stack.setConfig(
      "nodes",
      JSON.stringify(
        Object.fromEntries(
          machines.map((machine, index) => [
            index === 0 ? "manager-1" : `worker-${index}`,
            {
              role: index === 0 ? "manager" : "worker",
              adopt: {
                id: String(machine.id),
                hostName: machine.name,
                hostKey: machine.hostKey,
                ...more(machine),
              },
            },
          ]),
        ),
      ),
    );

  beforeAll(async () => {
    const made = await handMadeSwarm();
    machines = made;
    [manager] = made;
    const [first, ...others] = made;
    for (const { host } of [...others, first]) await host.ssh("docker swarm leave --force >/dev/null");
    await first.host.ssh(`docker swarm init --advertise-addr ${first.publicIpv4} >/dev/null`);
    await Promise.all(others.map(({ host, publicIpv4 }) => join(first.host, host, first.publicIpv4, publicIpv4)));
    await startWeb(first.host, machines.length);
    stack = await newStack("public-addresses", program);
    swarmId = await swarmIdOf(manager);
    life = await all(lifeOf);
  });
  afterAll(async () => {
    await stack?.destroy();
  });

  test("is refused, by the names of those that would be cut off, before any rule changes", async () => {
    await stack.setConfig("networkId", String(inject("byHand").networkId));
    await adopting(() => ({}));
    const before = await all(rulesOf);
    const { result, records } = await watched(theRegion(), machines, () =>
      stack.pulumi("up", "--yes", "--skip-preview"),
    );
    expect(result.exitCode).not.toBe(0);
    const told = /nothing changed: it would cut off nodes of the running swarm: ([0-9. ]+)\. Name them as peers/.exec(
      result.text,
    );
    expect(told?.[1]?.split(" ").sort()).toEqual(
      machines
        .slice(1)
        .map(({ publicIpv4 }) => publicIpv4)
        .sort(),
    );
    expect(await all(rulesOf)).toEqual(before);
    expectServed(records);
    expect(await answering(manager, [80, ...mistakes])).toEqual(["5432/4", "5432/6", "6379/4", "6379/6", "80/4"]);
  });

  test("is adopted when its addresses are named", async () => {
    await stack.removeConfig("networkId");
    await adopting(({ publicIpv4 }) => ({ address: publicIpv4 }));
    expect((await preview(stack)).cloud).toEqual([]);
    const { records, result } = await watched(theRegion(), machines, () => up(stack));
    expectServed(records);
    expect(result.text).toMatch(/warning: .*the swarm runs over public addresses/);
    expect(await swarmIdOf(manager)).toBe(swarmId);
    expect(await all(lifeOf)).toEqual(life);
    expect(await answering(manager, [80, ...mistakes])).toEqual(["80/4"]);
    expect(await failedChecks(stack, machines)).toEqual([]);
    await expectNoOp(stack);
  });
});
