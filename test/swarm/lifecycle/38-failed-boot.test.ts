/** A mistake in the program that only a node's first boot finds out: what is said of it, and the way on. */
import { expect, it } from "vitest";
import { expectWhole, Life, note, poolsOf, three, type Wish } from "./lib.js";

it("a first boot that fails ends the deployment with its log and the unit that failed; put right, the next one goes on", async () => {
  const life = await Life.ready();
  const { swarmId } = life.cluster.outputs;
  const wish: Wish = { ...three, w2: { role: "worker" } };
  const mistaken = { docker: { daemonOptions: { "no-such-option": true } } };
  await life.stack.setConfig("pools", JSON.stringify(poolsOf(wish, mistaken)));
  const run = await life.stack.pulumi("up", "--yes", "--skip-preview");
  run.text.split("\n").forEach(note);
  expect(run.exitCode).not.toBe(0);
  expect(run.text).toMatch(/life-w2-bootstrap .*cloud-init is 'error' after \d+ s/);
  expect(run.text).toMatch(/end of \/var\/log\/cloud-init-output\.log/);
  expect(run.text).toMatch(/hcloud-swarm: loading the rules/);
  expect(run.text).toMatch(/docker\.service +loaded (?:failed|activating) /);
  expect(run.text).toMatch(/no-such-option/);
  // Nobody else was touched, and the node that never joined is none of the swarm's.
  const listed = await life.ssh(life.manager, "docker node ls --format '{{.Hostname}} {{.Status}} {{.Availability}}'");
  expect(listed.split("\n").sort()).toEqual(["m1", "m2", "m3", "w1"].map((name) => `life-${name} Ready Active`));

  await life.become({ ...three, w2: { role: "worker", replacement: 1 } });
  await expectWhole(life, swarmId);
  expect(life.node("w2").name).toBe("life-w2-r1");
});
