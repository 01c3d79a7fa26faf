// What containers may dial, with real packets and rules that the host agent applies: a host with two of Docker's bridges, a container
// on each, and an outside machine with several addresses. Judged by the payload that comes back.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { agentTools, HostAgent } from "../testing/hostAgent";
import { liveTestsBlockedBy, Namespace } from "../testing/namespace";
import { compileRuleset } from "./compile";
import type { EgressOpeningInput } from "./containerEgress";
import { renderPayload } from "./payload";
import { normalizePolicy, type PolicyInput } from "./policy";

const blocked = liveTestsBlockedBy(...agentTools);
const [publicIp, containerIp, neighbourIp, metadataIp] = [
  "203.0.113.10",
  "172.17.0.2",
  "172.20.0.2",
  "169.254.169.254",
] as const;
const [outsideIp, otherIp] = ["203.0.113.1", "198.51.100.9"] as const;
const [publicIp6, containerIp6] = ["2001:db8:1::1", "fd00:17::2"] as const;
const [outsideIp6, otherIp6] = ["2001:db8:1::100", "2001:db8:9::9"] as const;
const patience = 2000;
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 700));

describe.skipIf(blocked !== undefined)(`egress${blocked === undefined ? "" : ` (skipped: ${blocked})`}`, () => {
  let host: Namespace;
  let outside: Namespace;
  let container: Namespace;
  let neighbour: Namespace;
  let agent: HostAgent;

  const apply = (policy: PolicyInput): void =>
    agent.apply(renderPayload(compileRuleset(normalizePolicy(policy), { name: "n", pool: "n", role: "manager" })));
  const open = (...entries: EgressOpeningInput[]): PolicyInput => ({ containerEgress: { open: entries } });

  beforeAll(async () => {
    [host, outside, container, neighbour] = [new Namespace(), new Namespace(), new Namespace(), new Namespace()];
    agent = new HostAgent(host);
    host.run(
      "sysctl",
      "-qw",
      "net.ipv4.ip_forward=1",
      "net.ipv6.conf.all.forwarding=1",
      "net.ipv4.conf.all.rp_filter=0",
    );
    host.ip(`link add eth0 type veth peer name eth0 netns ${outside.name}
      link add docker0 type bridge
      link add br-app type bridge
      link add veth1 type veth peer name eth0 netns ${container.name}
      link add veth2 type veth peer name eth0 netns ${neighbour.name}
      link set veth1 master docker0\nlink set veth2 master br-app
      addr add ${publicIp}/24 dev eth0\naddr add ${publicIp6}/64 dev eth0 nodad
      addr add 172.17.0.1/16 dev docker0\naddr add fd00:17::1/64 dev docker0 nodad
      addr add 172.20.0.1/16 dev br-app
      link set eth0 up\nlink set docker0 up\nlink set br-app up\nlink set veth1 up\nlink set veth2 up
      route add default via ${outsideIp}\nroute add ::/0 via ${outsideIp6}`);
    outside.ip(`addr add ${outsideIp}/24 dev eth0\naddr add ${outsideIp6}/64 dev eth0 nodad
      addr add ${otherIp}/32 dev lo\naddr add ${metadataIp}/32 dev lo\naddr add ${otherIp6}/128 dev lo nodad
      link set eth0 up\nroute add fd00:17::/64 via ${publicIp6}`);
    container.ip(`addr add ${containerIp}/16 dev eth0\naddr add ${containerIp6}/64 dev eth0 nodad\nlink set eth0 up
      route add default via 172.17.0.1\nroute add ::/0 via fd00:17::1`);
    neighbour.ip(`addr add ${neighbourIp}/16 dev eth0\nlink set eth0 up\nroute add default via 172.20.0.1`);
    host.feed(
      `*nat
-A PREROUTING -p tcp -m tcp --dport 443 -m addrtype --dst-type LOCAL -j DNAT --to-destination ${containerIp}:8081
-A POSTROUTING -s 172.16.0.0/12 -o eth0 -j MASQUERADE
COMMIT
`,
      "iptables-nft-restore",
      "--noflush",
    );
    const any = ["0.0.0.0", "::"];
    await Promise.all([
      ...any.flatMap((address) =>
        [8080, 9090].map((port) =>
          outside.ask("listenTcp", { port, host: address, name: "outside", push: port === 8080 }),
        ),
      ),
      outside.ask("listenTcp", { port: 80, host: "0.0.0.0", name: "outside" }),
      ...[outsideIp, otherIp].map((address) =>
        outside.ask("listenUdp", { port: 53, address, family: 4, name: "outside" }),
      ),
      container.ask("listenTcp", { port: 8081, host: "0.0.0.0", name: "container", push: true }),
      neighbour.ask("listenTcp", { port: 80, host: "0.0.0.0", name: "neighbour" }),
    ]);
    // Addresses of IPv6 are looked for on the wire for a second before they are used.
    for (let tries = 0; tries < 20 && (await tcp(container, otherIp6, 9090)) !== "outside"; tries++);
  }, 60_000);

  afterAll(() => {
    for (const namespace of [host, outside, container, neighbour]) namespace?.remove();
    agent?.remove();
  });

  const tcp = (from: Namespace, address: string, port: number): Promise<string> =>
    from.ask("dialTcp", { host: address, port, timeout: patience });
  const udp = (from: Namespace, address: string, port: number): Promise<string> =>
    from.ask("dialUdp", { host: address, port, family: 4, timeout: patience });
  /** Of the container: what it reaches outside, as `PROTOCOL ADDRESS PORT`. */
  const reached = async (): Promise<readonly string[]> => {
    const tried = [outsideIp, otherIp].flatMap((to) => [
      { what: `tcp ${to} 8080`, answer: tcp(container, to, 8080) },
      { what: `tcp ${to} 9090`, answer: tcp(container, to, 9090) },
      { what: `udp ${to} 53`, answer: udp(container, to, 53) },
    ]);
    const tried6 = [outsideIp6, otherIp6].flatMap((to) =>
      [8080, 9090].map((port) => ({ what: `tcp ${to} ${port}`, answer: tcp(container, to, port) })),
    );
    const answers = await Promise.all([...tried, ...tried6].map(async ({ what, answer }) => [what, await answer]));
    return answers.filter(([, answer]) => answer === "outside").map(([what]) => what ?? "");
  };

  it("is free where the policy does not speak of it", async () => {
    apply({});
    expect(await reached()).toHaveLength(10);
    expect(await tcp(container, metadataIp, 80)).toBe("nothing");
  }, 60_000);

  it("is closed where nothing is opened, in both families, and nothing else is", async () => {
    apply(open());
    expect(await reached()).toEqual([]);
    const others = [
      tcp(container, neighbourIp, 80),
      tcp(neighbour, publicIp, 443),
      tcp(outside, publicIp, 443),
      tcp(host, otherIp, 8080),
    ];
    expect(await Promise.all(others)).toEqual(["neighbour", "container", "container", "outside"]);
  }, 60_000);

  it("is open as the policy says, by destination, protocol and port", async () => {
    apply(
      open(
        { port: 8080, destinations: [outsideIp, outsideIp6] },
        { port: 53, protocol: "udp", destinations: ["198.51.100.0/24", "192.0.2.0/24"] },
      ),
    );
    expect(await reached()).toEqual([`tcp ${outsideIp} 8080`, `udp ${otherIp} 53`, `tcp ${outsideIp6} 8080`]);
    apply(open({ protocol: "tcp", destinations: [otherIp6, outsideIp] }));
    const both = (to: string): string[] => [`tcp ${to} 8080`, `tcp ${to} 9090`];
    expect(await reached()).toEqual([...both(outsideIp), ...both(otherIp6)]);
    apply(open({ destinations: [otherIp, "192.0.2.0/24"] }));
    expect(await reached()).toEqual([...both(otherIp), `udp ${otherIp} 53`]);
  }, 60_000);

  it("does not open the metadata service, which `metadataAccess` opens by itself", async () => {
    apply(open({}));
    expect(await Promise.all([tcp(container, metadataIp, 80), tcp(container, otherIp, 9090)])).toEqual([
      "nothing",
      "outside",
    ]);
    apply({ metadataAccess: true });
    expect(await tcp(container, metadataIp, 80)).toBe("outside");
    apply({ metadataAccess: true, ...open() });
    expect(await Promise.all([tcp(container, metadataIp, 80), tcp(container, otherIp, 9090)])).toEqual([
      "outside",
      "nothing",
    ]);
  }, 60_000);

  it("stays closed with DOCKER-USER emptied, and without the belt", async () => {
    const tools = ["iptables-nft", "ip6tables-nft"];
    apply(open({ port: 9090, destinations: [otherIp] }));
    for (const tool of tools) host.run(tool, "-F", "DOCKER-USER");
    expect(await reached()).toEqual([`tcp ${otherIp} 9090`]);
    for (const tool of tools) {
      host.run(tool, "-I", "DOCKER-USER", "-j", "HC-FWD");
      host.run(tool, "-t", "mangle", "-D", "FORWARD", "-j", "HC-BELT");
    }
    expect(await reached()).toEqual([`tcp ${otherIp} 9090`]);
    // The control: without both it is open.
    for (const tool of tools) host.run(tool, "-F", "DOCKER-USER");
    expect(await reached()).toHaveLength(10);
  }, 60_000);

  it("logs what it drops, no more than so many lines", async () => {
    apply({ ...open(), logDrops: { enabled: true, perMinute: 6 } });
    const began = Date.now();
    const logged = (): number => {
      const lines = host.run("iptables-nft", "-t", "mangle", "-L", "HC-EGBELT", "-v", "-x", "-n").split("\n");
      return Number(
        lines
          .find((line) => line.includes(" LOG "))
          ?.trim()
          .split(/\s+/)[0],
      );
    };
    expect(logged()).toBe(0);
    await Promise.all(Array.from({ length: 40 }, () => udp(container, otherIp, 53)));
    expect(logged()).toBeGreaterThan(0);
    expect(logged()).toBeLessThanOrEqual(5 + Math.ceil((Date.now() - began) / 10_000));
  }, 60_000);

  it("ends the flows of containers that the policy no longer opens, and no others", async () => {
    apply({});
    const held = async (from: Namespace, ...flows: string[]): Promise<readonly number[]> =>
      Promise.all(flows.map(async (flow) => Number(await from.ask("held", { flow }))));
    await Promise.all([
      container.ask("hold", { flow: "refused", host: outsideIp, port: 8080 }),
      container.ask("hold", { flow: "talking", host: outsideIp, port: 8080, talk: true }),
      container.ask("hold", { flow: "kept", host: otherIp, port: 8080, talk: true }),
      outside.ask("hold", { flow: "inbound", host: publicIp, port: 443 }),
    ]);
    apply(open({ destinations: [otherIp] }));
    await pause();
    const [refused = 0, talking = 0, kept = 0] = await held(container, "refused", "talking", "kept");
    const [inbound = 0] = await held(outside, "inbound");
    await pause();
    const after = await held(container, "refused", "talking", "kept");
    // What went on sending was told at once.
    expect([after[0], after[1], talking]).toEqual([refused, -1, -1]);
    expect(after[2]).toBeGreaterThan(kept);
    expect((await held(outside, "inbound"))[0]).toBeGreaterThan(inbound);
  }, 60_000);
});
