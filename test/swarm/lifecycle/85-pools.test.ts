/**
 * What pools and nodes have beside their shape: Docker's options and additions to the first boot; labels, and ports that are open on
 * them alone; an address and disks that outlast servers, those of nodes that were up before they had any, too.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { api, eventually, probeFromOutside, responderImage } from "../../harness/src/index.js";
import {
  expectWhole,
  freeze,
  Life,
  longProbation,
  type NodeWish,
  note,
  poolsOf,
  restart,
  three,
  userDataOf,
} from "./lib.js";
import { askedOn, onNode, openOf, tcp } from "./probes.js";

/** So long that user-data has to be packed as a whole. */
const long = Array.from({ length: 600 }, (_, i) => ((i * 7919) % 9973).toString(36)).join("");
const shape = (size: number) => ({
  docker: { daemonOptions: { "max-concurrent-downloads": 2 } },
  cloudInit: {
    packages: ["jq"],
    writeFiles: [
      { path: "/etc/greeting", content: '{"hello":"world"}\n' },
      { path: "/srv/long", content: long },
    ],
    runcmd: ["jq --raw-output .hello /etc/greeting >/etc/answer"],
  },
  nodeLabels: { disk: "data" },
  volumes: { data: { size, mountPath: "/srv/data" } },
});
const policy = {
  publishedPorts: [{ port: 80 }, { port: 8443, pools: ["worker"] }, { port: 8444, nodes: ["w2"] }],
};
const volumesSchema = z.object({
  volumes: z.array(z.object({ id: z.number(), name: z.string(), server: z.number().nullable().transform(String) })),
});

let life: Life;
let swarmId: string;
/** Of w2, as it was born. */
let address: string;

/** Two workers; `w1` is up before its pool has anything of its own. */
async function become(w1: NodeWish, w2: NodeWish, more: object): Promise<void> {
  const wish = { ...three, w1: { ...w1, role: "worker" as const }, w2: { ...w2, role: "worker" as const } };
  await life.stack.setConfig("pools", JSON.stringify(poolsOf(wish, more)));
  await life.stack.up(note);
  life.wish = wish;
  await life.reopen();
  await expectWhole(life, swarmId);
}
const on = (name: string, command: string) => life.ssh(life.node(name), command);
const volumeOf = async (name: string) => {
  const { volumes } = volumesSchema.parse(await api(life.region, "GET", "/volumes"));
  return volumes.find((volume) => volume.name === `life-${name}-data`);
};
/** The program's own labels, by the servers' names. */
const labels = async () => {
  const format = '{{.Description.Hostname}}{{with index .Spec.Labels "disk"}} {{.}}{{end}}';
  return (await on("m1", `docker node inspect $(docker node ls --quiet) --format '${format}'`)).split("\n").sort();
};
const mounted = (name: string) => on(name, "findmnt -nro FSTYPE --mountpoint /srv/data || echo nothing");

beforeAll(async () => {
  life = await Life.ready();
  swarmId = life.cluster.outputs.swarmId;
  await life.stack.setConfig("args", JSON.stringify({ policy, timeouts: longProbation }));
});

describe("pools", () => {
  it("give a new node its Docker, its additions, an address and a disk, and one that is up its disk alone", async () => {
    await become({}, { primaryIps: { ipv4: {} } }, shape(10));
    address = life.node("w2").publicIpv4;
    expect(JSON.parse(await on("w2", "cat /etc/docker/daemon.json"))).toMatchObject({
      "max-concurrent-downloads": 2,
      "log-opts": { "max-size": "10m" },
    });
    expect(await on("w2", "cat /etc/answer")).toBe("world");
    expect(await userDataOf(life, life.node("w2")), "packed").toMatch(/^H4sI/);
    expect(await on("w2", "cat /srv/long")).toBe(long);
    expect(await on("w1", "cat /etc/answer 2>/dev/null || echo none")).toBe("none");
    for (const name of ["w1", "w2"]) {
      const volume = await volumeOf(name);
      expect(volume?.server).toBe(life.node(name).serverId);
      expect(await mounted(name)).toBe("ext4");
      const disk = await on(name, `readlink -f /dev/disk/by-id/scsi-0HC_Volume_${String(volume?.id)}`);
      expect(await on(name, "findmnt -nro SOURCE --mountpoint /srv/data")).toBe(disk);
      await on(name, `echo ${name} >/srv/data/owner && sync`);
    }
    expect(await on("m1", "findmnt -nro FSTYPE --mountpoint /srv/data || echo nothing")).toBe("nothing");
  });

  it("give their nodes labels, by which services find them, a new one and one that is up", async () => {
    expect(await labels()).toEqual(["life-m1", "life-m2", "life-m3", "life-w1 data", "life-w2 data"]);
    await life.equip();
    // Global: without the constraint it would be on all five.
    await on(
      "m1",
      `docker service create --detach --quiet --no-resolve-image --mode global --name labelled \
         --constraint node.labels.disk==data --publish published=8443,target=8000 --publish published=8444,target=8000 \
         ${responderImage} serve tcp:8000`,
    );
    const list = "docker service ps labelled --filter desired-state=running --format '{{.Node}} {{.CurrentState}}'";
    const tasks = async () => (await on("m1", list)).split("\n");
    await eventually(
      "both tasks",
      300,
      async () => (await tasks()).filter((task) => / Running /.test(task)).length > 1,
    );
    expect((await tasks()).map((task) => task.split(" ")[0]).sort()).toEqual(["life-w1", "life-w2"]);
  });

  it("have ports that are open on their nodes alone, or on one of them, though every node serves them", async () => {
    const names = ["m1", "w1", "w2"];
    const questions = (name: string) =>
      [8443, 8444].map((port) => tcp(`${name} ${port}`, life.node(name).publicIpv4, port, "answer"));
    await eventually("the service on every node", 300, async () => {
      const answers = await Promise.all(names.map((name) => askedOn(onNode(life, life.node(name)), questions(name))));
      return answers.flatMap((answer) => Object.values(answer)).every(Boolean);
    });
    expect(openOf(await probeFromOutside(life.region, names.flatMap(questions)))).toEqual({
      ...{ "m1 8443": false, "m1 8444": false },
      ...{ "w1 8443": true, "w1 8444": false },
      ...{ "w2 8443": true, "w2 8444": true },
    });
    await on("m1", "docker service rm labelled");
  });

  it("a disk is mounted again before Docker starts, and grows in use", async () => {
    await restart(life, life.node("w1"));
    await eventually("Docker", 600, async () => (await on("w1", "systemctl is-active docker || :")) === "active");
    await life.settle();
    expect(await on("w1", "cat /srv/data/owner")).toBe("w1");
    const order = await on("w1", "systemctl show --property=After --value docker.service");
    expect(order.split(" ")).toContain("srv-data.mount");
    await become({}, { primaryIps: { ipv4: {} } }, shape(12));
    for (const name of ["w1", "w2"])
      expect(
        Number(await on(name, "df --output=size --block-size=M /srv/data | tail -n 1 | tr -dc 0-9")),
      ).toBeGreaterThan(11_000);
  });

  it("a replacement has the disk with its data, what nobody has synced too; its address is spare meanwhile", async () => {
    const volume = await volumeOf("w2");
    await on("w2", "echo late >/srv/data/late");
    await become({}, { replacement: 1, primaryIps: { ipv4: { spare: true } } }, shape(12));
    expect(life.node("w2").name).toBe("life-w2-r1");
    expect(await labels()).toEqual(["life-m1", "life-m2", "life-m3", "life-w1 data", "life-w2-r1 data"]);
    expect(await volumeOf("w2")).toEqual({ ...volume, server: life.node("w2").serverId });
    expect(await on("w2", "cat /srv/data/owner /srv/data/late")).toBe("w2\nlate");
    expect(life.node("w2").publicIpv4).not.toBe(address);
  });

  it("the next one has the address again, and the disk", async () => {
    await become({}, { replacement: 2, primaryIps: { ipv4: {} } }, shape(12));
    expect(life.node("w2").publicIpv4).toBe(address);
    expect(await on("w2", "cat /srv/data/owner")).toBe("w2");
  });

  it("a disk is taken from a server that hangs", async () => {
    await freeze(life, life.node("w1"));
    await become({ replacement: 1 }, { replacement: 2, primaryIps: { ipv4: {} } }, shape(12));
    expect(await on("w1", "cat /srv/data/owner")).toBe("w1");
  });

  it("a disk that a container uses is not taken away", async () => {
    await life.equip();
    const image = await on("w1", "docker image ls --quiet | head -n 1");
    await on("w1", `docker run --detach --name holder --volume /srv/data:/data ${image} serve tcp:9000`);
    const { volumes: _, ...without } = shape(12);
    const refused = become({ replacement: 1 }, { replacement: 2, primaryIps: { ipv4: {} } }, without);
    await expect(refused).rejects.toThrow(/in use/);
    expect(await mounted("w1")).toBe("ext4");
    expect((await volumeOf("w1"))?.server).toBe(life.node("w1").serverId);
  });

  it("disks go when the program no longer has them", async () => {
    await on("w1", "docker rm --force holder");
    const { volumes: _, ...without } = shape(12);
    await become({ replacement: 1 }, { replacement: 2, primaryIps: { ipv4: {} } }, without);
    for (const name of ["w1", "w2"]) {
      expect(await mounted(name)).toBe("nothing");
      expect(await volumeOf(name)).toBeUndefined();
      expect(await on(name, "ls -d /srv/data 2>/dev/null || echo gone")).toBe("gone");
    }
  });
});
