/** The run-time check of the public arguments (`components.ts`), with their defaults. */
import * as z from "zod";
import { type Policy, policySchema, unknownScopeNames } from "../firewall";
import { flag, strict, whole } from "../firewall/fields";
import { balancerIssues } from "../plan/loadBalancer";
import { privateProblems } from "../plan/privateNodes";
import {
  type HardenedServerArgs,
  type HostHardeningArgs,
  MaintenanceUpgrade,
  type SwarmClusterArgs,
} from "./components";
import { NodeRole, VerifyMode } from "./host";
import {
  address,
  docker,
  existing,
  hostKeySchema,
  hostName,
  image,
  labels,
  location,
  ownHostKey,
  plainName,
  privateKeySchema,
  serverDefaults,
  serverType,
  ssh,
  swarmAddress,
  timeouts,
  user,
} from "./hostSchema";
import { addIssues, inputOf, oneOf, text } from "./invalidArgument";
import { loadBalancerSchema } from "./loadBalancerSchema";
import { cloudFirewall, network, placementGroups } from "./networkSchema";
import { nodeNames, pools } from "./poolsSchema";
import { bastion as bastionArgs } from "./privateNodesSchema";
import type { Same } from "./types";

const maintenance = strict({
  number: whole(0, 9999, "a number of maintenances").default(0),
  upgrade: oneOf(MaintenanceUpgrade).default(MaintenanceUpgrade.None),
  reboot: flag.default(true),
  dockerVersion: text(/^\d{1,4}(\.\d{1,4}){0,2}$/, "the first parts of a version, such as 28.5").optional(),
  timeout: whole(60, 7200, "seconds").default(1800),
}).superRefine(({ number, upgrade, reboot }, context) => {
  if (number > 0 && upgrade === "none" && !reboot)
    context.addIssue({
      code: "custom",
      path: ["number"],
      message: "0, or something to do: reboot, or upgrade docker or all",
      params: { given: `${number} with nothing to do` },
    });
});

const everyHost = {
  policy: policySchema.prefault({}),
  verify: oneOf(VerifyMode).default(VerifyMode.OnChange),
  timeouts: timeouts.prefault({}),
};
const everyServer = {
  ssh,
  ...everyHost,
  cloudFirewall: cloudFirewall.prefault({}),
  docker: docker.prefault({}),
  deleteProtection: flag.default(false),
  labels: labels.prefault({}),
};

export const hardenedServerSchema = strict({
  ...everyServer,
  serverName: hostName.optional(),
  serverType: serverType.default(serverDefaults.serverType),
  location: location.default(serverDefaults.location),
  image: image.default(serverDefaults.image),
  hostKey: ownHostKey.optional(),
  network: existing.optional(),
  placementGroup: existing.optional(),
}).superRefine(({ policy }, context) => refuseScopes(policy, context));

export const hostHardeningSchema = strict({
  ...everyHost,
  connection: strict({
    host: address,
    port: whole(1, 65535, "a port").optional(),
    user,
    privateKey: inputOf(privateKeySchema),
    hostKey: inputOf(hostKeySchema),
  }),
  swarm: strict({
    role: oneOf(NodeRole),
    peers: z.array(swarmAddress, { error: "a list of addresses" }),
  }).optional(),
  keepOnRemove: flag.default(false),
}).superRefine(({ policy }, context) => refuseScopes(policy, context));

/** A component that is one host has no pools and nodes to limit a port to. */
function refuseScopes(policy: Policy, context: z.core.$RefinementCtx): void {
  const unknown = unknownScopeNames(policy, { pools: [], nodes: [] });
  if (unknown.length === 0) return;
  const message = "ports without pools and nodes: there is one host";
  context.addIssue({ code: "custom", path: ["policy"], message, params: { given: unknown.join(", ") } });
}

export const swarmClusterSchema = strict({
  ...everyServer,
  pools,
  clusterName: plainName.optional(),
  network: network.prefault({}),
  bastion: bastionArgs.optional(),
  swarm: strict({
    joinTokenRotation: whole(0, 9999, "a number of rotations").default(0),
    autolock: flag.optional(),
  }).prefault({}),
  placementGroups: placementGroups.prefault({}),
  maintenance: maintenance.optional(),
  loadBalancer: loadBalancerSchema.optional(),
}).superRefine((cluster, context) => {
  const { policy, pools: given, loadBalancer, bastion } = cluster;
  const { existing: there, existingSubnet, egress } = cluster.network;
  if (loadBalancer !== undefined) addIssues(context, balancerIssues(loadBalancer, cluster), ["loadBalancer"]);
  if ((there ?? existingSubnet) === undefined)
    for (const [pool, { nodes = {} }] of Object.entries(given))
      for (const [name, { adopt: adopted }] of Object.entries(nodes))
        if (adopted !== undefined && !adopted.mayReplace && adopted.address === undefined)
          context.addIssue({
            code: "custom",
            path: ["pools", pool, "nodes", name, "adopt", "address"],
            message: "its address in the swarm, or the network that it is in as network.existing",
          });
  const nodes = Object.entries(given).flatMap(([name, shaped]) => nodeNames(name, shaped));
  const reached = Object.entries(given).flatMap(([name, shaped]) =>
    nodeNames(name, shaped).map((node) => {
      const { privateOnly = shaped.privateOnly, adopt, primaryIps } = shaped.nodes?.[node] ?? {};
      return { name: node, pool: name, role: shaped.role, privateOnly, adopt, primaryIps, nodes: shaped.nodes };
    }),
  );
  const hasNetwork = (there ?? existingSubnet) !== undefined;
  addIssues(context, privateProblems(reached, { egress, bastion, hasNetwork }));
  const unknown = unknownScopeNames(policy, { pools: Object.keys(given), nodes });
  if (unknown.length > 0)
    context.addIssue({
      code: "custom",
      path: ["policy"],
      message: `pools ${Object.keys(given).join(", ")} and nodes ${nodes.join(", ")}`,
      params: { given: unknown.join(", ") },
    });
});

true satisfies Same<SwarmClusterArgs, z.input<typeof swarmClusterSchema>>;
true satisfies Same<HardenedServerArgs, z.input<typeof hardenedServerSchema>>;
true satisfies Same<HostHardeningArgs, z.input<typeof hostHardeningSchema>>;
