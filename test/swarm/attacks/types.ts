import type { World } from "./world.js";

/** A server in the cluster's private network that is no peer. */
export interface Stranger {
  readonly publicIpv4: string;
  readonly publicIpv6: string;
  readonly privateIp: string;
  readonly serverId: number;
  readonly keyFile: string;
}

/** Rule sets that are attacked. `bare` is Docker alone: what is closed there too proves nothing for the others. */
export const columns = ["bare", "seed", "ufw-docker", "ours"] as const;
export type Column = (typeof columns)[number];

/** Published through the mesh: over IPv6 Docker only holds these, so a handshake is all that there is to get. */
export const meshPorts: readonly number[] = [80, 8080, 8443, 8555];

/** Published by a container of each node, over UDP, and opened by no policy but one of an attack's own. */
export const closedUdp = 9002;

/** One observation of an attack. */
export interface Seen {
  /** What was tried. */
  readonly label: string;
  /** How it must be with rules that hold. */
  readonly must: "closed" | "open";
  /** Whether the payload arrived. */
  readonly open: boolean;
  readonly detail: string;
  /** Why it is closed without any firewall too, where it is: then another observation is the control. */
  readonly closedAnyway?: string | undefined;
}

/** What the table says of an attack under one column. */
export const verdicts = ["blocked", "works", "open", "broken", "caught", "missed", "failed", "not applicable"] as const;
export type Verdict = (typeof verdicts)[number];

export interface Cell {
  readonly verdict: Verdict;
  /** Whether it is as it must be for that column; baselines may be anything but must be judged. */
  readonly ok: boolean;
  /** What was seen, or why it does not apply: never empty. */
  readonly detail: string;
  readonly seconds?: number;
}

/** Packets from somebody who should not get in (or from somebody who must), under every column. */
export interface PacketAttack {
  readonly group: "packets";
  readonly name: string;
  readonly what: string;
  /** What `run` is made for, where its text does not show it: a measured cell hangs on it. */
  readonly of?: unknown;
  /** It changes interfaces or tasks: runs after the others, alone. */
  readonly disturbs?: boolean;
  run(world: World): Promise<Seen[]>;
}

/** Somebody breaks the rules on a node. The verifier must fail and name it, the belt must hold, the timer's check must repair it. */
export interface DriftAttack {
  readonly group: "drift";
  readonly name: string;
  readonly what: string;
  /** Shell commands on the node. */
  readonly breakIt: string;
  /** Checks of which at least one must fail; of what is reported, no other may fail once the timer's check has run. */
  readonly caughtBy: RegExp;
  /** Further checks that fail with those of what is reported, and why. */
  readonly alsoWrong?: { readonly checks: RegExp; readonly why: string };
  /** `repaired` by the host agent's own check, or `reported`: what is not the agent's to change. */
  readonly outcome: "repaired" | "reported";
  /** Why a probe of closed ports can be answered meanwhile, where no belt can hold. */
  readonly opensMeanwhile?: string;
  /** Brings back what is Docker's own, once the agent has repaired what is ours. */
  readonly restoresDocker?: string;
  /** Docker is restarted, for it reads the setting at its start: it `starts`, or is refused with these words. What is closed stays so. */
  readonly atNextStart?: "starts" | { readonly refusedWith: string };
  /** Puts right what the agent only reports, where that is quicker than a checkpoint; without it the checkpoint is restored. */
  readonly undo?: string;
}

/** Something happens to a node, under outside probes where that makes sense; gives what was seen, or throws. */
export interface LifecycleAttack {
  readonly group: "lifecycle";
  readonly name: string;
  readonly what: string;
  /** It leaves the cluster as it found it: no checkpoint to restore after it. */
  readonly leavesNoTrace?: boolean;
  run(world: World): Promise<string>;
}

/** It does not apply, for a reason that the table shows. */
export class NotApplicable extends Error {}

export type Attack = PacketAttack | DriftAttack | LifecycleAttack;
