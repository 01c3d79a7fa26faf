import * as pulumi from "@pulumi/pulumi";
import type { HostHardeningArgs } from "./args/components";
import { completePolicy, knownNow } from "./args/deferred";
import { hostKeySchema, privateKeySchema } from "./args/hostSchema";
import { parseArgument } from "./args/invalidArgument";
import { hostHardeningSchema } from "./args/schema";
import { type NodeFacts, policyEntries, renderBundle } from "./firewall";
import { armProgram, installProgram, removeProgram } from "./host";
import { checkedLater } from "./nodes/sshKeys";
import { verifyHost } from "./nodes/verifiedHost";
import type { VerificationReport } from "./outputs";
import { digestOf, exposureTable, payloadOf } from "./plan/policy";
import { agentStep, policyStep, type StepPlace } from "./remote/steps";

/**
 * A Debian host with Docker that is there already, whoever made it: gets the host agent, the policy and its verification.
 * Nothing on it is restarted.
 *
 * ```ts
 * new HostHardening("old-box", { connection: { host, privateKey, hostKey }, policy: { publishedPorts: [{ port: 443 }] } });
 * ```
 */
export class HostHardening extends pulumi.ComponentResource {
  /** The last verification. */
  public readonly report: pulumi.Output<VerificationReport>;
  /** Everything that the outside can reach: the networks that may dial, by what they may dial, as in `manager-1 tcp/443`. */
  public readonly exposure: pulumi.Output<Record<string, string[]>>;

  /** @throws InvalidArgumentError before anything is done. */
  constructor(name: string, args: HostHardeningArgs, opts?: pulumi.ComponentResourceOptions) {
    const plan = planHost(name, args);
    const policy = completePolicy(plan.component, args.policy, plan.policy);
    super("hcloud-swarm:index:HostHardening", name, { policy: policy.apply(policyEntries) }, opts);

    const { connection, timeouts, component, facts } = plan;
    const target = {
      ...connection,
      port: connection.port ?? plan.policy.ssh.port,
      privateKey: checkedLater(
        component,
        privateKeySchema,
        pulumi.secret(connection.privateKey),
        "connection.privateKey",
      ),
      hostKey: checkedLater(component, hostKeySchema, connection.hostKey, "connection.hostKey"),
      pinned: { name, argument: "connection.hostKey", inDoubt: "leave it pinned" },
      // A policy that shuts this machine out ends when the host takes it back; see nodes/hardenedNode.ts.
      dialSeconds: timeouts.probation + 60,
    };
    const place: StepPlace = { name, target, parent: this, identity: connection.host };
    const agent = agentStep(place, installProgram(), plan.keepOnRemove ? undefined : removeProgram());
    const payload = policy.apply((complete) => payloadOf(component, complete, facts));
    const bundle = pulumi
      .all([payload, pulumi.all(plan.swarm?.peers ?? [])])
      .apply(([text, peers]) => renderBundle({ payload: text, peers }));
    const applied = policyStep(
      { ...place, dependsOn: [agent] },
      { bundle, probationSeconds: timeouts.probation, keepSwarm: true },
    );

    this.report = verifyHost({ ...place, dependsOn: [applied] }, payload.apply(digestOf), plan, armProgram()).report;
    this.exposure = policy.apply((complete) => exposureTable(complete, [facts]));
    this.registerOutputs({ report: this.report, exposure: this.exposure });
  }
}

function planHost(name: string, args: HostHardeningArgs) {
  const component = `HostHardening ${JSON.stringify(name)}`;
  const known: unknown = args && { ...args, policy: knownNow(args.policy) };
  const plan = parseArgument(component, hostHardeningSchema, known);
  const facts: NodeFacts = { name, pool: name, role: plan.swarm?.role ?? "standalone" };
  payloadOf(component, plan.policy, facts);
  return { ...plan, component, facts };
}
