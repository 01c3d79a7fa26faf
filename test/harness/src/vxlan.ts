import type { Cluster, ClusterNode } from "./cluster.js";

/** What became of VXLAN packets sent from outside to a node. */
export interface VxlanProbe {
  readonly node: ClusterNode;
  readonly family: "4" | "6";
  readonly sent: number;
  /** Packets that the drop rule for the data path counted meanwhile. */
  readonly dropped: number;
}

/**
 * Sum of the packet counters of the drops of data-path traffic to the host, from `iptables-save -c`'s `[packets:bytes]`: the belt's
 * in mangle, which sees a packet first, and the filter's. A packet is counted once, by the rule that ended it.
 */
export function droppedOnDataPath(saved: string): number {
  const counts = [...saved.matchAll(/^\[(\d+):\d+\] -A HC-(?:BELT)?IN .*-p udp .*--dport 4789 .*-j DROP$/gm)];
  if (counts.length < 2) throw new Error("HC-BELTIN or HC-IN has no drop rule for 4789/udp to count on");
  return counts.reduce((sum, [, packets]) => sum + Number(packets), 0);
}

/**
 * Nothing ever answers on the VXLAN port, open or not, so silence proves nothing. The node's own counter does: each packet
 * sent from outside must be counted by the rule that drops it. The cloud's firewall must be out of the way: it lets none through.
 */
export async function probeVxlan(cluster: Cluster, node: ClusterNode, family: "4" | "6"): Promise<VxlanProbe> {
  const sent = 5;
  const save = family === "4" ? "iptables-save" : "ip6tables-save";
  const count = async () => droppedOnDataPath(await cluster.ssh(node, `${save} -c`));
  const before = await count();
  const address = family === "4" ? node.publicIpv4 : node.publicIpv6;
  // A VXLAN header (flags with a valid VNI, VNI 4096) and an empty Ethernet frame behind it.
  const script = `
    const socket = require("node:dgram").createSocket(process.argv[2] === "4" ? "udp4" : "udp6");
    const packet = Buffer.concat([Buffer.from([8, 0, 0, 0, 0, 16, 0, 0]), Buffer.alloc(60)]);
    let left = Number(process.argv[3]);
    const next = () => (left-- > 0 ? socket.send(packet, 4789, process.argv[1], () => setTimeout(next, 50)) : socket.close());
    next();`;
  await cluster.region.exec(process.execPath, ["-e", script, address, family, String(sent)]);
  return { node, family, sent, dropped: (await count()) - before };
}
