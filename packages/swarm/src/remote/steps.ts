/**
 * The remote steps of a host, in order: bootstrap, policy, and a last one that confirms the policy over a connection of
 * its own and verifies. This folder is the only one that makes Command resources.
 */
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { quote } from "../shell";
import { bounded, stepTimeouts } from "./bounds";
import { tellChangedKey } from "./changedKey";
import { type ApplyOptions, applyCommand } from "./confirmation";
import { connection, type LaterTarget, type SshTarget } from "./connection";

export interface StepPlace {
  /** The steps are named after it: `NAME-policy`. */
  readonly name: string;
  readonly target: SshTarget;
  readonly parent: pulumi.Resource;
  /** What the host is known by: another one gets new steps, and the old one what their deletion does. */
  readonly identity: pulumi.Input<string>;
  /** The server, where the program makes it: its steps go with it, without SSH. */
  readonly server?: pulumi.CustomResource;
  readonly dependsOn?: readonly pulumi.Resource[];
}

/**
 * First contact. It runs once in the server's life: neither a rotated SSH key nor a newer program text is a reason to run
 * it again. Gives what the program printed, the public half of the host key that the server made for itself.
 */
export function bootstrapStep(
  place: StepPlace,
  program: pulumi.Input<string>,
  waitSeconds: number,
): command.remote.Command {
  return new command.remote.Command(
    `${place.name}-bootstrap`,
    {
      ...common(place),
      create: asRoot(place, bounded("sh -s", waitSeconds)),
      stdin: program,
      logging: command.remote.Logging.Stderr,
    },
    {
      ...options(place, "bootstrap", waitSeconds),
      // Not all of `connection`: a replaced server has another address, and ignored inputs keep their old value.
      ignoreChanges: [
        ...["connection.privateKey", "connection.hostKey", "connection.dialErrorLimit", "create", "stdin"],
        ...(place.target.proxy === undefined ? [] : ["connection.proxy"]),
      ],
    },
  );
}

/** Packages that the agent needs wait this long for others, twice. */
const packageSeconds = 600;

/** Puts the host agent on a host that the program did not make. `remove`, if given, runs when the step is deleted. */
export function agentStep(place: StepPlace, install: string, remove?: string): command.remote.Command {
  return new command.remote.Command(
    `${place.name}-agent`,
    {
      ...common(place),
      create: asRoot(place, bounded("sh -s", packageSeconds)),
      // Not from standard input, which the installation has.
      ...(remove === undefined ? {} : { delete: asRoot(place, bounded(`sh -c ${quote(remove)}`, packageSeconds)) }),
      stdin: install,
      logging: command.remote.Logging.Stderr,
    },
    options(place, "agent", packageSeconds),
  );
}

/**
 * Puts a newer agent on a server that booted with one. It opens no connection when it is made: user-data has carried today's.
 * Secret for the preview's sake alone, which would show tens of kilobytes of shell. `note` tells there what else it does.
 */
export function agentUpgradeStep(
  place: StepPlace,
  program: pulumi.Input<string>,
  note?: pulumi.Input<string>,
): command.remote.Command {
  return new command.remote.Command(
    `${place.name}-agent`,
    {
      ...common(place),
      update: note === undefined ? asRoot(place, bounded("sh -s", packageSeconds)) : noted(place, note, packageSeconds),
      stdin: pulumi.secret(program),
      logging: command.remote.Logging.Stderr,
    },
    options(place, "agent", packageSeconds),
  );
}

/** Takes an SSH key away. A server that is made meanwhile never had it, and the step finds nothing to do there. */
export function keyRemovalStep(
  place: StepPlace,
  program: pulumi.Input<string>,
  note: pulumi.Input<string>,
): command.remote.Command {
  return new command.remote.Command(
    `${place.name}-old-key`,
    {
      ...common(place),
      create: noted(place, note),
      // No secret, but a page of shell that says no more than the note.
      stdin: pulumi.secret(program),
      logging: command.remote.Logging.Stderr,
    },
    options(place, "old-key"),
  );
}

/**
 * Makes the volumes be mounted that the program names, and no others; its deletion runs the program with `undo` as its argument. A
 * server of the same name in the place of another one is no reason to do that: the one before may be dead, so there is no trigger.
 */
export function volumesStep(
  place: StepPlace,
  program: pulumi.Input<string>,
  { undo, waitSeconds }: { readonly undo: string; readonly waitSeconds: number },
): command.remote.Command {
  return new command.remote.Command(
    `${place.name}-volumes`,
    {
      connection: connection(place.target),
      create: asRoot(place, bounded("sh -s", waitSeconds)),
      delete: asRoot(place, bounded(`sh -s ${undo}`, waitSeconds)),
      stdin: program,
      addPreviousOutputInEnv: false,
      logging: command.remote.Logging.Stderr,
    },
    options(place, "volumes", waitSeconds),
  );
}

/** A program on standard input, and a comment that a preview shows. */
function noted(place: StepPlace, note: pulumi.Input<string>, waitSeconds = 0): pulumi.Output<string> {
  return pulumi.output(note).apply((text) => asRoot(place, bounded(`sh -s # ${text}`, waitSeconds)));
}

export interface PolicyStepInputs extends ApplyOptions {
  /** Payload and peers. Plain text, never secret: `pulumi preview --diff` shows its lines. */
  readonly bundle: pulumi.Input<string>;
  readonly probationSeconds: number;
  /** A command to run before, on the same connection. */
  readonly before?: string;
  /** Shell text for the same session, once the payload is applied; its waits have an end. What it prints is the step's output, and a secret. */
  readonly afterwards?: pulumi.Input<string>;
}

export type PolicyStep = command.remote.Command;

/** Applies a payload on probation: the host takes it back by itself unless the last step confirms it. */
export function policyStep(place: StepPlace, inputs: PolicyStepInputs): command.remote.Command {
  return new command.remote.Command(
    `${place.name}-policy`,
    {
      ...common(place),
      create: policyText(place, inputs),
      stdin: inputs.bundle,
      logging: command.remote.Logging.Stderr,
    },
    inputs.afterwards === undefined
      ? options(place, "policy")
      : { ...options(place, "policy", 0, 2), additionalSecretOutputs: ["stdout"] },
  );
}

function policyText(place: StepPlace, { probationSeconds, before, afterwards, ...apply }: PolicyStepInputs) {
  const text = [before, applyCommand(probationSeconds, apply)].filter(Boolean).join("; ");
  if (afterwards === undefined) return asRoot(place, text);
  return pulumi.output(afterwards).apply((more) => asRoot(place, `${text} || exit\n${more}`));
}

/**
 * What a node does once others have come, gone or changed their role. `epoch` is another text after each leave. It opens no connection
 * when it is made: a new node knows of nobody who left.
 */
export function peersStep(
  place: StepPlace,
  epoch: pulumi.Input<string>,
  { program, waitSeconds }: { readonly program: string; readonly waitSeconds: number },
): command.remote.Command {
  return new command.remote.Command(
    `${place.name}-peers`,
    {
      ...common(place),
      update: noted(place, epoch, waitSeconds),
      stdin: program,
      logging: command.remote.Logging.Stderr,
    },
    options(place, "peers", waitSeconds),
  );
}

/** A manager to do it on; which one may change from run to run. */
export type ClusterTarget = LaterTarget;

export interface ClusterPlace {
  readonly name: string;
  readonly target: ClusterTarget;
  readonly parent: pulumi.Resource;
  readonly dependsOn: readonly pulumi.Resource[];
  /** At most how long its program waits. */
  readonly waitSeconds: number;
  /** What the step's deletion does, where it has a program. Default: nothing. */
  readonly undo?: ClusterUndo;
}

export interface ClusterUndo {
  /** The program is run once more, with this as its argument. One word, nothing in it special to the shell. */
  readonly argument: string;
  /** When this server is deleted as well, the program is not run: it might be the manager, and all may end. */
  readonly server?: pulumi.CustomResource | undefined;
}

/**
 * Something for the whole cluster, done on one manager. Without a program there is nothing to do and no connection is made; a
 * program that has not changed is not run again. `program` holds no secret: a preview shows it.
 */
export function clusterStep(place: ClusterPlace, program: pulumi.Output<string | undefined>): command.remote.Command {
  const { name, parent, target, dependsOn, undo, waitSeconds } = place;
  // The provider runs nothing where there is no command text; its types do not say that this may be known later.
  const text = (value: pulumi.Output<string | undefined>) => value as pulumi.Output<string>;
  return new command.remote.Command(
    name,
    {
      connection: connection(target),
      create: text(
        pulumi
          .all([program, target.user])
          .apply(([known, user]) => (known === undefined ? undefined : rootText(user, bounded("sh -s", waitSeconds)))),
      ),
      ...(undo === undefined
        ? {}
        : {
            delete: text(
              pulumi
                .all([program, target.user])
                .apply(([known, user]) =>
                  known === undefined ? undefined : rootText(user, bounded(`sh -s ${undo.argument}`, waitSeconds)),
                ),
            ),
          }),
      stdin: text(program),
      addPreviousOutputInEnv: false,
      logging: command.remote.Logging.Stderr,
    },
    {
      ...{ parent, dependsOn: [...dependsOn], ...stepTimeouts(target, waitSeconds) },
      ...tellChangedKey(name, parent, target),
      ...(undo?.server === undefined ? {} : { deletedWith: undo.server }),
    },
  );
}

/** One part of a node's maintenance, on the node or on a manager. */
export interface MaintenancePart {
  readonly name: string;
  readonly target: SshTarget;
  readonly parent: pulumi.Resource;
  readonly dependsOn: readonly pulumi.Resource[];
  /** What a preview shows: which node, and what is done to it. Letters and what is no special character of the shell's. */
  readonly title: string;
  /** For parts on the node itself: another server is maintained anew. */
  readonly identity?: pulumi.Input<string>;
  /** Without anything to do no connection is made. */
  readonly isDue: pulumi.Input<boolean>;
  readonly program: pulumi.Input<string>;
  /** At most how long the program waits. */
  readonly waitSeconds: number;
}

/** The program is secret for the preview's sake, which would show kilobytes of shell, and for an unlock key that may be in it. */
export function maintenanceStep(part: MaintenancePart): command.remote.Command {
  const { name, target, parent, dependsOn, title, identity, isDue, program, waitSeconds } = part;
  const due = (text: pulumi.Input<string>, otherwise?: string) =>
    pulumi.all([isDue, text]).apply(([yes, known]) => (yes ? known : otherwise)) as pulumi.Output<string>;
  return new command.remote.Command(
    name,
    {
      connection: connection(target),
      // The provider runs nothing where there is no command text; its types do not say that this may be known later.
      create: due(rootText(target.user, bounded(`sh -s # ${title}`, waitSeconds))),
      // A secret has to have a value.
      stdin: pulumi.secret(due(program, "")),
      ...(identity === undefined ? {} : { triggers: [identity] }),
      addPreviousOutputInEnv: false,
      logging: command.remote.Logging.Stderr,
    },
    {
      ...{ parent, dependsOn: [...dependsOn], ...stepTimeouts(target, waitSeconds) },
      ...tellChangedKey(name, parent, target),
    },
  );
}

/** Remembers a text as it was when the component was first deployed. No command is run for it, here or elsewhere. */
export function firstValue(
  name: string,
  parent: pulumi.Resource,
  value: pulumi.Input<string>,
  dependsOn: readonly pulumi.Resource[],
): pulumi.Output<string> {
  const mark = new command.local.Command(
    name,
    { stdin: value, addPreviousOutputInEnv: false },
    { parent, dependsOn: [...dependsOn], ignoreChanges: ["stdin"] },
  );
  return mark.stdin.apply((text) => text ?? "");
}

export interface LastStepInputs {
  /** `membership` or `verification`. */
  readonly kind: string;
  /** Digest of the payload to confirm; not secret, and the reason to run again when the policy changes. */
  readonly digest: pulumi.Input<string>;
  /** Digest of the agent that verifies; another one verifies again. */
  readonly agent: string;
  readonly probationSeconds: number;
  /** The program: what to do before the confirmation, the confirmation, the result. May hold a join token. */
  readonly program: pulumi.Input<string>;
  /** At most how long the program waits. Default: it does not. */
  readonly waitSeconds?: number;
  /** Changes on every run where every `up` is to verify. */
  readonly nonce?: string;
}

/**
 * The last step. Only `sh -s`, the digests and the nonce are in the command text, which the provider prints when the step
 * fails; the rest, tokens with it, goes through standard input.
 */
export function lastStep(place: StepPlace, inputs: LastStepInputs): command.remote.Command {
  const { probationSeconds, agent, waitSeconds } = inputs;
  const nonce = inputs.nonce === undefined ? "" : ` ${inputs.nonce}`;
  return new command.remote.Command(
    `${place.name}-${inputs.kind}`,
    {
      ...common(place),
      create: pulumi
        .output(inputs.digest)
        .apply((digest) => asRoot(place, bounded(`sh -s ${digest} ${probationSeconds} ${agent}${nonce}`, waitSeconds))),
      stdin: inputs.program,
      logging: command.remote.Logging.None,
    },
    { ...options(place, inputs.kind, waitSeconds), additionalSecretOutputs: ["stdout"] },
  );
}

/** The steps need root; another user gets it from sudo, without a password. */
function asRoot({ target }: StepPlace, commandText: string): string {
  return rootText(target.user, commandText);
}

function rootText(user: string, commandText: string): string {
  return user === "root" ? commandText : `sudo -n sh -c ${quote(commandText)}`;
}

function common(place: StepPlace) {
  return {
    connection: connection(place.target),
    triggers: [place.identity],
    // Previous outputs would be offered as environment variables, which sshd refuses, with a warning each time.
    addPreviousOutputInEnv: false,
  };
}

function options(place: StepPlace, kind: string, waitSeconds = 0, commands = 1): pulumi.CustomResourceOptions {
  return {
    parent: place.parent,
    ...stepTimeouts(place.target, waitSeconds, commands),
    ...tellChangedKey(`${place.name}-${kind}`, place.parent, place.target),
    ...(place.server === undefined ? {} : { deletedWith: place.server }),
    ...(place.dependsOn === undefined ? {} : { dependsOn: [...place.dependsOn] }),
  };
}

/** The host key that a bootstrap step printed; nothing of its output is secret. */
export function hostKeyFrom(bootstrap: command.remote.Command): pulumi.Output<string> {
  return pulumi.unsecret(bootstrap.stdout).apply((stdout) => {
    const key = /^ssh-ed25519 [A-Za-z0-9+/]{68}$/m.exec(stdout)?.[0];
    if (key === undefined) throw new Error("the first contact with a server gave no host key");
    return key;
  });
}

/** The one-use host key that a bootstrap step dialled with. */
export function firstKeyOf(bootstrap: command.remote.Command): pulumi.Output<string | undefined> {
  return pulumi.unsecret(bootstrap.connection).apply((known) => known?.hostKey);
}
