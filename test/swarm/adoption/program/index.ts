/**
 * A program as the adoption suite's stories have it. `plain` are servers without any component, as programs had them before;
 * `nodes` are those that a SwarmCluster adopts. Without the one or the other, there is none.
 */
import { readFileSync } from "node:fs";
import * as hcloud from "@pulumi/hcloud";
import * as pulumi from "@pulumi/pulumi";
import { type NodeArgs, SwarmCluster } from "hcloud-swarm";

interface PlainServers {
  readonly names: readonly string[];
  readonly sshKeyId: string;
  readonly networkId: number;
  readonly userData: string;
}
interface AdoptedNode {
  readonly role: "manager" | "worker";
  readonly adopt: NonNullable<NodeArgs["adopt"]>;
  /** Adopts the plain server of that name by its id. */
  readonly idOf?: string;
}

const config = new pulumi.Config();
const plain = config.getObject<PlainServers>("plain");
const nodes = config.getObject<Record<string, AdoptedNode>>("nodes");
const networkId = config.get("networkId");

const servers = new Map(
  (plain?.names ?? []).map((name) => [
    name,
    new hcloud.Server(name, {
      name,
      serverType: "cx23",
      image: "debian-13",
      location: "fsn1",
      sshKeys: [plain?.sshKeyId ?? ""],
      networks: [{ networkId: plain?.networkId ?? 0, aliasIps: [] }],
      userData: plain?.userData ?? "",
      labels: { made: "before" },
    }),
  ]),
);

function pool(role: AdoptedNode["role"]) {
  const own = Object.entries(nodes ?? {}).filter(([, node]) => node.role === role);
  if (own.length === 0) return {};
  const adopted = own.map(([name, { adopt, idOf }]): [string, NodeArgs] => {
    const id = servers.get(idOf ?? "")?.id;
    return [name, { adopt: { ...adopt, ...(id === undefined ? {} : { id }) } }];
  });
  return { [role]: { role, nodes: Object.fromEntries(adopted) } };
}

const cluster =
  nodes === undefined
    ? undefined
    : new SwarmCluster("prod", {
        ssh: { privateKey: pulumi.secret(readFileSync(config.require("privateKeyFile"), "utf8")) },
        pools: { ...pool("manager"), ...pool("worker") },
        ...(networkId === undefined ? {} : { network: { existing: { id: networkId } } }),
        policy: { publishedPorts: [{ port: 80 }] },
      });

export const addresses = Object.fromEntries([...servers].map(([name, server]) => [name, server.ipv4Address]));
export const swarmId = cluster?.swarmId;
export const reports = cluster?.reports;
export const exposure = cluster?.exposure;
