// A way out against real packets: a host whose Docker drops what it does not know, an outside machine without a way to the private
// network, and a server that is on that network alone. Judged by the payload that comes back.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hook, liveTestsBlockedBy, load, Namespace } from "../testing/namespace";
import { compileRuleset } from "./compile";
import type { NodeFacts } from "./node";
import { renderPayload } from "./payload";
import { normalizePolicy } from "./policy";

const blocked = liveTestsBlockedBy("ip6tables-nft-restore");
const shut: NodeFacts = { name: "n", pool: "n", role: "manager" };
const egress = { network: "10.0.0.0/24", publicInterface: "eth0" };
const [publicIp, gatewayIp, hiddenIp] = ["203.0.113.10", "10.0.0.2", "10.0.0.9"] as const;
const [outsideIp, otherIp, metadataIp] = ["203.0.113.1", "198.51.100.9", "169.254.169.254"] as const;
const patience = 700;

describe.skipIf(blocked !== undefined)(`a way out${blocked === undefined ? "" : ` (skipped: ${blocked})`}`, () => {
  let host: Namespace;
  let outside: Namespace;
  let hidden: Namespace;

  const become = (facts: NodeFacts, metadataAccess = false): void => {
    const bundle = renderPayload(compileRuleset(normalizePolicy({ metadataAccess }), facts));
    for (const table of ["nat", "raw", "mangle", "filter"])
      for (const family of ["iptables-nft", "ip6tables-nft"]) host.run(family, "-t", table, "-F");
    load(host, bundle, [gatewayIp]);
    hook(host, bundle);
  };

  beforeAll(async () => {
    [host, outside, hidden] = [new Namespace(), new Namespace(), new Namespace()];
    host.ip(`link add eth0 type veth peer name eth0 netns ${outside.name}
      link add ens10 type veth peer name ens10 netns ${hidden.name}
      addr add ${publicIp}/24 dev eth0\naddr add ${gatewayIp}/24 dev ens10
      link set eth0 up\nlink set ens10 up\nroute add default via ${outsideIp}`);
    outside.ip(`addr add ${outsideIp}/24 dev eth0\naddr add ${otherIp}/32 dev lo\naddr add ${metadataIp}/32 dev lo
      link set eth0 up`);
    hidden.ip(`addr add ${hiddenIp}/24 dev ens10\nlink set ens10 up\nroute add default via ${gatewayIp}`);
    host.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0");
    // As Docker leaves it.
    host.run("iptables-nft", "-P", "FORWARD", "DROP");
    await Promise.all([
      ...[22, 80].map((port) => outside.ask("listenTcp", { port, host: "0.0.0.0", name: "outside" })),
      outside.ask("listenUdp", { port: 53, family: 4, name: "outside" }),
      hidden.ask("listenTcp", { port: 80, host: "0.0.0.0", name: "hidden" }),
    ]);
  }, 60_000);
  afterAll(() => {
    for (const namespace of [host, outside, hidden]) namespace?.remove();
  });

  const tcp = (from: Namespace, address: string, port: number): Promise<string> =>
    from.ask("dialTcp", { host: address, port, timeout: patience });
  const udp = (from: Namespace, address: string, port: number): Promise<string> =>
    from.ask("dialUdp", { host: address, port, family: 4, timeout: patience });

  it("leads out by TCP and UDP, with the host's address, where a host that is none leads nowhere", async () => {
    become({ ...shut, egress });
    expect(
      await Promise.all([tcp(hidden, otherIp, 80), tcp(hidden, outsideIp, 22), udp(hidden, outsideIp, 53)]),
    ).toEqual(["outside", "outside", "outside"]);
    become(shut);
    expect(await Promise.all([tcp(hidden, otherIp, 80), udp(hidden, outsideIp, 53)])).toEqual(["nothing", "nothing"]);
  }, 30_000);

  it("leads nobody in, also who knows the way", async () => {
    become({ ...shut, egress });
    outside.ip(`route add ${egress.network} via ${publicIp}`);
    expect(await tcp(host, hiddenIp, 80)).toBe("hidden");
    expect(await tcp(outside, hiddenIp, 80)).toBe("nothing");
    outside.ip(`route del ${egress.network} via ${publicIp}`);
  }, 30_000);

  it("leads nobody to the metadata service, whose user-data would be the host's", async () => {
    for (const metadataAccess of [false, true]) {
      become({ ...shut, egress }, metadataAccess);
      expect(await tcp(host, metadataIp, 80)).toBe("outside");
      expect(await tcp(hidden, metadataIp, 80)).toBe("nothing");
    }
  }, 30_000);

  it("leads nowhere by another interface than the one that is named", async () => {
    become({ ...shut, egress: { ...egress, publicInterface: "enp1s0" } });
    expect(await tcp(hidden, otherIp, 80)).toBe("nothing");
    become({ ...shut, egress });
    expect(await tcp(hidden, otherIp, 80)).toBe("outside");
  }, 30_000);
});
