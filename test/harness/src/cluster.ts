import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { z } from "zod";
import { patientOptions } from "./host.js";
import type { Region } from "./region.js";
import type { Stack } from "./stack.js";

const nodeSchema = z.looseObject({
  name: z.string(),
  role: z.enum(["manager", "worker"]),
  publicIpv4: z.string(),
  publicIpv6: z.string(),
  privateIp: z.string(),
  serverId: z.string(),
});

const reportSchema = z.looseObject({
  passed: z.boolean(),
  digest: z.string(),
  checks: z.array(z.looseObject({ name: z.string(), passed: z.boolean(), expected: z.string(), found: z.string() })),
});

const outputsSchema = z.looseObject({
  nodes: z.record(z.string(), nodeSchema),
  swarmId: z.string().min(1),
  reports: z.record(z.string(), reportSchema),
  sshConfig: z.string(),
});

export type ClusterNode = z.infer<typeof nodeSchema>;
export type ClusterOutputs = z.infer<typeof outputsSchema>;

/** A cluster that is up, as examples/cluster exports it, and a way to run commands on its nodes. */
export interface Cluster {
  readonly region: Region;
  readonly outputs: ClusterOutputs;
  /** Nodes by name, managers first. */
  readonly nodes: readonly ClusterNode[];
  readonly manager: ClusterNode;
  /** Runs a shell command on a node over SSH, host key verified; rejects when it fails. */
  ssh(node: ClusterNode, command: string, input?: string): Promise<string>;
  /** Reads what `verify --json` printed. */
  parseReport(text: string): z.infer<typeof reportSchema>;
  /** Puts a file on a node. */
  send(node: ClusterNode, file: string, target: string): Promise<void>;
}

/** A fresh SSH key pair in `directory`, or the one that is there. */
export async function sshKey(directory: string): Promise<string> {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, "id_ed25519");
  await execa("sh", ["-c", '[ -e "$1" ] || ssh-keygen -q -t ed25519 -N "" -C region -f "$1"', "sh", file]);
  return file;
}

/** Reads the stack's outputs. `keyFile` is the private key that the stack was given. */
export async function openCluster(region: Region, stack: Stack, keyFile: string): Promise<Cluster> {
  const outputs = outputsSchema.parse(await stack.outputs());
  const nodes = Object.values(outputs.nodes).sort(
    (a, b) => a.role.localeCompare(b.role) || a.name.localeCompare(b.name),
  );
  const manager = nodes.find((node) => node.role === "manager");
  if (!manager) throw new Error("the cluster has no manager");
  const config = join(stack.stateDir, "ssh_config");
  // A key on the command line is not shown to a host between.
  const between = outputs.sshConfig.includes("ProxyJump") ? `IdentityFile ${keyFile}\nBatchMode yes\n\n` : "";
  writeFileSync(config, `${between}${outputs.sshConfig}`, { mode: 0o600 });
  const options = ["-F", config, "-i", keyFile, "-o", "BatchMode=yes", ...patientOptions];
  return {
    region,
    outputs,
    nodes,
    manager,
    async ssh(node, command, input = "") {
      const run = await region.exec("ssh", [...options, node.name, command], { input });
      return String(run.stdout);
    },
    parseReport: (text) => reportSchema.parse(JSON.parse(text)),
    async send(node, file, target) {
      await region.exec("scp", ["-q", ...options, file, `${node.name}:${target}`], {});
    },
  };
}
