// What the rules only limit, with real packets: new SSH connections from one source, and lines in the kernel's log.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hook, liveTestsBlockedBy, load, Namespace } from "../testing/namespace";
import { compileRuleset } from "./compile";
import { renderPayload } from "./payload";
import { normalizePolicy } from "./policy";

const blocked = liveTestsBlockedBy("ip6tables-nft-restore");
const [publicIp, publicIp6] = ["203.0.113.10", "2001:db8:1::1"] as const;
const addresses = ["203.0.113.1", "203.0.113.2", "2001:db8:1::100", "2001:db8:1::101", "2001:db8:2::100"] as const;
const [first, second, first6, sameNetwork6, second6] = addresses;
const [burst, perMinute] = [4, 1] as const;
const lines = 6;

describe.skipIf(blocked !== undefined)(`limits${blocked === undefined ? "" : ` (skipped: ${blocked})`}`, () => {
  let host: Namespace;
  let outside: Namespace;

  beforeAll(async () => {
    [host, outside] = [new Namespace(), new Namespace()];
    host.ip(`link add eth0 type veth peer name eth0 netns ${outside.name}
      addr add ${publicIp}/24 dev eth0\naddr add ${publicIp6}/64 dev eth0 nodad
      link set eth0 up\nroute add 2001:db8:2::/64 dev eth0`);
    outside.ip(`${addresses.map((address) => `addr add ${address}/${address.includes(":") ? "64 dev eth0 nodad" : "24 dev eth0"}`).join("\n")}
      link set eth0 up`);
    await Promise.all(
      ["0.0.0.0", "::"].map((address) => host.ask("listenTcp", { port: 22, host: address, name: "host" })),
    );
    const policy = { ssh: { rateLimit: { perMinute, burst } }, logDrops: { enabled: true, perMinute: lines } };
    const bundle = renderPayload(compileRuleset(normalizePolicy(policy), { name: "n", pool: "n", role: "manager" }));
    load(host, bundle);
    hook(host, bundle);
  }, 60_000);
  afterAll(() => {
    for (const namespace of [host, outside]) namespace?.remove();
  });

  const ssh = (from: string): Promise<string> =>
    outside.ask("dialTcp", { host: from.includes(":") ? publicIp6 : publicIp, port: 22, from, timeout: 700 });

  it.each([
    ["IPv4", first, first, second],
    ["IPv6, by /64", first6, sameNetwork6, second6],
  ])(
    "of new SSH connections from one source: %s",
    async (_, from, alike, other) => {
      const dialed: string[] = [];
      for (let i = 0; i < burst; i++) dialed.push(await ssh(from));
      expect(dialed).toEqual(Array.from({ length: burst }, () => "host"));
      expect([await ssh(from), await ssh(alike), await ssh(from), await ssh(other)]).toEqual([
        "nothing",
        "nothing",
        "nothing",
        "host",
      ]);
    },
    30_000,
  );

  it("of lines in the log", async () => {
    const [began, sent] = [Date.now(), 60];
    /** Packets by target, of the last two rules of the belt, which refuses first. */
    const counted = (): readonly number[] => {
      const rows = host
        .run("iptables-nft", "-t", "mangle", "-L", "HC-BELTIN", "-v", "-x", "-n")
        .trim()
        .split("\n")
        .slice(-2);
      expect(rows.map((row) => row.trim().split(/\s+/)[2])).toEqual(["LOG", "DROP"]);
      return rows.map((row) => Number(row.trim().split(/\s+/)[0]));
    };
    const [loggedBefore = 0, droppedBefore = 0] = counted();
    const dialed = Array.from({ length: sent }, () =>
      outside.ask("dialUdp", { host: publicIp, port: 9000, from: first, family: 4, timeout: 700 }),
    );
    expect(new Set(await Promise.all(dialed))).toEqual(new Set(["nothing"]));
    const [logged = 0, dropped = 0] = counted();
    expect(dropped - droppedBefore).toBeGreaterThanOrEqual(sent);
    // iptables lets five through at once, where a rule does not say otherwise.
    const most = 5 + Math.ceil(((Date.now() - began) * lines) / 60_000);
    expect(logged).toBeGreaterThan(0);
    expect(logged - loggedBefore).toBeLessThanOrEqual(most);
  }, 30_000);
});
