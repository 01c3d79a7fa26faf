import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import * as pulumi from "@pulumi/pulumi";
import { HostHardening, type NodeRole, SwarmCluster } from "hcloud-swarm";

const config = new pulumi.Config();
const keyFile = config.get("privateKeyFile") ?? `${homedir()}/.ssh/id_ed25519`;
// The key itself, encrypted in the stack's settings, where no file is: another machine, a CI job.
const privateKey = config.getSecret("privateKey") ?? pulumi.secret(readFileSync(keyFile, "utf8"));
const policy = { publishedPorts: [{ port: 80 }, { port: 443 }] };

// One host, made anywhere: by hand, by Terraform, or by another part of this program, as in `host: server.ipv4Address`.
const host = config.get("host");
const hardening =
  host === undefined
    ? undefined
    : new HostHardening("existing", { connection: { host, privateKey, hostKey: config.require("hostKey") }, policy });

// A swarm that runs already. Its servers are looked up by id; nothing about them changes but their firewall.
interface ExistingNode {
  readonly role: NodeRole;
  readonly id: string;
  readonly hostKey: string;
  /** Its host name. */
  readonly hostName: string;
  /** What it advertises, where that is not its address in `networkId`. */
  readonly address?: string;
}
const nodes = Object.entries(config.getObject<Record<string, ExistingNode>>("nodes") ?? {});
const networkId = config.get("networkId");

function pool(role: NodeRole) {
  const own = nodes.filter(([, node]) => node.role === role);
  const adopted = own.map(([name, { role: _, ...adopt }]) => [name, { adopt }]);
  return own.length === 0 ? {} : { [role]: { role, nodes: Object.fromEntries(adopted) } };
}
const swarm =
  nodes.length === 0
    ? undefined
    : new SwarmCluster("existing-swarm", {
        ssh: { privateKey },
        pools: { ...pool("manager"), ...pool("worker") },
        ...(networkId === undefined ? {} : { network: { existing: { id: networkId } } }),
        policy,
      });

export const report = hardening?.report;
export const exposure = hardening?.exposure ?? swarm?.exposure;
export const swarmId = swarm?.swarmId;
export const reports = swarm?.reports;
