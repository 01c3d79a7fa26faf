// The rules against real packets: a host with Docker's address translation laid by hand, an outside machine, a machine on the
// private network, and a container, each a network namespace. Judged by the payload that comes back.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hook, liveTestsBlockedBy, load, Namespace } from "../testing/namespace";
import { compileRuleset } from "./compile";
import { renderPayload } from "./payload";
import { normalizePolicy, type PolicyInput } from "./policy";

const blocked = liveTestsBlockedBy("ip6tables-nft-restore", "conntrack", "nft");
const node = { name: "n", pool: "n", role: "manager" } as const;
const policy: PolicyInput = { publishedPorts: [{ port: 80 }, { port: 443 }, { port: 5000, protocol: "udp" }] };
const [publicIp, privateIp, containerIp, bridgeIp] = ["203.0.113.10", "10.0.0.2", "172.17.0.2", "172.17.0.1"] as const;
const [outsideIp, peerIp, strangerIp, metadataIp] = ["203.0.113.1", "10.0.0.3", "10.0.0.9", "169.254.169.254"] as const;
const [publicIp6, outsideIp6] = ["2001:db8:1::1", "2001:db8:1::100"] as const;
const patience = 700;

function bundleOf(input: PolicyInput): string {
  return renderPayload(compileRuleset(normalizePolicy(input), node));
}

describe.skipIf(blocked !== undefined)(`packets${blocked === undefined ? "" : ` (skipped: ${blocked})`}`, () => {
  let host: Namespace;
  let outside: Namespace;
  let privateSide: Namespace;
  let container: Namespace;

  beforeAll(async () => {
    [host, outside, privateSide, container] = [new Namespace(), new Namespace(), new Namespace(), new Namespace()];
    host.ip(`link add eth0 type veth peer name eth0 netns ${outside.name}
      link add ens10 type veth peer name ens10 netns ${privateSide.name}
      link add docker0 type bridge
      link add veth1 type veth peer name eth0 netns ${container.name}
      link set veth1 master docker0
      addr add ${publicIp}/24 dev eth0
      addr add ${publicIp6}/64 dev eth0 nodad
      addr add ${privateIp}/24 dev ens10
      addr add ${bridgeIp}/16 dev docker0
      link set eth0 up\nlink set ens10 up\nlink set docker0 up\nlink set veth1 up
      route add ${metadataIp}/32 via ${outsideIp}`);
    // The outside machine is everything that a bad neighbour is: it routes to containers, and wears a peer's address.
    outside.ip(`addr add ${outsideIp}/24 dev eth0\naddr add ${outsideIp6}/64 dev eth0 nodad
      addr add ${peerIp}/32 dev lo\naddr add ${metadataIp}/32 dev lo\nlink set eth0 up
      route add 172.17.0.0/16 via ${publicIp}`);
    privateSide.ip(`addr add ${peerIp}/24 dev ens10\naddr add ${strangerIp}/24 dev ens10\nlink set ens10 up`);
    container.ip(`addr add ${containerIp}/16 dev eth0\nlink set eth0 up\nroute add default via ${bridgeIp}`);
    host.run(
      "sysctl",
      "-qw",
      "net.ipv4.ip_forward=1",
      "net.ipv4.conf.all.rp_filter=0",
      "net.ipv4.conf.eth0.rp_filter=0",
    );
    host.feed(
      `*nat
-A PREROUTING -p tcp -m tcp --dport 443 ! -i docker0 -m addrtype --dst-type LOCAL -j DNAT --to-destination ${containerIp}:8081
-A PREROUTING -p tcp -m tcp --dport 8080 ! -i docker0 -m addrtype --dst-type LOCAL -j DNAT --to-destination ${containerIp}:80
-A PREROUTING -p udp -m udp --dport 5000 ! -i docker0 -m addrtype --dst-type LOCAL -j DNAT --to-destination ${containerIp}:53
-A PREROUTING -p udp -m udp --dport 9000 ! -i docker0 -m addrtype --dst-type LOCAL -j DNAT --to-destination ${containerIp}:53
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
`,
      "iptables-nft-restore",
      "--noflush",
    );
    await Promise.all([
      ...[80, 443].map((port) => container.ask("listenTcp", { port, host: "0.0.0.0", name: "container" })),
      container.ask("listenTcp", { port: 8081, host: "0.0.0.0", name: "container", push: true }),
      container.ask("listenUdp", { port: 53, family: 4, name: "container" }),
      ...[22, 443, 2377, 8080].map((port) => host.ask("listenTcp", { port, host: "0.0.0.0", name: "host" })),
      ...[22, 443, 8080].map((port) => host.ask("listenTcp", { port, host: "::", name: "host" })),
      ...[4789, 7946].map((port) => host.ask("listenUdp", { port, family: 4, name: "host" })),
      ...[80, 8080].map((port) => outside.ask("listenTcp", { port, host: "0.0.0.0", name: "outside" })),
      outside.ask("listenUdp", { port: 53, family: 4, name: "outside" }),
      ...[4789, 4790].map((port) => privateSide.ask("listenUdp", { port, family: 4, name: "peer" })),
      privateSide.ask("listenTcp", { port: 2377, host: "0.0.0.0", name: "peer" }),
      privateSide.ask("listenTcp", { port: 80, host: "0.0.0.0", name: "peer" }),
    ]);
    const bundle = bundleOf(policy);
    load(host, bundle, [privateIp, peerIp]);
    hook(host, bundle);
  }, 60_000);

  afterAll(() => {
    for (const namespace of [host, outside, privateSide, container]) namespace?.remove();
  });

  const tcp = (from: Namespace, host: string, port: number, source?: string): Promise<string> =>
    from.ask("dialTcp", { host, port, from: source, timeout: patience });
  const udp = (from: Namespace, host: string, port: number, source?: string): Promise<string> =>
    from.ask("dialUdp", { host, port, from: source, family: host.includes(":") ? 6 : 4, timeout: patience });

  it("opens by the port that was dialed, not by the container's", async () => {
    expect(await Promise.all([tcp(outside, publicIp, 443), tcp(outside, publicIp, 8080)])).toEqual([
      "container",
      "nothing",
    ]);
    expect(await Promise.all([udp(outside, publicIp, 5000), udp(outside, publicIp, 9000)])).toEqual([
      "container",
      "nothing",
    ]);
  });

  it("refuses a container's own address, also at a port that is published", async () => {
    expect(await Promise.all([80, 443].map((port) => tcp(outside, containerIp, port)))).toEqual(["nothing", "nothing"]);
    expect(await tcp(host, containerIp, 80)).toBe("container");
  });

  it("lets containers out, also to port numbers that are closed to the host", async () => {
    expect(await Promise.all([tcp(container, outsideIp, 8080), udp(container, outsideIp, 53)])).toEqual([
      "outside",
      "outside",
    ]);
  });

  it("keeps containers from SSH and host daemons, and lets them dial what their node publishes", async () => {
    const dialed = await Promise.all([22, 8080, 2377, 443].map((port) => tcp(container, bridgeIp, port)));
    expect(dialed).toEqual(["nothing", "nothing", "nothing", "host"]);
    expect(await tcp(outside, publicIp, 22)).toBe("host");
  });

  it("keeps containers, not the host, from the metadata service", async () => {
    expect(await Promise.all([tcp(container, metadataIp, 80), tcp(host, metadataIp, 80)])).toEqual([
      "nothing",
      "outside",
    ]);
  });

  it("opens the host to docker-proxy's ports over IPv6, with neighbour discovery alive", async () => {
    for (const side of [host, outside]) side.run("ip", "-6", "neighbour", "flush", "all");
    const dialed = await Promise.all([443, 22, 8080].map((port) => tcp(outside, publicIp6, port)));
    expect(dialed).toEqual(["host", "host", "nothing"]);
  });

  it("opens the swarm's ports to peers and nobody else", async () => {
    const toManager = [
      tcp(privateSide, privateIp, 2377, peerIp),
      tcp(privateSide, privateIp, 2377, strangerIp),
      tcp(outside, publicIp, 2377),
    ];
    expect(await Promise.all(toManager)).toEqual(["host", "nothing", "nothing"]);
    for (const port of [4789, 7946]) {
      const dialed = [
        udp(privateSide, privateIp, port, peerIp),
        udp(privateSide, privateIp, port, strangerIp),
        udp(outside, publicIp, port),
      ];
      expect(await Promise.all(dialed)).toEqual(["host", "nothing", "nothing"]);
    }
  });

  it("drops a peer's address on an interface that does not lead to the peer", async () => {
    const received = (): number =>
      Number(/packets (\d+)/.exec(host.run("nft", "list", "counter", "ip", "watch", "vxlan"))?.[1]);
    const counter = "counter vxlan { }";
    const chain = "chain c { type filter hook input priority 500; udp dport 4789 counter name vxlan; }";
    host.feed(`table ip watch {\n${counter}\n${chain}\n}\n`, "nft", "-f", "-");
    await udp(outside, publicIp, 4789, peerIp);
    expect(received()).toBe(0);
    host.run("iptables-nft", "-t", "raw", "-D", "PREROUTING", "-j", "HC-RAW");
    await udp(outside, publicIp, 4789, peerIp);
    host.run("iptables-nft", "-t", "raw", "-I", "PREROUTING", "-j", "HC-RAW");
    expect(received()).toBe(1);
  });

  it("keeps containers from speaking to peers with their node's address", async () => {
    const dialed = [
      udp(container, peerIp, 4789),
      tcp(container, peerIp, 2377),
      udp(container, peerIp, 4790),
      tcp(container, peerIp, 80),
    ];
    expect(await Promise.all(dialed)).toEqual(["nothing", "nothing", "peer", "peer"]);
  });

  it("stays closed with DOCKER-USER emptied", async () => {
    for (const family of ["iptables-nft", "ip6tables-nft"]) host.run(family, "-F", "DOCKER-USER");
    const dialed = await Promise.all([
      tcp(outside, publicIp, 8080),
      tcp(outside, publicIp, 443),
      tcp(container, metadataIp, 80),
    ]);
    for (const family of ["iptables-nft", "ip6tables-nft"]) host.run(family, "-I", "DOCKER-USER", "-j", "HC-FWD");
    expect(dialed).toEqual(["nothing", "container", "nothing"]);
  });

  it("stays closed on the host with INPUT emptied", async () => {
    const both = (...args: string[]) => ["iptables-nft", "ip6tables-nft"].map((family) => host.run(family, ...args));
    const dial = () =>
      Promise.all([
        tcp(outside, publicIp, 2377),
        udp(outside, publicIp, 4789),
        tcp(outside, publicIp6, 8080),
        tcp(container, bridgeIp, 22),
        tcp(outside, publicIp, 22),
        tcp(outside, publicIp6, 443),
        udp(privateSide, privateIp, 4789, peerIp),
      ]);
    const asItMustBe = ["nothing", "nothing", "nothing", "nothing", "host", "host", "host"];
    both("-F", "INPUT");
    expect(await dial()).toEqual(asItMustBe);
    // The control: without the belt as well, everything answers.
    both("-t", "mangle", "-F", "INPUT");
    expect((await dial()).filter((answer) => answer === "nothing")).toEqual([]);
    both("-t", "mangle", "-I", "INPUT", "-j", "HC-BELTIN");
    both("-I", "INPUT", "-j", "HC-IN");
    expect(await dial()).toEqual(asItMustBe);
  });

  it("ends a connection whose port was closed, though the container goes on sending", async () => {
    // Docker keeps the port number where it can, so a container that goes on sending would open its closed port again.
    host.run(
      "iptables-nft",
      "-t",
      "nat",
      "-I",
      "PREROUTING",
      "-p",
      "tcp",
      "--dport",
      "8081",
      "-j",
      "DNAT",
      "--to-destination",
      `${containerIp}:8081`,
    );
    const open = bundleOf({ publishedPorts: [{ port: 8081 }] });
    const held = async (flow: string): Promise<number> => Number(await outside.ask("held", { flow }));
    const dropFlows = (): string => host.run("sh", "-c", "conntrack -D -p tcp --orig-port-dst 8081 2>&1 || true");
    const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 700));

    load(host, open);
    await outside.ask("hold", { flow: "ours", host: publicIp, port: 8081 });
    await pause();
    expect(await held("ours")).toBeGreaterThan(2);
    load(host, bundleOf({ publishedPorts: [] }));
    dropFlows();
    await pause();
    const after = await held("ours");
    await pause();
    expect(await held("ours")).toBe(after);

    // The control: without that rule of HC-FWD such a flow lives on.
    load(host, open);
    await outside.ask("hold", { flow: "control", host: publicIp, port: 8081 });
    const closed = bundleOf({ publishedPorts: [] });
    load(host, closed.replace(/^-A HC-FWD .*tcp-reset$/gm, "-A HC-FWD -p tcp -m tcp --dport 1 -j DROP"));
    dropFlows();
    await pause();
    const before = await held("control");
    await pause();
    expect(await held("control")).toBeGreaterThan(before);
    load(host, bundleOf(policy));
  });
});
