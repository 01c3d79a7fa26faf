import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from "vitest";
import type { SwarmClusterArgs } from "../args/components";
import type { CloudFirewallArgs } from "../args/network";
import { HardenedServer } from "../hardenedServer";
import { bootstrapHostKey } from "../remote/sshKey";
import { SwarmCluster } from "../swarmCluster";
import { fakeCloud } from "../testing/fakeCloud";
import { madeCluster, refusedCluster } from "../testing/madeCluster";

const { privateKey } = bootstrapHostKey("a test", "key", "pair");
const networks = (count: number) => Array.from({ length: count }, (_, i) => `20.${i >> 8}.${i & 255}.0/24`);
const publishedPorts = [{ port: 443, sources: networks(501) }, { port: 80 }];
const sctp = { port: 5000, protocol: "sctp" as const };
const tooMany = "published 443/tcp: 501 networks are too many for a Hetzner Cloud Firewall";
const noSctp = "published 5000/sctp: Hetzner Cloud Firewalls have no SCTP and drop it";

const of = (more: Partial<SwarmClusterArgs>): SwarmClusterArgs => ({
  ssh: { privateKey },
  pools: { m: { role: "manager", count: 1 }, w: { role: "worker", count: 1 } },
  ...more,
});

let warn: MockInstance<typeof pulumi.log.warn>;
beforeEach(() => {
  warn = vi.spyOn(pulumi.log, "warn").mockResolvedValue();
});
afterEach(() => void vi.restoreAllMocks());
const warnings = () => warn.mock.calls.map(([text]) => text);

/** What the cluster is refused with before it asks for anything. */
async function refusal(more: Partial<SwarmClusterArgs>): Promise<string> {
  const cloud = await fakeCloud();
  let text = "";
  try {
    new SwarmCluster("prod", of(more));
  } catch (error) {
    text = String(error);
  }
  await cloud.settled();
  expect(cloud.asked).toEqual([]);
  return text;
}

/** The rules of a firewall, as `443 from 2`: ports, and how many networks may dial. */
const opened = (inputs: { rules: { port?: string; protocol: string; sourceIps: string[] }[] }) =>
  inputs.rules.map(({ port, protocol, sourceIps }) => `${port ?? protocol} from ${sourceIps.length}`);

describe("a policy that the cloud firewall cannot say", () => {
  it("is refused by its port, with the ways out, before anything is made", async () => {
    expect(await refusal({ policy: { publishedPorts } })).toContain(
      `policy: given ${tooMany}, which has 50 rules over 500 networks in all; allowed: fewer networks, or cloudFirewall.beyondLimits: pass`,
    );
    expect(await refusal({ policy: { publishedPorts: [sctp] } })).toContain(
      `policy: given ${noSctp}; allowed: TCP and UDP, or cloudFirewall.enabled: false, or cloudFirewall.beyondLimits: pass for SCTP`,
    );
    const ports = Array.from({ length: 60 }, (_, i) => ({ port: 1000 + 2 * i }));
    expect(await refusal({ policy: { publishedPorts: ports }, cloudFirewall: { beyondLimits: "pass" } })).toContain(
      "policy: given the policy needs 62 rules over 124 networks; a Hetzner Cloud Firewall has 50 over 500; allowed: fewer ports, or cloudFirewall.enabled: false",
    );
    expect(warnings()).toEqual([]);
  });

  it("is refused as soon as its sources are known", async () => {
    const late = pulumi.output(Promise.resolve("198.51.100.7"));
    const policy = { publishedPorts: [{ port: 443, sources: [...networks(500), late] }] };
    const { cloud, errors } = await refusedCluster(of({ policy }));
    expect(errors).toContain(tooMany);
    expect(cloud.ofType("hcloud:index/server:Server")).toEqual([]);
  });

  it("is refused for a server of its own", async () => {
    const cloud = await fakeCloud();
    expect(() => new HardenedServer("web", { ssh: { privateKey }, policy: { publishedPorts } })).toThrow(tooMany);
    await cloud.settled();
    expect(cloud.asked).toEqual([]);
  });

  it("passes the port for everybody when told, and warns that the host alone filters it", async () => {
    const { cloud } = await madeCluster(of({ policy: { publishedPorts }, cloudFirewall: { beyondLimits: "pass" } }));
    expect(opened(cloud.inputsOf("prod-firewall"))).toEqual(["icmp from 2", "80 from 2", "443 from 2"]);
    expect(warnings()).toEqual([
      `SwarmCluster "prod": ${tooMany}, which has 50 rules over 500 networks in all; the cloud lets it pass for everybody, the host alone filters it`,
    ]);
    expect(cloud.inputsOf("prod-w-1-policy").stdin.match(/^add hc-p\S* /gm)).toHaveLength(501);
  });

  it("leaves SCTP to the private network when told, and warns of it", async () => {
    const policy = { publishedPorts: [{ port: 80 }, sctp] };
    const { cloud } = await madeCluster(of({ policy, cloudFirewall: { beyondLimits: "pass" } }));
    expect(opened(cloud.inputsOf("prod-firewall"))).toEqual(["icmp from 2", "80 from 2"]);
    expect(warnings()).toEqual([
      `SwarmCluster "prod": ${noSctp}; nobody reaches it on the public path, the private network alone does`,
    ]);
    expect(cloud.inputsOf("prod-w-1-policy").stdin).toMatch(/-p sctp .*--ctorigdstport 5000 /);
  });

  it("keeps SSH in the firewall of its own, whose list is too long", async () => {
    const policy = { ssh: { sources: networks(300) }, publishedPorts: [{ port: 443, sources: networks(250) }] };
    const { cloud } = await madeCluster(of({ policy, cloudFirewall: { beyondLimits: "pass" } }));
    expect(opened(cloud.inputsOf("prod-firewall"))).toEqual([
      "icmp from 2",
      "443 from 100",
      "443 from 100",
      "443 from 50",
    ]);
    const ssh = cloud.asked.find(({ name }) => name.startsWith("prod-firewall-ssh-"));
    expect(opened(ssh?.inputs)).toEqual(["22 from 2"]);
    expect(warnings()).toEqual([expect.stringMatching(/ssh 22\/tcp: 300 .* the host alone filters it$/)]);
  });

  it.each<CloudFirewallArgs>([{ enabled: false }, { existing: { id: "13" } }])(
    "is no matter with a firewall of %o",
    async (firewall) => {
      await madeCluster(of({ policy: { publishedPorts: [...publishedPorts, sctp] }, cloudFirewall: firewall }));
      expect(warnings()).toEqual([]);
    },
  );

  it("is no matter where the port is on nodes alone that are not behind it", async () => {
    const hidden = { role: "worker" as const, count: 1, privateOnly: true };
    const { cloud } = await madeCluster({
      ssh: { privateKey },
      pools: { m: { role: "manager", count: 1 }, hidden },
      network: { egress: { node: "m-1" } },
      policy: { publishedPorts: [...publishedPorts, sctp].map((port) => ({ ...port, pools: ["hidden"] })) },
    });
    expect(opened(cloud.inputsOf("prod-firewall"))).toEqual(["icmp from 2"]);
    expect(warnings()).toEqual([]);
  });
});
