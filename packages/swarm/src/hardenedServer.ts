import * as pulumi from "@pulumi/pulumi";
import type { HardenedServerArgs } from "./args/components";
import { completePolicy, hasDeferred, knownNow } from "./args/deferred";
import { hostName } from "./args/hostSchema";
import { parseArgument } from "./args/invalidArgument";
import { hardenedServerSchema } from "./args/schema";
import { cloudFirewalls } from "./cloud/firewalls";
import { cloudFirewallIds, networkOf, numberOf, type Owner, sshKeyId } from "./cloud/infrastructure";
import { type NodeFacts, policyEntries } from "./firewall";
import { containerSlice } from "./host";
import { applyPolicy, bootNode } from "./nodes/hardenedNode";
import { announceRotation, retireKey, shownRotation } from "./nodes/keyRotation";
import { sshKeys } from "./nodes/sshKeys";
import { verifyHost } from "./nodes/verifiedHost";
import type { VerificationReport } from "./outputs";
import { refuseBeyondCloud } from "./plan/cloudFirewall";
import { exposureTable, payloadOf } from "./plan/policy";
import { sshConfig } from "./remote/sshConfig";

/** Label of the server in Hetzner Cloud; SSH's firewall finds it by it. */
const serverLabel = "hcloud-swarm-server";

/**
 * One server on Hetzner Cloud with plain Docker, whose published ports are closed unless the policy opens them, verified.
 *
 * ```ts
 * const server = new HardenedServer("web", { ssh: { privateKey }, policy: { publishedPorts: [{ port: 443 }] } });
 * ```
 */
export class HardenedServer extends pulumi.ComponentResource {
  /** Its name in Hetzner Cloud and its host name. */
  public readonly serverName: pulumi.Output<string>;
  /** Its id in Hetzner Cloud. */
  public readonly serverId: pulumi.Output<string>;
  public readonly publicIpv4: pulumi.Output<string>;
  public readonly publicIpv6: pulumi.Output<string>;
  /** The last verification. */
  public readonly report: pulumi.Output<VerificationReport>;
  /** Everything that the outside can reach: the networks that may dial, by what they may dial, as in `web tcp/443`. */
  public readonly exposure: pulumi.Output<Record<string, string[]>>;
  /**
   * Text for a file that `~/.ssh/config` includes: `ssh SERVER` with its host key pinned. It names no private key. Needs OpenSSH 8.5 or
   * newer.
   */
  public readonly sshConfig: pulumi.Output<string>;
  /**
   * Makes the local `docker` talk to the server over SSH, once `sshConfig` is in place. A context that is there already is changed by
   * `docker context update` instead of `create`.
   */
  public readonly dockerContextCommand: pulumi.Output<string>;

  /** @throws InvalidArgumentError before anything is made. */
  constructor(name: string, args: HardenedServerArgs, opts?: pulumi.ComponentResourceOptions) {
    const plan = planServer(name, args);
    const policy = completePolicy(plan.component, args.policy, plan.policy);
    const { serverName, serverType, location, image, hostKey: acceptedKey } = plan;
    const { privateKey, publicKey, rotation } = sshKeys(plan.component, plan.ssh);
    const shown = {
      policy: policy.apply(policyEntries),
      server: {
        serverName,
        serverType,
        location,
        image,
        ...(acceptedKey === undefined ? {} : { hostKey: acceptedKey }),
      },
      ...(rotation === undefined ? {} : { sshKey: shownRotation(rotation, false) }),
    };
    super("hcloud-swarm:index:HardenedServer", name, shown, opts);

    const owner: Owner = { ...plan, component: this, name, prefix: serverName };
    const booted = bootNode(owner, {
      ...plan,
      suffix: "-server",
      network: plan.network === undefined ? undefined : networkOf(plan.network),
      sshKey: sshKeyId(owner, publicKey, plan.ssh.existing, rotation !== undefined),
      firewallIds: cloudFirewallIds(owner, cloudFirewalls(plan, policy, `${serverLabel}=${serverName}`)),
      privateKey,
      rotation,
      policy,
      acceptedKey,
      pinned: { name: serverName, argument: "hostKey", inDoubt: "make a server under another name" },
      sshPort: plan.policy.ssh.port,
      placementGroup: plan.placementGroup === undefined ? undefined : numberOf(plan.placementGroup.id),
    });
    const { server, hostKey, digest } = booted;
    const { place } = applyPolicy(booted, [], { probationSeconds: plan.timeouts.probation });
    const verified = verifyHost(place, digest, plan);
    if (rotation !== undefined) {
      announceRotation(plan.component, this, rotation, []);
      retireKey(place, rotation, [verified.step]);
    }

    this.serverName = server.name;
    this.serverId = server.id;
    this.publicIpv4 = server.ipv4Address;
    this.publicIpv6 = server.ipv6Address;
    this.report = verified.report;
    this.exposure = policy.apply((complete) => exposureTable(complete, [plan.facts]));
    this.sshConfig = pulumi
      .all([server.ipv4Address, hostKey])
      .apply(([address, key]) =>
        sshConfig([{ name: serverName, address, hostKey: key, port: plan.policy.ssh.port, user: "root" }]),
      );
    this.dockerContextCommand = pulumi.output(`docker context create ${serverName} --docker host=ssh://${serverName}`);
    this.registerOutputs({
      serverName: this.serverName,
      serverId: this.serverId,
      publicIpv4: this.publicIpv4,
      publicIpv6: this.publicIpv6,
      report: this.report,
      exposure: this.exposure,
      sshConfig: this.sshConfig,
      dockerContextCommand: this.dockerContextCommand,
    });
  }
}

function planServer(name: string, args: HardenedServerArgs) {
  const component = `HardenedServer ${JSON.stringify(name)}`;
  const known: unknown = args && { ...args, policy: knownNow(args.policy) };
  const plan = parseArgument(component, hardenedServerSchema, known);
  const serverName = parseArgument(component, hostName, plan.serverName ?? name, "serverName");
  const facts: NodeFacts = { name: serverName, pool: serverName, role: "standalone", cgroupPath: containerSlice };
  payloadOf(component, plan.policy, facts);
  const labels = { ...plan.labels, [serverLabel]: serverName };
  const server = { ...plan, labels, component, serverName, facts, nodes: [facts] };
  if (!hasDeferred(args.policy)) refuseBeyondCloud(server);
  return server;
}
