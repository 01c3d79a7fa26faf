/** Servers that an older Pulumi program made, without any component, and a swarm that a person put on them. */
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { z } from "zod";
import { api, apiGet, hostAt, type Stack, say, scanHostKey, watched } from "../../harness/src/index.js";
import { describeServer, installDocker, join, mistakes, openDatabase, startWeb } from "./byHand.js";
import { differences, type HostState, stateOf } from "./hostState.js";
import {
  answering,
  expectNoOp,
  expectServed,
  failedChecks,
  lifeOf,
  type Machine,
  newStack,
  preview,
  program,
  swarmIdOf,
  theRegion,
  up,
} from "./lib.js";

const serversSchema = z.object({
  servers: z.array(z.object({ id: z.number(), name: z.string(), labels: z.record(z.string(), z.string()) })),
});
const names = ["old-a", "old-b"] as const;

describe("servers that an older program made", () => {
  let stack: Stack;
  let machines: readonly Machine[];
  let manager: Machine;
  let swarmId: string;
  let before: readonly HostState[];
  let life: readonly string[];
  const all = <T>(work: (machine: Machine) => Promise<T>): Promise<T[]> => Promise.all(machines.map(work));
  const servers = async () => serversSchema.parse(await apiGet(theRegion(), "/servers")).servers;
  const nodesFrom = (adopt: (machine: Machine) => object) =>
    stack.setConfig(
      "nodes",
      JSON.stringify(
        Object.fromEntries(
          machines.map((machine, index) => [
            index === 0 ? "manager-1" : `worker-${index}`,
            { role: index === 0 ? "manager" : "worker", ...adopt(machine) },
          ]),
        ),
      ),
    );
  const common = ({ name, hostKey }: Machine) => ({ hostName: name, hostKey });

  beforeAll(async () => {
    const { keyFile, stateDir, sshKeyId, networkId } = inject("byHand");
    // The other swarm's machines would only take time from these; its checkpoint has them.
    for (const { id } of await servers()) await api(theRegion(), "DELETE", `/servers/${id}`);
    stack = await newStack("older-program", program);
    await stack.setConfig("networkId", String(networkId));
    const plain = { names, sshKeyId: String(sshKeyId), networkId, userData: "#cloud-config\n# of an older program\n" };
    await stack.setConfig("plain", JSON.stringify(plain));
    await up(stack);
    machines = await Promise.all(
      (await servers()).map(async ({ id }) => {
        const server = await describeServer(theRegion(), id);
        const hostKey = await scanHostKey(theRegion(), server.publicIpv4, "ecdsa");
        const host = hostAt(theRegion(), server.publicIpv4, hostKey, keyFile, stateDir);
        return { ...server, hostKey, host };
      }),
    );
    machines = [...machines].sort((one, other) => one.name.localeCompare(other.name));
    const [first, second] = machines;
    if (!first || !second) throw new Error("two servers were made");
    manager = first;
    await all(({ host }) => installDocker(host));
    await first.host.ssh(`docker swarm init --advertise-addr ${first.privateIp} >/dev/null`);
    await join(first.host, second.host, first.privateIp, second.privateIp);
    await startWeb(first.host, machines.length);
    await openDatabase(first.host);
    swarmId = await swarmIdOf(manager);
    [before, life] = await Promise.all([all(({ host }) => stateOf(host)), all(lifeOf)]);
  });
  afterAll(async () => {
    await stack?.destroy();
  });

  async function expectAdopted(): Promise<void> {
    expect(await swarmIdOf(manager)).toBe(swarmId);
    expect(await all(lifeOf)).toEqual(life);
    expect(await answering(manager, [80, ...mistakes])).toEqual(["80/4"]);
    expect(await failedChecks(stack, machines)).toEqual([]);
    const told = (await servers()).map(({ id, name, labels }) => `${name} ${id} made ${labels.made}`);
    expect(told.sort()).toEqual(machines.map(({ id, name }) => `${name} ${id} made before`));
  }

  test("answer on ports that nobody meant to be open", async () => {
    expect(await answering(manager, [80, ...mistakes])).toEqual(["5432/4", "5432/6", "6379/4", "6379/6", "80/4"]);
  });

  test("are adopted from another part of the same program, which goes on owning them", async () => {
    await nodesFrom((machine) => ({ adopt: common(machine), idOf: machine.name }));
    const { steps, cloud } = await preview(stack);
    expect(cloud).toEqual([]);
    expect(steps.filter((step) => !step.startsWith("create "))).toEqual([]);
    expectServed((await watched(theRegion(), machines, () => up(stack))).records);
    await expectAdopted();
    await expectNoOp(stack);
  });

  test("are as before when the component goes out of the program", async () => {
    await stack.removeConfig("nodes");
    const { cloud } = await preview(stack);
    expect(cloud).toEqual([]);
    expectServed((await watched(theRegion(), machines, () => up(stack))).records);
    const after = await all(({ host }) => stateOf(host));
    for (const [index, { host, name }] of machines.entries()) {
      const [was, is] = [before[index], after[index]];
      if (!was || !is) throw new Error("a state is missing");
      say(`    ${name}: ${is.lines.length} things compared`);
      expect(await differences(host, was, is), name).toEqual([]);
    }
    expect(await all(lifeOf)).toEqual(life);
    expect(await answering(manager, [80, ...mistakes])).toEqual(["5432/4", "5432/6", "6379/4", "6379/6", "80/4"]);
  });

  test("move under the component by alias, and nothing is replaced, deleted or changed", async () => {
    await stack.removeConfig("plain");
    const without = await preview(stack);
    // What the alias is for: without it these two would go.
    expect(without.cloud).toEqual(names.map((name) => `delete Server ${name}`));

    await nodesFrom((machine) => ({ adopt: { ...common(machine), alias: machine.name } }));
    const { steps, cloud } = await preview(stack);
    expect(cloud).toEqual([]);
    expect(steps.filter((step) => !step.startsWith("create "))).toEqual([]);
    const { records, result } = await watched(theRegion(), machines, () => up(stack));
    expectServed(records);
    expect(result.text).not.toMatch(/ (replaced|deleted)\b/);
    await expectAdopted();
    await expectNoOp(stack);
  });
});
