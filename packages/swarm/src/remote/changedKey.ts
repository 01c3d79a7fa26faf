/**
 * A host that shows another key than the pinned one is refused by the SSH client, in words that do not say what to do. The step
 * that it stops says that beside them.
 */
import { AsyncResource } from "node:async_hooks";
import * as pulumi from "@pulumi/pulumi";
import { callsHooks } from "../engine/hooks";
import type { LaterTarget, PinnedHost } from "./connection";
import { fingerprintOf } from "./sshKey";

interface PinnedKey extends PinnedHost {
  readonly hostKey: string;
}

/** How a step failed because of a key, in the words of Go's SSH client. */
const mismatch = /ssh: host key mismatch/;

/** `between`: the host over which the other one is reached, which the SSH client does not tell from it. */
export function changedKeyText(host: PinnedKey, between?: PinnedKey): string {
  const hosts = between === undefined ? [host] : [host, between];
  const who = between === undefined ? host.name : `${host.name}, or ${between.name} on the way to it,`;
  return [
    `${who} shows another host key than the pinned one. Look at its key without SSH, on its console:`,
    ...hosts.map((one) => `  ${one.name}: ${wayOf(one)}`),
    "Where it is the pinned one, somebody else answers in the host's place.",
  ].join("\n");
}

function wayOf({ hostKey, argument, inDoubt }: PinnedKey): string {
  const file = `/etc/ssh/ssh_host_${/ed25519|ecdsa|rsa/.exec(hostKey)?.[0]}_key.pub`;
  const looked = `'ssh-keygen -lf ${file}' is to say ${fingerprintOf(hostKey)}`;
  if (argument === undefined) return `${looked}. No other one is accepted: ${inDoubt}`;
  return `${looked}. If it says another one, and you know why, accept that by giving the file's text as ${argument}; in doubt ${inDoubt}`;
}

/** Options of a step that dials the target. */
export function tellChangedKey(
  step: string,
  parent: pulumi.Resource,
  target: LaterTarget,
): Pick<pulumi.CustomResourceOptions, "hooks"> {
  if (!callsHooks("supportsErrorHooks")) return {};
  const onError = async ({ errors }: pulumi.ErrorHookArgs): Promise<boolean> => {
    // An error of the hook's own would take the place of the step's.
    if (errors.some((error) => mismatch.test(error))) await tell(parent, target).catch(() => undefined);
    return false;
  };
  // Hooks are called out of the component's context, where there may be no engine to log with.
  const hook = new pulumi.ErrorHook(hookName(step), AsyncResource.bind(onError));
  return { hooks: { onError: [hook] } };
}

async function tell(parent: pulumi.Resource, target: LaterTarget): Promise<void> {
  const { pinned, hostKey } = target;
  // All of it is known: the step has dialled with it.
  const keys = pulumi.all([{ pinned, hostKey }, pulumi.output(target.proxy)]).apply(([host, between]) => {
    const named = (one: { readonly pinned: PinnedHost; readonly hostKey: string }) => ({
      ...one.pinned,
      hostKey: one.hostKey,
    });
    return changedKeyText(named(host), between && named(between));
  });
  const text = await new Promise<string>((resolve) => void pulumi.unsecret(keys).apply(resolve));
  await pulumi.log.error(text, parent);
}

const taken = new Map<string, number>();

/** The same in every deployment, for the state has it; another one where two components have steps of one name. */
function hookName(step: string): string {
  const before = taken.get(step) ?? 0;
  taken.set(step, before + 1);
  return `hcloud-swarm-changed-key-${step}${before === 0 ? "" : `-${before + 1}`}`;
}
