import { describe, expect, it } from "vitest";
import { diffExposure, type ExposureRow, exposureOf } from "./exposure";
import { normalizePolicy, type PolicyInput } from "./policy";

const web = { name: "web-1", pool: "web" };
const db = { name: "db-1", pool: "db" };

function rowsOf(input: PolicyInput): readonly ExposureRow[] {
  return exposureOf(normalizePolicy(input), [web, db]);
}

function text({ node, family, protocol, port, source }: ExposureRow): string {
  return `${node} ${family} ${protocol} ${port} ${source}`;
}

describe("exposure", () => {
  it("lists node, family, protocol, port and source", () => {
    const rows = rowsOf({
      publishedPorts: [
        { port: 443 },
        { port: 8000, endPort: 8100, protocol: "udp", sources: ["10.0.0.0/8"], pools: ["web"] },
      ],
      hostServices: [{ port: 9100, sources: ["2001:db8::1"], nodes: ["db-1"] }],
      ssh: { sources: ["192.0.2.1"] },
      icmp: { echo: false },
    });
    expect(rows.map(text)).toEqual([
      "web-1 ipv4 tcp 22 192.0.2.1/32",
      "web-1 ipv4 tcp 443 0.0.0.0/0",
      "web-1 ipv6 tcp 443 ::/0",
      "web-1 ipv4 udp 8000-8100 10.0.0.0/8",
      "db-1 ipv4 tcp 22 192.0.2.1/32",
      "db-1 ipv4 tcp 443 0.0.0.0/0",
      "db-1 ipv6 tcp 443 ::/0",
      "db-1 ipv6 tcp 9100 2001:db8::1/128",
    ]);
  });

  it("of a node that is reached over a bastion is SSH from its network, too", () => {
    const policy = normalizePolicy({ publishedPorts: [], ssh: { sources: ["192.0.2.1"] }, icmp: { echo: false } });
    expect(exposureOf(policy, [{ ...db, sshNetwork: "10.0.0.0/24" }]).map(text)).toEqual([
      "db-1 ipv4 tcp 22 10.0.0.0/24",
      "db-1 ipv4 tcp 22 192.0.2.1/32",
    ]);
  });

  it("tells what a change opens and closes", () => {
    const { opened, closed } = diffExposure(
      rowsOf({}),
      rowsOf({ publishedPorts: [{ port: 80 }, { port: 443, pools: ["web"], sources: ["::/0"] }] }),
    );
    expect(opened).toEqual([]);
    expect(closed.map(text)).toEqual([
      "web-1 ipv4 tcp 443 0.0.0.0/0",
      "db-1 ipv4 tcp 443 0.0.0.0/0",
      "db-1 ipv6 tcp 443 ::/0",
    ]);
    expect(
      diffExposure(
        rowsOf({}),
        rowsOf({ publishedPorts: [{ port: 80 }, { port: 443 }, { port: 8443, nodes: ["db-1"] }] }),
      ).opened.map(text),
    ).toEqual(["db-1 ipv4 tcp 8443 0.0.0.0/0", "db-1 ipv6 tcp 8443 ::/0"]);
  });
});
