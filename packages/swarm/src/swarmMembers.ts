/** The nodes' last steps: they become a swarm, confirm their policies and are verified. */
import * as pulumi from "@pulumi/pulumi";
import { planMembership, type SwarmNode } from "./membership/plan";
import { initResult } from "./membership/result";
import { membershipProgram } from "./membership/script";
import type { VerificationReport } from "./outputs";
import { confirmationAround, printResult } from "./remote/confirmation";
import { lastStep, type StepPlace } from "./remote/steps";
import { parseReport } from "./verification";

export interface Candidate extends SwarmNode {
  readonly place: StepPlace;
  readonly privateIp: pulumi.Output<string>;
  readonly digest: pulumi.Output<string>;
  /** Shell text between the confirmation of its policy and the verification. */
  readonly afterConfirmation?: string;
}

export interface SwarmSettings {
  /** IPv4 range that overlay networks are cut from. */
  readonly overlayRange: string;
  /** Bound of every wait, in seconds. */
  readonly waitSeconds: number;
  readonly probationSeconds: number;
  /** Changes on every run where every `up` is to verify. */
  readonly nonce?: string | undefined;
}

export interface Swarm {
  readonly id: pulumi.Output<string>;
  readonly workerToken: pulumi.Output<string>;
  readonly managerToken: pulumi.Output<string>;
  /** By the nodes' names. */
  readonly reports: Readonly<Record<string, pulumi.Output<VerificationReport>>>;
}

/** MTU of Hetzner Cloud's private networks. */
const underlayMtu = 1450;

export function joinSwarm(candidates: readonly Candidate[], settings: SwarmSettings): Swarm {
  const byName = new Map(candidates.map((candidate) => [candidate.name, candidate]));
  const [first, ...others] = planMembership(candidates).map((step) => ({ ...step, ...must(byName, step.node) }));
  if (first === undefined) throw new Error("a swarm needs a manager");

  const overlay = { addressPool: settings.overlayRange, underlayMtu };
  const { waitSeconds } = settings;
  const start = first.privateIp.apply((privateIp) =>
    membershipProgram({ action: "init", privateIp, overlay, waitSeconds }),
  );
  const started = last(first, start, settings);
  // The output is a secret because of the tokens; of what is taken out of it, only they are.
  const swarm = pulumi.secret(started.stdout).apply(initResult);
  const id = pulumi.unsecret(swarm.swarmId);

  const done = new Map<string, pulumi.Resource>([[first.name, started]]);
  const reports = { [first.name]: pulumi.unsecret(swarm.report) };
  for (const node of others) {
    const { role, privateIp, after } = node;
    const token = role === "manager" ? swarm.managerToken : swarm.workerToken;
    const join = pulumi
      .all([privateIp, first.privateIp, id, token])
      .apply(([own, managerIp, swarmId, joinToken]) =>
        membershipProgram({ action: "join", role, privateIp: own, managerIp, swarmId, joinToken, waitSeconds }),
      );
    const joined = last(node, join, settings, after === undefined ? [] : [must(done, after)]);
    done.set(node.name, joined);
    reports[node.name] = pulumi.unsecret(joined.stdout).apply(parseReport);
  }
  return {
    id,
    workerToken: pulumi.secret(swarm.workerToken),
    managerToken: pulumi.secret(swarm.managerToken),
    reports,
  };
}

function last(
  { place, digest, afterConfirmation = "" }: Candidate,
  membership: pulumi.Output<string>,
  { probationSeconds, nonce }: SwarmSettings,
  dependsOn: readonly pulumi.Resource[] = [],
) {
  return lastStep(
    { ...place, dependsOn: [...(place.dependsOn ?? []), ...dependsOn] },
    {
      kind: "membership",
      digest,
      probationSeconds,
      program: pulumi.interpolate`${membership}${confirmationAround(afterConfirmation)}${printResult}`,
      ...(nonce === undefined ? {} : { nonce }),
    },
  );
}

function must<V>(map: ReadonlyMap<string, V>, name: string): V {
  const value = map.get(name);
  if (value === undefined) throw new Error(`there is no node ${name}`);
  return value;
}
