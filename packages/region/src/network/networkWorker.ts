/**
 * Program: DHCP and the metadata service of one Network, run inside its namespace by the daemon with the server's address,
 * the Network's id and the daemon's socket for metadata as arguments. Each line on standard input is the whole table of
 * leases as JSON, `{ leases: { MAC: lease } }`; it ends when its input ends, so it never outlives the daemon. Prints one
 * line when it listens.
 */
import { createInterface } from "node:readline";
import { z } from "zod";
import type { Lease } from "./dhcpPacket.js";
import { serveDhcp } from "./dhcpServer.js";
import { serveMetadata } from "./metadataProxy.js";

const route = z.object({ destination: z.string(), gateway: z.string() });
const lease = z.object({
  address: z.string(),
  routes: z.array(route),
  mtu: z.number().optional(),
  seconds: z.number(),
});
const table = z.object({ leases: z.record(z.string(), lease) });

let leases: Readonly<Record<string, Lease>> = {};
const input = createInterface({ input: process.stdin });
input.on("line", (line) => {
  leases = table.parse(JSON.parse(line)).leases as Readonly<Record<string, Lease>>;
});
input.on("close", () => process.exit(0));
const [serverId = "", networkId = "", metadataSocket = ""] = process.argv.slice(2);
await serveDhcp(serverId, (mac) => leases[mac]);
await serveMetadata(networkId, metadataSocket);
process.stdout.write("listening\n");
