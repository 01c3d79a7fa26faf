import { describe, expect, it } from "vitest";
import type { HardenedServerArgs } from "./args/components";
import { HardenedServer } from "./hardenedServer";
import { bootstrapHostKey } from "./remote/sshKey";
import { fakeCloud, hostKey, known, plain } from "./testing/fakeCloud";

const { privateKey } = bootstrapHostKey("a test", "key", "pair");

async function up(extra: Partial<HardenedServerArgs> = {}, options = {}) {
  const cloud = await fakeCloud(options);
  const server = new HardenedServer("web", { ssh: { privateKey }, ...extra });
  await cloud.settled();
  return { cloud, server };
}

describe("HardenedServer", () => {
  it("is one server behind a firewall, with three steps", async () => {
    const { cloud } = await up();
    expect(cloud.asked.map((one) => one.name).sort()).toEqual([
      "web",
      "web-firewall",
      expect.stringMatching(/^web-firewall-ssh-[0-9a-f]{8}$/),
      "web-server",
      "web-server-agent",
      "web-server-bootstrap",
      "web-server-policy",
      "web-server-verification",
      "web-ssh-key",
    ]);
    const made = cloud.inputsOf("web-server");
    expect(made).toMatchObject({ name: "web", serverType: "cx23", image: "debian-13" });
    expect(made).not.toHaveProperty("networks");
  });

  it("opens no swarm port, and has no peers", async () => {
    const { cloud } = await up();
    const { stdin } = cloud.inputsOf("web-server-policy");
    expect(stdin).not.toMatch(/2377|7946|4789/);
    expect(stdin).toContain("### peers\n### end\n");
  });

  it("verifies, and gives the report and the way in", async () => {
    const { cloud, server } = await up();
    expect(await known(server.report)).toMatchObject({ passed: true });
    expect(await known(server.sshConfig)).toContain(hostKey);
    expect(await known(server.exposure)).toMatchObject({ "web tcp/443": ["0.0.0.0/0", "::/0"] });
    const { stdin, create } = cloud.inputsOf("web-server-verification");
    expect(create).toMatch(/^timeout --verbose \d+ sh -s [0-9a-f]{64} 180 [0-9a-f]{12}$/);
    expect(plain(stdin)).toContain("verify --json");
  });

  it("attaches to a private network that is there", async () => {
    const { cloud } = await up({ network: { id: "7" } });
    expect(cloud.inputsOf("web-server").networks).toEqual([{ networkId: 7, aliasIps: [] }]);
  });

  it("previews when nothing is known yet", async () => {
    const { server } = await up({}, { preview: true });
    expect(await server.report.isKnown).toBe(false);
    expect(await server.exposure.isKnown).toBe(true);
  });

  it.each<[string, object, RegExp]>([
    ["a missing key", { ssh: {} }, /ssh\.privateKey: given nothing/],
    [
      "pools, of which it has none",
      { policy: { publishedPorts: [{ port: 1, pools: ["a"] }] } },
      /policy: given pool a/,
    ],
    ["a name that no host can have", { serverName: "Web_1" }, /serverName: given "Web_1"/],
  ])("refuses %s before anything is made", async (_, extra, message) => {
    const cloud = await fakeCloud();
    const args = { ssh: { privateKey }, ...extra } as HardenedServerArgs;
    expect(() => new HardenedServer("web", args)).toThrow(message);
    await cloud.settled();
    expect(cloud.asked).toEqual([]);
  });
});
