/** Maintenance: every node is restarted, one at a time, under probes; and what it leaves as it was. */
import { beforeAll, describe, expect, it } from "vitest";
import { say } from "../../harness/src/index.js";
import { bootId, expectWhole, Life, sessionsByNode, taskMoveSeconds } from "./lib.js";

let life: Life;
let swarmId: string;
beforeAll(async () => {
  life = await Life.ready();
  swarmId = life.cluster.outputs.swarmId;
});

const names = ["m1", "m2", "m3", "w1"];
const boots = () => life.each(names, bootId);
/** Lets every node write down each of its boots from now on. */
async function countBoots(): Promise<void> {
  const unit = [
    "[Unit]\nDescription=Counts boots\n[Service]\nType=oneshot",
    "ExecStart=/bin/sh -c 'cat /proc/sys/kernel/random/boot_id >>/var/lib/counted-boots'\n[Install]\nWantedBy=multi-user.target\n",
  ].join("\n");
  for (const name of names) {
    const file = "/etc/systemd/system/count-boots.service";
    await life.cluster.ssh(life.node(name), `cat >${file} && systemctl enable --quiet count-boots.service`, unit);
  }
}
const counted = (name: string) => life.ssh(life.node(name), "wc -l </var/lib/counted-boots");

interface Seen {
  /** Nodes that were kept from work at a time, as a manager listed them. Their states would not do: a new leader knows none. */
  readonly away: readonly (readonly string[])[];
  readonly answers: number;
}

/** Asks whichever manager answers who is at work, all the time while `work` runs. */
async function listening<T>(work: () => Promise<T>): Promise<{ result: T; seen: Seen }> {
  const away: string[][] = [];
  let answers = 0;
  let goesOn = true;
  const managers = ["m1", "m2", "m3"].map((name) => life.node(name));
  const list = "timeout 30 docker node ls --format '{{.Hostname}} {{.Availability}}'";
  const ask = async (): Promise<void> => {
    for (let turn = 0; goesOn; turn += 1) {
      const manager = managers[turn % managers.length] ?? life.manager;
      try {
        const lines = (await life.ssh(manager, list)).split("\n").filter(Boolean);
        if (lines.length !== names.length) continue;
        answers += 1;
        away.push(lines.filter((line) => !line.endsWith(" Active")).map((line) => line.split(" ")[0] ?? ""));
      } catch {
        // The one that is away does not answer.
      }
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  };
  const asking = ask();
  try {
    return { result: await work(), seen: { away, answers } };
  } finally {
    goesOn = false;
    await asking;
  }
}

describe("a maintenance number that is raised", () => {
  it("restarts each node once, never two at a time, and the web service goes on", async () => {
    const before = await boots();
    await countBoots();
    const served = await life.servedBySome(() =>
      listening(() => life.become(life.wish, { maintenance: { number: 1 } })),
    );
    const { result } = served;
    await life.settle();
    await expectWhole(life, swarmId);
    const after = await boots();
    for (const name of names) {
      expect(after[name], `boot of ${name}`).not.toBe(before[name]);
      expect(await counted(name), `restarts of ${name}`).toBe("1");
    }
    const { away, answers } = result.seen;
    expect(answers).toBeGreaterThan(20);
    expect(away.filter((some) => some.length > 1)).toEqual([]);
    expect([...new Set(away.flat())].sort(), "each of them was seen away").toEqual(
      names.map((name) => life.node(name).name).sort(),
    );
    say(`    web: ${served.answers} answers, longest time without one ${served.outageSeconds.toFixed(1)} s`);
    expect(served.answers).toBeGreaterThan(100);
    expect(served.outageSeconds).toBeLessThan(taskMoveSeconds);
    for (const [node, sessions] of Object.entries(sessionsByNode(life, result.result)))
      expect(sessions, `sessions of ${node}`).toBe(node === "life-m1" ? 9 : node === "life-m2" ? 5 : 3);
  });

  it("is done then: a second deployment has nothing to do, and a lower number restarts nobody", async () => {
    const before = await boots();
    expect((await life.become(life.wish)).sshSessions).toEqual([]);
    await life.become(life.wish, { maintenance: { number: 0 } });
    expect(await boots()).toEqual(before);
  });

  it("leaves a node drained that its user drained, and tells it in the preview", async () => {
    const before = await boots();
    const worker = life.node("w1");
    await life.ssh(life.manager, `docker node update --availability drain ${worker.name}`);
    await life.stack.setConfig("args", JSON.stringify({ maintenance: { number: 2 } }));
    const preview = await life.stack.previewDiff();
    for (const name of names)
      expect(preview.text).toContain(
        `${life.node(name).name}, maintenance 2: drained, restarted, verified, active again`,
      );
    await life.become(life.wish, { maintenance: { number: 2 } });
    const state = `docker node inspect ${worker.name} --format '{{.Spec.Availability}} {{json .Spec.Labels}}'`;
    expect(await life.ssh(life.manager, state)).toBe('drain {"hcloud-swarm.maintained":"2"}');
    const after = await boots();
    for (const name of names) expect(after[name], `boot of ${name}`).not.toBe(before[name]);
    await life.ssh(life.manager, `docker node update --availability active ${worker.name}`);
    await life.settle();
    await expectWhole(life, swarmId);
  });

  it("is refused before any node is touched where a version of Docker cannot be had", async () => {
    const before = await boots();
    await life.stack.setConfig("args", JSON.stringify({ maintenance: { number: 3, dockerVersion: "99" } }));
    const run = await life.stack.pulumi("up", "--yes", "--skip-preview");
    expect(run.exitCode).not.toBe(0);
    expect(run.text).toMatch(/Docker 99 cannot be had/);
    expect(await boots()).toEqual(before);
    await life.become(life.wish, { maintenance: { number: 2 } });
    await expectWhole(life, swarmId);
  });

  it("is none for a node that is new", async () => {
    const before = await boots();
    await life.become({ ...life.wish, w2: { role: "worker" } }, { maintenance: { number: 2 } });
    await expectWhole(life, swarmId);
    expect(await life.ssh(life.node("w2"), "cat /var/lib/hcloud-swarm/maintenance")).toBe("2 new - ok");
    expect(await boots()).toEqual(before);
  });
});
