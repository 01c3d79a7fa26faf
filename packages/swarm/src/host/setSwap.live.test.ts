/** A set of ten thousand networks exchanged by the host agent while packets come: who is in both is never shut out, and nobody else let in. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compileRuleset, normalizePolicy, renderPayload } from "../firewall";
import { agentTools, HostAgent } from "../testing/hostAgent";
import { liveTestsBlockedBy, Namespace } from "../testing/namespace";

const blocked = liveTestsBlockedBy(...agentTools);
const [hostIp, memberIp, strangerIp] = ["203.0.113.10", "203.0.113.1", "203.0.113.2"] as const;

/** Ten thousand networks, half of them others than those of another `round`, and the member. */
function payloadOf(round: number): string {
  const networks = Array.from({ length: 10_000 }, (_, i) => `10.${(i >> 8) + (i % 2) * 50 * round}.${i & 255}.0/24`);
  const sources = [...networks, memberIp];
  const policy = normalizePolicy({ hostServices: [{ port: 5000, protocol: "udp", sources }] });
  return renderPayload(compileRuleset(policy, { name: "n", pool: "n", role: "manager" }));
}

describe.skipIf(blocked !== undefined)(`a set${blocked === undefined ? "" : ` (skipped: ${blocked})`}`, () => {
  let host: Namespace;
  let outside: Namespace;
  let agent: HostAgent;

  beforeAll(async () => {
    [host, outside] = [new Namespace(), new Namespace()];
    agent = new HostAgent(host);
    host.ip(`link add eth0 type veth peer name eth0 netns ${outside.name}
      addr add ${hostIp}/24 dev eth0\nlink set eth0 up`);
    outside.ip(`addr add ${memberIp}/24 dev eth0\naddr add ${strangerIp}/24 dev eth0\nlink set eth0 up`);
    await host.ask("listenUdp", { port: 5000, family: 4, name: "host" });
    agent.apply(payloadOf(0));
  }, 60_000);
  afterAll(() => {
    for (const namespace of [host, outside]) namespace?.remove();
    agent?.remove();
  });

  it("is exchanged between two packets", async () => {
    const elements = (): string[] => {
      const lines = host.run("ipset", "save", "hc-h-udp-5000-4").split("\n");
      return lines.filter((line) => line.startsWith("add ")).sort();
    };
    const before = elements();
    expect(before).toHaveLength(10_001);
    for (const from of [memberIp, strangerIp])
      await outside.ask("flood", { flow: from, host: hostIp, port: 5000, from, family: 4 });
    agent.apply(payloadOf(1));
    const between = elements();
    agent.apply(payloadOf(2));
    const [member = "", stranger = ""] = await Promise.all(
      [memberIp, strangerIp].map((flow) => outside.ask("flooded", { flow })),
    );
    expect(between).not.toEqual(before);
    expect(elements()).not.toEqual(between);
    const [sent = 0, answered = 0] = member.split(" ").map(Number);
    expect(sent).toBeGreaterThan(50);
    expect(answered).toBe(sent);
    const [tried = 0, answers = 0] = stranger.split(" ").map(Number);
    expect([tried > 50, answers]).toEqual([true, 0]);
  }, 90_000);
});
