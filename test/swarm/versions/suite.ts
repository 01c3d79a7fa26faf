/**
 * What must hold on a version of Docker: a hardened server, and a swarm of one node, made, looked at, rebooted and taken down.
 * The machines are made one after the other.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import {
  api,
  cacheDir,
  eventually,
  type Host,
  hostAt,
  installResponderOn,
  openCluster,
  openStack,
  probeFromOutside,
  type Region,
  responderImage,
  root,
  type Stack,
  say,
  scanHostKey,
  sshKey,
  startRegion,
  startServices,
} from "../../harness/src/index.js";
import { cloudInitComplaints, firstStarts, type Run, unitComplaints, verification } from "./node.js";

export interface Version {
  /** Name of the image. */
  readonly image: string;
  /** Name of the region that the machines live in. */
  readonly region: string;
  /** What Docker's version begins with. */
  readonly docker: string;
}

/** Ports that a container publishes: two that the policy names, two that it does not. */
const published = { "80/tcp": "80:8000", "443/tcp": "443:8000", "8080/tcp": "8080:8000", "9000/udp": "9000:9000/udp" };
const open = ["443/tcp4", "443/tcp6", "80/tcp4", "80/tcp6"];

const serverOutputs = z.looseObject({
  publicIpv4: z.string(),
  publicIpv6: z.string(),
  report: z.looseObject({ passed: z.boolean(), checks: z.array(z.unknown()) }),
});

/** Which ports of a host answer, as `80/tcp4`: from outside, or seen by itself. */
async function answering(region: Region, address: Record<"4" | "6", string>, from?: Host): Promise<string[]> {
  const probes = Object.keys(published).flatMap((name) => {
    const [port = "", protocol = ""] = name.split("/");
    return (["4", "6"] as const).map((family) => ({
      id: `${name}${family}`,
      network: `${protocol}${family}` as "tcp4",
      address: address[family],
      port: Number(port),
      kind: "answer" as const,
      timeoutMs: 4000,
      attempts: 3,
    }));
  });
  const text = from && (await from.ssh("responder probe", JSON.stringify(probes)));
  const results = text === undefined ? await probeFromOutside(region, probes) : answers.parse(JSON.parse(text));
  return results.flatMap(({ id, open: answered }) => (answered ? [id] : [])).sort();
}
const answers = z.array(z.object({ id: z.string(), open: z.boolean(), detail: z.string() }));

export function versionSuite(version: Version): void {
  const directory = cacheDir("stacks", version.region);
  let region: Region;

  beforeAll(async () => {
    region = await startRegion(version.region, (line) => say(`    ${line}`), "--image", version.image);
  });
  afterAll(async () => {
    await region.command("stop", "--purge");
    rmSync(directory, { recursive: true, force: true });
  });

  async function stackOf(program: string): Promise<{ stack: Stack; key: string }> {
    const stateDir = join(directory, program);
    const key = await sshKey(stateDir);
    const stack = await openStack({ region, program: join(root, "examples", program), name: program, stateDir });
    await stack.setConfig("privateKeyFile", key);
    await stack.setConfig("image", version.image);
    return { stack, key };
  }

  async function reboot(run: Run): Promise<void> {
    const bootId = () => run("cat /proc/sys/kernel/random/boot_id");
    const before = await bootId();
    await run("systemd-run --quiet --on-active=1 systemctl reboot");
    await eventually("the node after its reboot", 600, async () => (await bootId()) !== before);
    await eventually(
      "Docker after the reboot",
      300,
      async () => (await run("docker info >/dev/null && echo yes")) !== "",
    );
  }

  async function rulesCameFirst(run: Run): Promise<void> {
    const { rulesLoaded, dockerStarting, dockerdSpoke } = await firstStarts(run);
    say(
      `    ${version.image}: rules at ${rulesLoaded} s, Docker begun at ${dockerStarting} s, its word at ${dockerdSpoke} s`,
    );
    expect(rulesLoaded).toBeLessThan(dockerStarting);
    expect(dockerStarting).toBeLessThan(dockerdSpoke);
  }

  async function isVerified(run: Run): Promise<void> {
    const { failed, count } = await verification(run);
    expect(failed).toEqual([]);
    expect(count).toBeGreaterThan(10);
  }

  async function noServerIsLeft(): Promise<void> {
    expect(await api(region, "GET", "/servers")).toMatchObject({ servers: [] });
  }

  describe(`a hardened server on ${version.image}`, () => {
    let stack: Stack;
    let host: Host;
    let addresses: Record<"4" | "6", string>;

    beforeAll(async () => {
      const made = await stackOf("single-server");
      stack = made.stack;
      await stack.up((line) => (/created|failed|error/.test(line) ? say(`    ${line.trim()}`) : undefined));
      const { publicIpv4, publicIpv6 } = serverOutputs.parse(await stack.outputs());
      addresses = { "4": publicIpv4, "6": publicIpv6 };
      host = hostAt(region, publicIpv4, await scanHostKey(region, publicIpv4, "ed25519"), made.key, directory);
    });

    test("went up verified, and verifies still", async () => {
      const { report } = serverOutputs.parse(await stack.outputs());
      expect(report.passed).toBe(true);
      await isVerified(host.ssh);
    });

    test(`runs Docker ${version.docker}`, async () => {
      expect(await host.ssh("docker version --format '{{.Server.Version}}'")).toMatch(`${version.docker}.`);
    });

    test("had its rules before Docker's first start", () => rulesCameFirst(host.ssh));

    test("cloud-init has nothing against the user-data", async () => {
      expect(await cloudInitComplaints(host.ssh)).toBe("");
    });

    test("systemd has nothing against the units, and would tell", async () => {
      expect(await unitComplaints(host.ssh)).toBe("");
      const broken = "/run/systemd/system/docker.service.d/99-broken.conf";
      await host.ssh(`mkdir -p ${broken.replace(/\/[^/]*$/, "")}; printf '[Unit]\\nRequirez=x\\n' >${broken}`);
      expect(await unitComplaints(host.ssh)).toContain("Requirez");
      await host.ssh(`rm ${broken}`);
    });

    test("shows no host key but Ed25519", async () => {
      const scan = await region.exec("ssh-keyscan", ["-T", "20", addresses["4"]], { reject: false });
      expect(
        String(scan.stdout)
          .trim()
          .split("\n")
          .map((line) => line.split(" ")[1]),
      ).toEqual(["ssh-ed25519"]);
    });

    test("shows the outside what the policy names, and no more", async () => {
      await installResponderOn(host);
      const flags = Object.values(published)
        .map((ports) => `-p ${ports}`)
        .join(" ");
      await host.ssh(
        `docker run --detach --quiet --restart always --name web ${flags} ${responderImage} serve tcp:8000 udp:9000 ||
         docker run --detach --restart always --name web ${flags} ${responderImage} serve tcp:8000 udp:9000`,
      );
      await eventually("port 80 answers", 120, async () => (await answering(region, addresses)).includes("80/tcp4"));
      expect(await answering(region, addresses)).toEqual(open);
      // Closed by the rules, not for want of a listener.
      expect(await answering(region, addresses, host)).toEqual(
        expect.arrayContaining(["443/tcp4", "80/tcp4", "8080/tcp4", "8080/tcp6", "9000/udp4"]),
      );
    });

    test("is the same after a reboot", async () => {
      await reboot(host.ssh);
      await rulesCameFirst(host.ssh);
      await isVerified(host.ssh);
      await eventually("port 80 answers", 120, async () => (await answering(region, addresses)).includes("80/tcp4"));
      expect(await answering(region, addresses)).toEqual(open);
    });

    test("goes without a rest", async () => {
      await stack.destroy();
      await noServerIsLeft();
    });
  });

  describe(`a swarm of one node on ${version.image}`, () => {
    let stack: Stack;
    let run: Run;
    let probe: () => Promise<string[]>;

    beforeAll(async () => {
      const made = await stackOf("cluster");
      stack = made.stack;
      await stack.setConfig("workers", "0");
      await stack.up((line) => (/created|failed|error/.test(line) ? say(`    ${line.trim()}`) : undefined));
      const cluster = await openCluster(region, stack, made.key);
      const { publicIpv4, publicIpv6 } = cluster.manager;
      run = (command) => cluster.ssh(cluster.manager, command);
      probe = () => answering(region, { "4": publicIpv4, "6": publicIpv6 });
      await installResponderOn({ ssh: run, send: (file, target) => cluster.send(cluster.manager, file, target) });
      await startServices(cluster);
    });

    test("is up, and verified", async () => {
      expect(await run("docker node ls --format '{{.Status}} {{.ManagerStatus}}'")).toBe("Ready Leader");
      await isVerified(run);
    });

    test("had its rules before Docker's first start", () => rulesCameFirst(run));

    test("has overlays that fit the private network", async () => {
      const mtu = await run(
        `docker network inspect ingress --format '{{index .Options "com.docker.network.driver.mtu"}}'`,
      );
      expect(mtu.trim()).toBe("1450");
    });

    test("shows the outside what the policy names, and no more", async () => {
      await eventually("port 80 answers", 120, async () => (await probe()).includes("80/tcp4"));
      // The ingress mesh has no IPv6; 443 is published on the host itself.
      expect(await probe()).toEqual(["443/tcp4", "443/tcp6", "80/tcp4"]);
    });

    test("is the same after a reboot", async () => {
      await reboot(run);
      await rulesCameFirst(run);
      await eventually("port 443 answers", 300, async () => (await probe()).includes("443/tcp4"));
      expect(await probe()).toEqual(["443/tcp4", "443/tcp6", "80/tcp4"]);
      await isVerified(run);
    });

    test("goes without a rest", async () => {
      await stack.destroy();
      await noServerIsLeft();
    });
  });
}
