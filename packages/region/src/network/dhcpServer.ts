/**
 * A DHCP server over fixed leases by MAC address. Answers go to the client's future address as unicast: the router has a
 * permanent neighbour entry for each of them, so no answer is ever broadcast and none reaches another server.
 */
import { createSocket } from "node:dgram";
import { answer, type Lease, MESSAGE, parseRequest } from "./dhcpPacket.js";

export interface DhcpServer {
  close(): void;
}

/** Listens on port 67 of the namespace that this process is in. Resolves when it listens. */
export async function serveDhcp(serverId: string, leaseOf: (mac: string) => Lease | undefined): Promise<DhcpServer> {
  const socket = createSocket({ type: "udp4", reuseAddr: true });
  socket.on("message", (packet) => {
    const request = parseRequest(packet);
    if (!request) return;
    const lease = leaseOf(request.mac);
    const reply = answer(request, lease, serverId);
    if (!reply || !lease) return;
    const target = request.type === MESSAGE.inform ? request.clientAddress : lease.address;
    socket.send(reply, 68, target, () => {
      // A server that went away between request and answer: it asks again when it is back.
    });
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(67, "0.0.0.0", resolve);
  });
  return { close: () => socket.close() };
}
