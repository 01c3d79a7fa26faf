/** Adopted nodes whose hosts have names of their own: demoted in place, taken out of the program, and let go. */
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { z } from "zod";
import { apiGet, eventually, type Stack, watched } from "../../harness/src/index.js";
import {
  expectNoOp,
  expectServed,
  failedChecks,
  handMadeSwarm,
  type Machine,
  newStack,
  preview,
  program,
  swarmIdOf,
  theRegion,
  up,
} from "./lib.js";

const serversSchema = z.object({ servers: z.array(z.object({ name: z.string() })) });
const serverNames = async () =>
  serversSchema.parse(await apiGet(theRegion(), "/servers")).servers.map(({ name }) => name);

describe("adopted nodes whose hosts have names of their own", () => {
  let [a, b, c]: [Machine?, Machine?, Machine?] = [];
  let stack: Stack;
  let swarmId: string;
  const manager = (): Machine => {
    if (a === undefined) throw new Error("there is no manager");
    return a;
  };
  const asked = async (command: string) => (await manager().host.ssh(command)).trim();
  /** The swarm's nodes as `HOST ROLE`. */
  const members = async () => {
    const format = "{{.Hostname}} {{if .ManagerStatus}}manager{{else}}worker{{end}}";
    return (await asked(`docker node ls --format '${format}'`)).split("\n").sort();
  };
  const marks = async () => {
    const format = `{{with index .Spec.Labels "hcloud-swarm.server"}}{{.}}{{end}}`;
    return (await asked(`docker node ls -q | xargs docker node inspect --format '${format}'`)).split("\n").sort();
  };
  /** The nodes by their keys; the first one's server stays somebody else's, the others' are the component's. */
  const wish = async (roles: Readonly<Record<string, "manager" | "worker">>) => {
    const machines = [a, b, c].flatMap((machine) => machine ?? []);
    const nodes = machines.flatMap(({ id, name, hostKey }, index) => {
      const key = `node-${index + 1}`;
      const role = roles[key];
      const way = index === 0 ? { id: String(id) } : { importId: String(id) };
      return role === undefined ? [] : [[key, { role, adopt: { ...way, hostName: name, hostKey } }] as const];
    });
    await stack.setConfig("nodes", JSON.stringify(Object.fromEntries(nodes)));
  };

  beforeAll(async () => {
    [a, b, c] = await handMadeSwarm();
    await asked("docker node promote swarm-b swarm-c >/dev/null");
    await eventually("three managers", 120, async () => (await members()).every((line) => line.endsWith(" manager")));
    swarmId = await swarmIdOf(manager());
    stack = await newStack("taken-out", program);
    await stack.setConfig("networkId", String(inject("byHand").networkId));
  });
  afterAll(async () => {
    await stack?.destroy();
  });

  test("are marked in the swarm when they are adopted", async () => {
    await wish({ "node-1": "manager", "node-2": "manager", "node-3": "manager" });
    await up(stack);
    expect(await members()).toEqual(["swarm-a manager", "swarm-b manager", "swarm-c manager"]);
    expect(await marks()).toEqual(["swarm-a", "swarm-b", "swarm-c"]);
    await expectNoOp(stack);
  });

  test("are demoted in place", async () => {
    await wish({ "node-1": "manager", "node-2": "worker", "node-3": "worker" });
    expect((await preview(stack)).cloud).toEqual([]);
    expectServed((await watched(theRegion(), [manager()], () => up(stack))).records);
    expect(await members()).toEqual(["swarm-a manager", "swarm-b worker", "swarm-c worker"]);
  });

  test("leave the swarm before their servers are deleted", async () => {
    // A task a node, so that none waits for a place that there is not.
    await asked("docker service scale --detach web=2 >/dev/null");
    await wish({ "node-1": "manager", "node-2": "worker" });
    expect((await preview(stack)).cloud).toEqual(["delete Server prod-node-3"]);
    const { result } = await watched(theRegion(), [manager()], () => up(stack));
    expect(result.text).toMatch(/swarm: drain swarm-c/);
    expect(result.text).not.toMatch(/not of this program and let be/);
    expect(await members()).toEqual(["swarm-a manager", "swarm-b worker"]);
    expect((await serverNames()).sort()).toEqual(["swarm-a", "swarm-b"]);
    expect(await swarmIdOf(manager())).toBe(swarmId);
    const left = [a, b].flatMap((machine) => machine ?? []);
    expect(await failedChecks(stack, left)).toEqual([]);
    await expectNoOp(stack);
  });

  test("bear no mark any more when the component is gone, and the swarm runs on", async () => {
    expect((await stack.destroy()).exitCode).toBe(0);
    expect(await serverNames()).toEqual(["swarm-a"]);
    expect(await swarmIdOf(manager())).toBe(swarmId);
    expect((await marks()).join("")).toBe("");
  });
});
