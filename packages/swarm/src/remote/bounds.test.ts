/** No step of any component may take for ever: neither its command on the host, nor all of it. */
import { spawnSync } from "node:child_process";
import type * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import type { SwarmClusterArgs } from "../args/components";
import { HostHardening } from "../hostHardening";
import { SwarmCluster } from "../swarmCluster";
import { fakeCloud, hostKey, plain } from "../testing/fakeCloud";
import { bounded, stepTimeouts } from "./bounds";
import { bootstrapHostKey } from "./sshKey";

const { privateKey } = bootstrapHostKey("a test", "key", "pair");

interface Step {
  readonly name: string;
  readonly timeouts: pulumi.CustomTimeouts;
  /** Its commands: all that is ever run. */
  readonly commands: readonly string[];
}

/** The remote steps of a component, as `make` makes it with the options that it is given. */
async function steps(make: (opts: pulumi.ComponentResourceOptions) => unknown): Promise<readonly Step[]> {
  const members = ["m1", "m2", "m3"].map((name) => ({ name, role: "manager" as const }));
  const cloud = await fakeCloud({ swarm: [...members, { name: "w0", role: "worker" }], founder: "1" });
  const timeouts = new Map<string, pulumi.CustomTimeouts>();
  make({
    transformations: [
      ({ name, opts }) => {
        timeouts.set(name, (opts as pulumi.CustomResourceOptions).customTimeouts ?? {});
        return undefined;
      },
    ],
  });
  await cloud.settled();
  return cloud.ofType("command:remote:Command").map(({ name, inputs }) => ({
    name,
    timeouts: timeouts.get(name) ?? {},
    commands: [inputs.create, inputs.update, inputs.delete].filter((one) => one !== undefined).map(plain),
  }));
}

const cluster = (more: Partial<SwarmClusterArgs> = {}) =>
  steps(
    (opts) =>
      new SwarmCluster(
        "prod",
        {
          ssh: { privateKey, previousPrivateKey: bootstrapHostKey("b", "key", "pair").privateKey },
          pools: {
            m: { role: "manager", nodes: { m1: {}, m2: {}, m3: {} } },
            w: {
              role: "worker",
              nodes: { w1: {} },
              nodeLabels: { disk: "ssd" },
              volumes: { data: { size: 10, mountPath: "/mnt/data" } },
            },
          },
          maintenance: { number: 1 },
          ...more,
        },
        opts,
      ),
  );
const host = () =>
  steps((opts) => new HostHardening("old", { connection: { host: "203.0.113.5", privateKey, hostKey } }, opts));

const seconds = (time: unknown) => Number(/^(\d+)s$/.exec(String(time))?.[1]);
/** What a command's own bounds come to; a survey behind a policy has those of its requests to Docker. */
const own = (text: string) =>
  [...text.matchAll(/timeout --verbose (\d+) /g)].reduce((sum, [, bound]) => sum + Number(bound), 0);

describe("each step", () => {
  it.each([
    ["of a cluster", cluster, 30],
    ["of a host that was there", host, 3],
  ])("%s has an end, later than that of its commands", async (_, made, count) => {
    const all = await made();
    expect(all.length).toBeGreaterThanOrEqual(count);
    for (const { name, timeouts, commands } of all) {
      const whole = [timeouts.create, timeouts.update, timeouts.delete].map(seconds);
      for (const text of commands) {
        expect(own(text), `${name}: ${text.slice(0, 200)}`).toBeGreaterThan(0);
        for (const bound of whole) expect(bound, name).toBeGreaterThan(own(text));
      }
    }
  });

  it("has more time where it is told to wait longer", async () => {
    const [usual, patient] = [
      await cluster(),
      await cluster({ timeouts: { swarm: 900, drain: 3600, boot: 3600, cloudInit: 3600 } }),
    ];
    for (const kind of ["m1-bootstrap", "m2-membership", "roster", "labels", "w1-maintenance-drain"]) {
      const [less, more] = [usual, patient].map((all) => all.find(({ name }) => name === `prod-${kind}`));
      expect(own(more?.commands[0] ?? ""), kind).toBeGreaterThan(own(less?.commands[0] ?? ""));
      expect(seconds(more?.timeouts.create), kind).toBeGreaterThan(seconds(less?.timeouts.create));
    }
  });
});

describe("stepTimeouts", () => {
  const target = { host: "h", port: 22, user: "root", privateKey: "", hostKey: "", dialSeconds: 240 };
  const create = (...args: Parameters<typeof stepTimeouts>) => seconds(stepTimeouts(...args).customTimeouts.create);

  it("leaves time for the dialling, and over a bastion for its kernel's as well", () => {
    expect(create(target)).toBeGreaterThan(240 + 900);
    expect(create({ ...target, proxy: { ...target, isServer: true } })).toBeGreaterThan(create(target) + 16 * 127);
    expect(create(target, 100, 2)).toBe(create(target) + 100 + 900);
  });
});

describe("bounded", () => {
  const run = (program: string) => {
    const text = bounded("sh -s one").replace(/ \d+ /, " 1 ");
    const started = Date.now();
    const done = spawnSync("sh", ["-c", text], { input: program, encoding: "utf8" });
    return { ...done, took: Date.now() - started };
  };

  it("ends what hangs, and what that has begun, and says so", () => {
    const done = run("echo 'waiting for m1' >&2\n(sleep 50)\n");
    expect(done).toMatchObject({ status: 124, stderr: expect.stringMatching(/waiting for m1\n.*TERM.*sh/s) });
    expect(done.took).toBeLessThan(40_000);
  });

  it("hands on input, arguments, output and status of what ends", () => {
    expect(run('echo "$1"; exit 7\n')).toMatchObject({ status: 7, stdout: "one\n", stderr: "" });
  });
});
