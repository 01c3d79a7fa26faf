/**
 * verifier-mutation: ways to break the host, on a real machine with Docker and a swarm of its own: all that the generators know,
 * but of rules, jumps and sets a sample.
 * Each must be noticed by the check that is there for it; when it is undone, the host is healthy again.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hostMutations } from "../../../packages/swarm/src/verification/testing/hostMutations.js";
import { kernelMutations } from "../../../packages/swarm/src/verification/testing/kernelMutations.js";
import { type Mutation, ruleMutations } from "../../../packages/swarm/src/verification/testing/ruleMutations.js";
import { type Cluster, root, say, table } from "../../harness/src/index.js";
import { ready } from "../lib.js";
import { holdTimer, payloadOf, run, verify } from "./host.js";
import { leastMutations, type Outcome, sampled, tally } from "./outcomes.js";

/** Of a thousand and more, for an emulated machine takes ten seconds for each; `npm run test:mutations` makes all in a namespace first. */
const ruleCount = 100;

const outcomes: Outcome[] = [];
let cluster: Cluster;
let rules: readonly Mutation[];

beforeAll(async () => {
  cluster = (await ready()).cluster;
  await holdTimer(cluster);
  const all = ruleMutations(await payloadOf(cluster));
  rules = sampled(all, ruleCount);
  say(`${rules.length} of ${all.length} mutations of rules, jumps and sets`);
});

const failures = (report: Awaited<ReturnType<typeof verify>>) => report.checks.filter((check) => !check.passed);

/** In sessions of `size`; between two of them the host must be healthy. */
async function inSessions(mutations: readonly Mutation[], size: number): Promise<void> {
  for (let at = 0; at < mutations.length; at += size) {
    const done = await run(cluster, mutations.slice(at, at + size));
    outcomes.push(...done);
    for (const missed of tally(done).missed) say(`MISSED ${missed}`);
    say(`${Math.min(at + size, mutations.length)} of ${mutations.length}`);
    expect(failures(await verify(cluster)), `after ${mutations[at]?.name} and the next ${size}`).toEqual([]);
  }
  const made = outcomes.slice(-mutations.length);
  expect(made).toHaveLength(mutations.length);
  expect(tally(made).missed).toEqual([]);
}

test("the untouched host passes every check", async () => {
  expect(failures(await verify(cluster))).toEqual([]);
});

test("units, Docker's options, the backend, stored files", async () => {
  // One at a time: what one leaves behind would be taken for the next one's.
  await inSessions(hostMutations, 1);
});

test("the kernel's tables behind iptables' back", async () => {
  await inSessions(
    // What Docker had is gone then, and its next start is what brings it back: an attack of its own.
    kernelMutations.filter(({ kind }) => kind !== "flush"),
    5,
  );
});

test("rules, jumps and sets", async () => {
  await inSessions(rules, 40);
});

test(`at least ${leastMutations} distinct mutations were made, and all were caught`, () => {
  const { distinct, missed } = tally(outcomes);
  expect(missed).toEqual([]);
  expect(distinct).toBeGreaterThanOrEqual(leastMutations);
});

afterAll(() => {
  const { distinct, missed, rows } = tally(outcomes);
  const folder = join(root, "test-output");
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, "verifier-mutations.json"),
    `${JSON.stringify(
      outcomes.map(({ mutation: { name }, ...outcome }) => ({ name, ...outcome })),
      null,
      1,
    )}\n`,
  );
  const said = missed.length === 0 ? "none missed" : `missed:\n  ${missed.join("\n  ")}`;
  process.stdout.write(`\n${table(["mutations", "made", "caught by name"], rows)}\n`);
  process.stdout.write(`${distinct} distinct mutations, ${said}\n`);
});
