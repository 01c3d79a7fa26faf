/** A node that was there before the program: it gets the host agent and its policy, and stays as it is otherwise. */
import * as hcloud from "@pulumi/hcloud";
import * as pulumi from "@pulumi/pulumi";
import { hostKeySchema } from "../args/hostSchema";
import type { AdoptPlan } from "../args/poolsSchema";
import { type Existing, numberOf, type Owner } from "../cloud/infrastructure";
import { armProgram, installProgram, removeProgram } from "../host";
import { PlainError } from "../plainError";
import {
  type Adoption,
  aliasOf,
  ignoredProperties,
  refusals,
  refusalText,
  type ServerShape,
  type WantedShape,
} from "../plan/adoption";
import { digestOf, payloadOf } from "../plan/policy";
import { agentStep, type StepPlace } from "../remote/steps";
import type { BootedNode, HardenedNodePlan, NodeServer } from "./hardenedNode";
import { checkedLater } from "./sshKeys";

export interface AdoptedNodePlan
  extends Pick<
    HardenedNodePlan,
    | "component"
    | "facts"
    | "privateKey"
    | "policy"
    | "sshPort"
    | "timeouts"
    | "suffix"
    | "serverName"
    | "image"
    | "after"
  > {
  /** Where it stands among the arguments, for messages: `pools.manager.nodes.manager-1`. */
  readonly path: string;
  readonly adopt: AdoptPlan;
  /** What the program names of the server. */
  readonly wanted: WantedShape;
  readonly serverType: string;
}

type FoundServer = NodeServer & { readonly [K in keyof ServerShape]: pulumi.Output<string> };

export function adoptNode(owner: Owner, plan: AdoptedNodePlan): BootedNode {
  const { component, facts, adopt, privateKey, sshPort, timeouts, path } = plan;
  const adoption = adoptionOf(adopt);
  const owned = adoption.way === "id" ? undefined : adoptedServer(owner, plan, adoption);
  // Also a server that Pulumi knows is looked up: an import reads back no networks.
  const server = asItIs(lookedUp(owner, { id: owned?.id ?? adopt.id ?? "" }), plan, adoption);
  const hostKey = checkedLater(component, hostKeySchema, adopt.hostKey, `${path}.adopt.hostKey`);
  const target = {
    host: adopt.host ?? server.ipv4Address,
    port: sshPort,
    user: adopt.user,
    privateKey,
    hostKey,
    pinned: { name: plan.serverName, argument: `${path}.adopt.hostKey`, inDoubt: "leave it pinned" },
    dialSeconds: timeouts.probation + 60,
  };
  const place: StepPlace = {
    name: `${owner.name}${plan.suffix}`,
    parent: owner.component,
    target,
    identity: server.id,
    ...(owned === undefined ? {} : { server: owned }),
  };
  const agent = agentStep(place, installProgram(), adopt.keepOnRemove ? undefined : removeProgram());
  const payload = plan.policy.apply((policy) => payloadOf(component, policy, facts));
  return {
    server,
    place: { ...place, dependsOn: [agent] },
    hostKey,
    payload,
    digest: payload.apply(digestOf),
    keepSwarm: true,
    afterConfirmation: armProgram(),
  };
}

function adoptionOf({ id, importId, mayReboot, mayReplace }: AdoptPlan): Adoption {
  return { way: id !== undefined ? "id" : importId !== undefined ? "importId" : "alias", mayReboot, mayReplace };
}

/** The server under the component, with everything about it ignored that is not to change. */
function adoptedServer(owner: Owner, plan: AdoptedNodePlan, adoption: Adoption): hcloud.Server {
  const { importId, alias } = plan.adopt;
  return new hcloud.Server(
    `${owner.name}${plan.suffix}`,
    { name: plan.serverName, serverType: plan.serverType, image: plan.image },
    {
      parent: owner.component,
      dependsOn: [...(plan.after ?? [])],
      ignoreChanges: [...ignoredProperties(plan.wanted, adoption)],
      ...(importId === undefined ? {} : { import: importId }),
      ...(alias === undefined ? {} : { aliases: [pulumiAlias(alias)] }),
    },
  );
}

/** Under its former name, Pulumi finds the server that it knows. */
export function pulumiAlias(former: string): pulumi.Alias | string {
  const alias = aliasOf(former);
  return "urn" in alias ? alias.urn : { name: alias.topLevelName, parent: pulumi.rootStackResource };
}

function lookedUp(owner: Owner, { id }: Existing): FoundServer {
  const found = hcloud.getServerOutput({ id: numberOf(id) }, { parent: owner.component });
  const { name, ipv4Address, ipv6Address, serverType, location, image } = found;
  const networks = found.apply((known) => known.networks);
  return { id: pulumi.output(id), name, ipv4Address, ipv6Address, networks, serverType, location, image };
}

/** Thrown where a server would have to be rebooted or replaced and nobody said that it may. */
class RefusedAdoptionError extends PlainError {
  constructor(text: string) {
    super("RefusedAdoptionError", text);
  }
}

/** @throws RefusedAdoptionError naming everything that would happen to the server and may not */
export function refuseChanges(
  { component, path, wanted }: Pick<AdoptedNodePlan, "component" | "path" | "wanted">,
  actual: ServerShape,
  adoption: Adoption,
): void {
  const refused = refusals(wanted, actual, adoption);
  if (refused.length > 0) throw new RefusedAdoptionError(`${component}: ${refusalText(path, refused, adoption)}`);
}

/** The same server, none of whose properties can be had where the program wants another one than it is. */
function asItIs(server: FoundServer, plan: AdoptedNodePlan, adoption: Adoption): NodeServer {
  const { serverType, location, image } = server;
  const judged = pulumi.all([serverType, location, image]).apply(([type, place, made]) => {
    refuseChanges(plan, { serverType: type, location: place, image: made }, adoption);
    return true;
  });
  const after = <T>(output: pulumi.Output<T>): pulumi.Output<T> =>
    pulumi.all([output, judged]).apply(([value]) => value as T);
  return {
    id: after(server.id),
    name: after(server.name),
    ipv4Address: after(server.ipv4Address),
    ipv6Address: after(server.ipv6Address),
    networks: after(server.networks),
  };
}
