/**
 * The nodes become a swarm, and stay one while they come and go. In order: the managers get their policies and tell how the
 * swarm stands; managers that must not be any longer hand over; the workers get their policies; new nodes join; nodes that the
 * program no longer has leave; the others let go of their addresses. Servers are deleted after all of that, as Pulumi always
 * deletes last.
 */
import * as pulumi from "@pulumi/pulumi";
import type { Owner } from "../cloud/infrastructure";
import { withoutProtected } from "../cloud/protectedServers";
import { agentDigest } from "../host";
import type { MaintenanceSettings } from "../maintenance/plan";
import { accessOf, type ManagerAccount, spokesman } from "../membership/locate";
import { forgetLabels, nodeLabelsProgram, nodeLabelsWaitSeconds } from "../membership/nodeLabels";
import type { Cluster, Server } from "../membership/ownership";
import { planMembership, type SwarmNode } from "../membership/plan";
import { memberResult } from "../membership/result";
import { membershipProgram, membershipWaitSeconds } from "../membership/script";
import { settledProgram } from "../membership/settled";
import { parseSurvey, type SwarmAccess, surveyProgram } from "../membership/survey";
import { type SwarmWideSettings, swarmSettingsProgram } from "../membership/swarmSettings";
import { planHandover, planTransition, TransitionError } from "../membership/transition";
import { forgetMarks, transitionProgram, transitionWaitSeconds } from "../membership/transitionScript";
import { applyPolicy, type BootedNode } from "../nodes/hardenedNode";
import { attachVolumes, type NodeWithVolumes } from "../nodes/volumes";
import type { VerificationReport } from "../outputs";
import { RefusedChangeError } from "../refusedChange";
import { confirmationAround, printResult, settleCommand } from "../remote/confirmation";
import { type ClusterPlace, type ClusterTarget, clusterStep, firstValue, lastStep, peersStep } from "../remote/steps";
import { maintainNodes } from "./maintenance";

export interface SwarmServer extends SwarmNode, BootedNode, Pick<NodeWithVolumes, "pool" | "location" | "volumes"> {
  /** Its name in Hetzner Cloud, or an adopted one's host name. */
  readonly serverName: string;
  /** What stands in it behind the cluster's name, for a server that the component makes. */
  readonly resource: string;
  readonly privateIp: pulumi.Output<string>;
  /** Its labels in the swarm. */
  readonly nodeLabels: Readonly<Record<string, string>>;
}

export interface SwarmSettings {
  /** For messages: `SwarmCluster "prod"`. */
  readonly component: string;
  readonly owner: Owner;
  /** Selects the cluster's own servers in Hetzner Cloud by a label. */
  readonly selector: string;
  /** IPv4 range that overlay networks are cut from. */
  readonly overlayRange: string;
  readonly swarm: SwarmWideSettings;
  readonly timeouts: {
    readonly boot: number;
    readonly swarm: number;
    readonly drain: number;
    readonly probation: number;
  };
  readonly maintenance?: MaintenanceSettings | undefined;
  /** Changes on every run where every `up` is to verify. */
  readonly nonce?: string | undefined;
}

export interface Swarm {
  readonly id: pulumi.Output<string>;
  readonly workerToken: pulumi.Output<string>;
  readonly managerToken: pulumi.Output<string>;
  /** Empty where managers do not lock themselves. */
  readonly unlockKey: pulumi.Output<string>;
  /** When these have ended, every node has been reached and none is away for maintenance. */
  readonly lastSteps: readonly pulumi.Resource[];
  /** By the nodes' names. */
  readonly reports: Readonly<Record<string, pulumi.Output<VerificationReport>>>;
}

/**
 * So many nodes may leave in one deployment and have all their waits to the end, before the step that sees to it is given up. How many
 * leave is known too late for that bound.
 */
const mostLeaving = 32;

/** MTU of Hetzner Cloud's private networks. */
const underlayMtu = 1450;

export function makeSwarm(nodes: readonly SwarmServer[], settings: SwarmSettings): Swarm {
  const { owner, timeouts } = settings;
  const order = planMembership(nodes).map((step) => ({ ...step, ...must(nodes, step.node) }));
  const managers = order.filter((node) => node.role === "manager");
  const workers = order.filter((node) => node.role === "worker");
  const [first, ...others] = order;
  if (first === undefined) throw new Error("a swarm needs a manager");
  const bounds = { waitSeconds: timeouts.swarm, drainSeconds: timeouts.drain };
  const asServer = (node: SwarmServer) => serverOf(node, owner.prefix);

  const policy = (node: SwarmServer, more: { afterwards?: pulumi.Output<string>; dependsOn?: pulumi.Resource[] }) => {
    const peers = pulumi.all(nodes.filter((other) => other.name !== node.name).map((other) => other.privateIp));
    const applied = applyPolicy(node, peers, { probationSeconds: timeouts.probation, keepLivePeers: true, ...more });
    return { ...node, ...applied };
  };

  // A policy is confirmed by a manager's last step, which waits for all of them: it is on probation only when all have booted.
  const booted = managers.flatMap(({ place }) => place.dependsOn ?? []);
  const managing = managers.map((node) => policy(node, { afterwards: surveyText(nodes, settings), dependsOn: booted }));
  const founder = firstValue(
    `${owner.name}-founder`,
    owner.component,
    first.server.id,
    managing.map((node) => node.step),
  );
  const cluster = founder.apply((id): Cluster => ({ founder: id, prefix: `${owner.prefix}-` }));
  const founderIsHere = pulumi.all([founder, first.server.id]).apply(([id, own]) => id === own);
  const stdouts = pulumi.all(managing.map((node) => node.step.stdout));
  const accounts = stdouts.apply((texts) =>
    texts.map((text, index): ManagerAccount => {
      return { name: managing[index]?.serverName ?? "", survey: parseSurvey(text) };
    }),
  );
  // A manager's account is a secret because of the tokens; of what is taken out of it here, they are no part.
  const openly = pulumi.unsecret(accounts);
  const refusing = <T>(plan: () => T): T => {
    try {
      return plan();
    } catch (error) {
      if (error instanceof TransitionError) throw new RefusedChangeError(settings.component, error.message);
      throw error;
    }
  };
  const speaker = pulumi.all([openly, founderIsHere]).apply(([list, here]) => refusing(() => spokesman(list, here)));
  const members = withoutProtected(
    pulumi
      .all([openly, speaker])
      .apply(([list, index]) => (index === undefined ? [] : (list[index]?.survey.swarm?.members ?? []))),
    cluster,
    { ...settings, servers: nodes.map((node) => node.serverName) },
  );
  const target = targetOf(managing, speaker);
  const waitSeconds = transitionWaitSeconds(bounds, nodes.length + mostLeaving);
  const place = { parent: owner.component, target, waitSeconds };

  const handover = clusterStep(
    { ...place, name: `${owner.name}-handover`, dependsOn: managing.map((node) => node.step) },
    pulumi.all([members, openly, cluster]).apply(([list, told, ours]) => {
      if (list.length === 0) return undefined;
      const wish = {
        managers: managers.map((node, index) => ({ ...asServer(node), id: told[index]?.survey.nodeId || undefined })),
        workers: workers.map(asServer),
        cluster: ours,
      };
      return transitionProgram(
        refusing(() => planHandover(list, wish)),
        bounds,
        ours.founder,
      );
    }),
  );

  const working = workers.map((node) => policy(node, { dependsOn: [handover] }));
  const placed = [...managing, ...working];
  const access = pulumi.secret(accounts).apply(accessOf);
  const start = pulumi.all([first.privateIp, founderIsHere, access]).apply(([privateIp, here, known]) =>
    here || known === undefined
      ? membershipProgram({
          action: "init",
          privateIp,
          tells: settings.swarm,
          overlay: overlayOf(settings),
          ...bounds,
        })
      : join(first.role, privateIp, known, timeouts.swarm, settings.swarm),
  );
  const started = last(must(placed, first.name), start, settings, [handover]);
  const startedResult = pulumi.secret(started.stdout).apply(memberResult);

  const firstAccess = startedResult.apply((result) => result.access);
  // A preview does not know what managers are going to tell. What the first one told last keeps nodes that do not change from
  // looking as if they did.
  const newest = pulumi.runtime.isDryRun()
    ? firstAccess.apply((told) => (told === undefined ? access : pulumi.output<SwarmAccess | undefined>(told)))
    : pulumi.all([access, firstAccess]).apply(([live, told]) => live ?? told);
  const done = new Map<string, { step: pulumi.Resource; result: ReturnType<typeof openResult> }>([
    [first.name, { step: started, result: openResult(started.stdout) }],
  ]);
  for (const node of others) {
    const program = pulumi.all([node.privateIp, newest]).apply(([privateIp, known]) => {
      if (known === undefined) throw new Error("no manager told how to join the swarm");
      return join(node.role, privateIp, known, timeouts.swarm);
    });
    const after = node.after === undefined ? [] : [done.get(node.after)?.step ?? started];
    const step = last(must(placed, node.name), program, settings, [handover, ...after]);
    done.set(node.name, { step, result: openResult(step.stdout) });
  }

  const resultOf = (name: string) => done.get(name)?.result ?? openResult(started.stdout);

  const wished = pulumi.all(
    order.map((node) =>
      resultOf(node.name).apply(({ nodeId }) => ({ ...asServer(node), id: nodeId, role: node.role })),
    ),
  );
  const joined = [...[...done.values()].map(({ step }) => step), ...nodes.flatMap((node) => node.place.server ?? [])];
  const labelled = labelNodes(
    nodes,
    founder,
    { name: `${owner.name}-labels`, parent: owner.component, target, dependsOn: joined },
    bounds,
  );
  // A swarm that was there outlasts the cluster.
  const outlasts = nodes.some((node) => node.adopt !== undefined);
  const undo = outlasts && { undo: { argument: forgetMarks, server: managers[0]?.place.server } };
  const roster = clusterStep(
    { ...place, name: `${owner.name}-roster`, dependsOn: [...joined, ...labelled], ...undo },
    pulumi.all([members, wished, cluster]).apply(([list, wish, ours]) => {
      const { steps, foreign } = planTransition(list, wish, ours);
      if (foreign.length > 0)
        void pulumi.log.warn(
          `${settings.component}: not of this program and let be: ${foreign.join(", ")}`,
          owner.component,
        );
      return transitionProgram(steps, bounds, ours.founder);
    }),
  );
  const epoch = roster.stdout.apply((ids) => (/^[a-z0-9 ]*$/.test((ids ?? "").trim()) ? (ids ?? "").trim() : ""));
  const settled = placed.map((node) =>
    peersStep({ ...node.place, dependsOn: [roster] }, epoch, {
      program: `set -e\n${settleCommand}\n${settledProgram(node.role, timeouts.swarm)}`,
      waitSeconds: timeouts.swarm,
    }),
  );
  const mounted = attachVolumes(placed, { ...settings, target, left: epoch, after: [roster] });
  const unlockKey = pulumi.secret(newest).apply((known) => known?.unlockKey ?? "");
  const maintained =
    settings.maintenance === undefined
      ? []
      : maintainNodes(
          placed.map((node) => ({ ...node, swarmNodeId: resultOf(node.name).apply(({ nodeId }) => nodeId) })),
          settings.maintenance,
          { ...settings, after: [...settled, ...mounted], ...(settings.swarm.autolock ? { unlockKey } : {}) },
        );

  return {
    id: openResult(started.stdout).apply((result) => result.swarmId),
    workerToken: pulumi.secret(newest).apply((known) => known?.workerToken ?? ""),
    managerToken: pulumi.secret(newest).apply((known) => known?.managerToken ?? ""),
    unlockKey,
    lastSteps: [...[...done.values()].map(({ step }) => step), ...mounted, ...maintained],
    reports: Object.fromEntries([...done].map(([name, { result }]) => [name, result.apply(({ report }) => report)])),
  };
}

/**
 * Another text whenever a server comes or goes or changes its role, or the cluster its name: the managers tell anew how the swarm
 * stands.
 */
function surveyText(nodes: readonly SwarmServer[], { owner, swarm }: SwarmSettings): pulumi.Output<string> {
  const ids = (some: readonly SwarmServer[]) =>
    pulumi.all(some.map((node) => node.server.id)).apply((list) => [...list].sort().join(" "));
  const managers = nodes.filter((node) => node.role === "manager");
  const settled = `${swarmSettingsProgram(swarm)}${surveyProgram}`;
  return pulumi.interpolate`${settled}survey # ${owner.prefix}, servers ${ids(nodes)}, managers ${ids(managers)}`;
}

/**
 * The nodes get their labels before any other node leaves: its tasks find those that have come in its place. Gives the step, where
 * there are labels; without any, its deletion takes them away. Nodes go by their names, so that a preview knows the text.
 */
function labelNodes(
  nodes: readonly SwarmServer[],
  founder: pulumi.Output<string>,
  place: Omit<ClusterPlace, "waitSeconds">,
  { waitSeconds }: { readonly waitSeconds: number },
): readonly pulumi.Resource[] {
  if (nodes.every((node) => Object.keys(node.nodeLabels).length === 0)) return [];
  const wish = nodes.map(({ serverName, nodeLabels }) => ({ name: serverName, labels: nodeLabels }));
  const program = pulumi
    .all([founder, pulumi.all(nodes.map((node) => node.server.id))])
    .apply(([id, ids]) => `${nodeLabelsProgram(wish, waitSeconds, id)}# servers ${[...ids].sort().join(" ")}\n`);
  const server = nodes.find((node) => node.role === "manager")?.place.server;
  const undo = { argument: forgetLabels, server };
  return [clusterStep({ ...place, undo, waitSeconds: nodeLabelsWaitSeconds(waitSeconds, nodes.length) }, program)];
}

/** A node's server as the swarm's plans know it. One in the place of an adopted server has that one's name until `adopt` is taken out. */
function serverOf({ serverName: name, resource, adopt }: SwarmServer, prefix: string): Server {
  return adopt === undefined && name === `${prefix}-${resource}` ? { name, part: resource } : { name };
}

/** A step's membership and report, without the tokens. */
function openResult(stdout: pulumi.Output<string>) {
  return pulumi.unsecret(stdout).apply((text) => {
    const { swarmId, nodeId, report } = memberResult(text);
    return { swarmId, nodeId, report };
  });
}

function join(
  role: SwarmNode["role"],
  privateIp: string,
  { swarmId, workerToken, managerToken }: SwarmAccess,
  waitSeconds: number,
  tells?: SwarmWideSettings,
): string {
  const joinToken = role === "manager" ? managerToken : workerToken;
  const step = { action: "join" as const, privateIp, swarmId, joinToken, waitSeconds };
  return membershipProgram(tells === undefined ? step : { ...step, tells });
}

function overlayOf({ overlayRange }: SwarmSettings) {
  return { addressPool: overlayRange, underlayMtu };
}

/** The manager that speaks for the swarm, or, before there is one, the first. */
function targetOf(managers: readonly SwarmServer[], speaker: pulumi.Output<number | undefined>): ClusterTarget {
  const [first] = managers;
  if (first === undefined) throw new Error("a swarm needs a manager");
  const chosen = (property: "host" | "hostKey" | "user") =>
    pulumi
      .all([pulumi.all(managers.map((manager) => manager.place.target[property])), speaker])
      .apply(([list, index]) => list[index ?? 0] ?? "");
  const { proxy: _, ...target } = first.place.target;
  const pinned = speaker.apply((index) => managers[index ?? 0]?.place.target.pinned ?? target.pinned);
  const chosenTarget = { ...target, pinned, host: chosen("host"), hostKey: chosen("hostKey"), user: chosen("user") };
  if (managers.every((manager) => manager.place.target.proxy === undefined)) return chosenTarget;
  const proxy = pulumi
    .all([pulumi.all(managers.map((manager) => pulumi.output(manager.place.target.proxy))), speaker])
    .apply(([list, index]) => list[index ?? 0]);
  return { ...chosenTarget, proxy };
}

function last(
  { place, digest, afterConfirmation = "" }: Pick<SwarmServer, "place" | "digest" | "afterConfirmation">,
  membership: pulumi.Output<string>,
  { timeouts, nonce }: SwarmSettings,
  dependsOn: readonly pulumi.Resource[],
) {
  return lastStep(
    { ...place, dependsOn: [...(place.dependsOn ?? []), ...dependsOn] },
    {
      kind: "membership",
      digest,
      agent: agentDigest,
      probationSeconds: timeouts.probation,
      waitSeconds: membershipWaitSeconds(timeouts.swarm),
      program: pulumi.interpolate`${membership}${confirmationAround(afterConfirmation)}${printResult}`,
      ...(nonce === undefined ? {} : { nonce }),
    },
  );
}

function must<N extends SwarmNode>(nodes: readonly N[], name: string): N {
  const found = nodes.find((node) => node.name === name);
  if (found === undefined) throw new Error(`there is no node ${name}`);
  return found;
}
