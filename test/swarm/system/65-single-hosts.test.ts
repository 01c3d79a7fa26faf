/**
 * The two components of a single host, on machines of their own beside the cluster: a server that is made hardened, and one
 * that was made by hand, runs Docker with everything open, and is adopted.
 */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import {
  answeringPorts,
  api,
  cacheDir,
  eventually,
  type Host,
  hostAt,
  installResponderOn,
  openStack,
  type Region,
  responderImage,
  root,
  type Stack,
  scanHostKey,
  sshKey,
} from "../../harness/src/index.js";
import { ready } from "../lib.js";

/** Each test boots a machine and installs Docker there, in milliseconds. */
const timeout = 1_200_000;
const directory = cacheDir("stacks", "single-hosts");
const outputsSchema = z.looseObject({
  publicIpv4: z.string(),
  publicIpv6: z.string(),
  sshConfig: z.string(),
  report: z.looseObject({ passed: z.boolean(), checks: z.array(z.object({ name: z.string(), passed: z.boolean() })) }),
});
const keySchema = z.object({ ssh_key: z.object({ id: z.number() }) });
const serverSchema = z.object({
  server: z.object({
    id: z.number(),
    public_net: z.object({ ipv4: z.object({ ip: z.string() }), ipv6: z.object({ ip: z.string() }) }),
  }),
});

/** Two published ports of one container: one that the default policy lets in, one that it does not. */
const publish = (host: Host) =>
  host.ssh(`docker run --detach --quiet --name web -p 80:8000 -p 8080:8000 ${responderImage} serve tcp:8000`);

/** Which of the two ports answers from outside, as `80/4`. */
const open = (region: Region, ipv4: string, ipv6: string) => answeringPorts(region, { ipv4, ipv6 }, [80, 8080]);

let region: Region;
const cleanUp: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  region = (await ready()).region;
  // Of a run that was killed: the machines that its state speaks of are gone.
  rmSync(directory, { recursive: true, force: true });
});
afterAll(async () => {
  for (const step of cleanUp.reverse()) await step();
  rmSync(directory, { recursive: true, force: true });
});

async function stackOf(program: string): Promise<Stack> {
  const stateDir = join(directory, program);
  const stack = await openStack({ region, program: join(root, "examples", program), name: program, stateDir });
  const key = await sshKey(stateDir);
  await stack.setConfig("privateKeyFile", key);
  return stack;
}

describe("a server made by HardenedServer", () => {
  test(
    "publishes what its policy names, over both families, and changes nothing the second time",
    async () => {
      const stack = await stackOf("single-server");
      cleanUp.push(() => stack.destroy());
      const run = await stack.up();
      const outputs = outputsSchema.parse(await stack.outputs());
      expect(outputs.report.checks.filter(({ passed }) => !passed)).toEqual([]);
      expect(outputs.report.checks.length).toBeGreaterThan(10);
      expect(run.sshSessions.length).toBeLessThanOrEqual(3);

      const { publicIpv4, publicIpv6 } = outputs;
      const hostKey = await scanHostKey(region, publicIpv4, "ed25519");
      // The key that the program pinned, not merely the one that the host shows now.
      expect(outputs.sshConfig).toContain(hostKey);
      const host = hostAt(region, publicIpv4, hostKey, join(stack.stateDir, "id_ed25519"), directory);
      await installResponderOn(host);
      await publish(host);
      await eventually("port 80 answers", 60, async () =>
        (await open(region, publicIpv4, publicIpv6)).includes("80/4"),
      );
      expect(await open(region, publicIpv4, publicIpv6)).toEqual(["80/4", "80/6"]);
      expect(await host.ssh("curl -sS -m 10 http://127.0.0.1:8080/")).not.toBe("");

      const again = await stack.up();
      expect(again.text).toMatch(/ unchanged/);
      expect(again.text).not.toMatch(/ (created|updated|replaced)/);
      expect(again.sshSessions).toEqual([]);
    },
    timeout,
  );
});

describe("a server made by hand", () => {
  test(
    "is adopted without a restart, loses what the policy does not name, and is as before when it is let go",
    async () => {
      const stack = await stackOf("existing-stack");
      const keyFile = join(stack.stateDir, "id_ed25519");
      const { ssh_key } = keySchema.parse(
        await api(region, "POST", "/ssh_keys", {
          name: "by-hand",
          public_key: readFileSync(`${keyFile}.pub`, "utf8").trim(),
        }),
      );
      cleanUp.push(() => api(region, "DELETE", `/ssh_keys/${ssh_key.id}`).catch(() => undefined));
      const { server } = serverSchema.parse(
        await api(region, "POST", "/servers", {
          name: "by-hand",
          server_type: "cx23",
          image: "debian-13",
          location: "fsn1",
          ssh_keys: [ssh_key.id],
          user_data: "#cloud-config\npackages: [docker.io, docker-cli, curl]\n",
        }),
      );
      cleanUp.push(() => api(region, "DELETE", `/servers/${server.id}`));
      const address = server.public_net.ipv4.ip;
      const address6 = server.public_net.ipv6.ip.replace(/::\/64$/, "::1");
      const hostKey = await scanHostKey(region, address, "ecdsa");
      const host = hostAt(region, address, hostKey, keyFile, directory);
      await host.ssh("cloud-init status --wait >/dev/null || true; docker version >/dev/null");
      await installResponderOn(host);
      await publish(host);
      await eventually("everything answers", 120, async () => (await open(region, address, address6)).length === 4);
      const before = await stateOf(host);
      const started = await host.ssh(
        "docker inspect --format '{{.State.StartedAt}}' web; cat /proc/sys/kernel/random/boot_id",
      );

      await stack.setConfig("host", address);
      await stack.setConfig("hostKey", hostKey);
      await stack.up();
      const { report } = z.object({ report: outputsSchema.shape.report }).parse(await stack.outputs());
      expect(report.checks.filter(({ passed }) => !passed)).toEqual([]);
      expect(await open(region, address, address6)).toEqual(["80/4", "80/6"]);
      const again = await stack.up();
      expect(again.text).toMatch(/ unchanged/);
      expect(again.sshSessions).toEqual([]);

      await stack.destroy();
      expect(await open(region, address, address6)).toHaveLength(4);
      expect(await stateOf(host)).toBe(before);
      expect(
        await host.ssh("docker inspect --format '{{.State.StartedAt}}' web; cat /proc/sys/kernel/random/boot_id"),
      ).toBe(started);
    },
    timeout,
  );
});

/** What the component may touch: rules, sets, units and files. */
async function stateOf(host: Host): Promise<string> {
  return await host.ssh(`
    for tool in iptables ip6tables; do
      echo "== $tool"
      # Built-in chains that are there but empty are no difference to a packet.
      $tool-save | awk '/^\\*/ { table = $0; next } /^(#|COMMIT|:[A-Z]+ ACCEPT)/ { next } { sub(/ \\[[0-9]+:[0-9]+\\]/, ""); print table, $0 }'
    done
    echo '== sets'; if command -v ipset >/dev/null; then ipset list -n; fi
    echo '== units'; systemctl list-unit-files --no-legend 'hcloud-*' 'nftables*' docker.service docker.socket
    systemctl show docker.service --property=Requires,After | tr ' =' '\\n\\n' | sort -u
    echo '== files'; ls -d /opt/hcloud* /etc/hcloud-iptables /var/lib/hcloud-iptables /etc/systemd/system/docker.service.d 2>/dev/null || true`);
}
