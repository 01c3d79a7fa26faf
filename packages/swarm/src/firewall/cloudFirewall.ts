/**
 * Policy to a Hetzner Cloud Firewall, the second lock on the public path. It does not see private networks and knows neither
 * SCTP nor interfaces: the host's rules never rely on it.
 */
import { anySource, mergeEntries, type PolicyEntry } from "./entries";
import { appliesTo, type NodeFacts } from "./node";
import { openingText, type Policy } from "./policy";

/** Limits of a Hetzner Cloud Firewall: of its API, and `networks` ("effective rules") of its documentation. */
export const cloudFirewallLimits = { rules: 50, sourcesPerRule: 100, networks: 500 } as const;

/** One rule in the shape of the Pulumi provider's `rules`. */
export interface CloudFirewallRule {
  readonly direction: "in";
  readonly protocol: "tcp" | "udp" | "icmp";
  /** `443` or `8000-8100`; absent for ICMP. */
  readonly port?: string;
  readonly sourceIps: readonly string[];
  readonly description: string;
}

/** Something that the policy says and the cloud firewall cannot. */
export interface CloudFirewallGap {
  /** Such as `published 5000/sctp`, or `policy` for the whole. */
  readonly entry: string;
  /** Which of its abilities it exceeds. */
  readonly reason: "protocol" | "networks" | "rules";
  /**
   * `refused`: there are no rules to use until the policy changes. With `beyondLimits: "pass"`, `hostOnly`: the cloud firewall
   * lets everybody through and the host's rules alone decide; `closed`: it lets nobody through on the public path, for it
   * cannot.
   */
  readonly outcome: "closed" | "hostOnly" | "refused";
  /** Names the entry first, and says what becomes of it unless it is refused. */
  readonly message: string;
}

export interface CloudFirewall {
  /** ICMP, SSH, host services, published ports, each sorted by port: a new port takes one new place. */
  readonly rules: readonly CloudFirewallRule[];
  readonly gaps: readonly CloudFirewallGap[];
}

export interface CloudFirewallOptions {
  /** The nodes behind the firewall; what is limited to others is left out. Default: all that the policy opens anywhere. */
  readonly nodes?: readonly Pick<NodeFacts, "name" | "pool">[];
  /**
   * What to do with source lists beyond its limits and with SCTP: `refuse`, or pass the port to the host, and leave SCTP to the
   * private network; default: `refuse`.
   */
  readonly beyondLimits?: "refuse" | "pass";
}

const privateAlone = "nobody reaches it on the public path, the private network alone does";
const hostAlone = "the cloud lets it pass for everybody, the host alone filters it";

interface Draft {
  readonly label: string;
  readonly entry: PolicyEntry;
}

/** Never throws: what cannot be said is in `gaps`, and a caller that needs it all said looks for outcomes. */
export function compileCloudFirewall(policy: Policy, options: CloudFirewallOptions = {}): CloudFirewall {
  const ssh: PolicyEntry = {
    protocol: "tcp",
    port: policy.ssh.port,
    endPort: policy.ssh.port,
    sources: policy.ssh.sources,
  };
  const drafts: readonly Draft[] = [
    { label: `ssh ${openingText(ssh)}`, entry: ssh },
    ...draftsOf("host", policy.hostServices, options),
    ...draftsOf("published", policy.publishedPorts, options),
  ];
  const { beyondLimits = "refuse" } = options;
  const gaps = drafts
    .filter(({ entry }) => entry.protocol === "sctp")
    .map(({ label }): CloudFirewallGap => {
      const told = `${label}: Hetzner Cloud Firewalls have no SCTP and drop it`;
      return beyondLimits === "refuse"
        ? { entry: label, reason: "protocol", outcome: "refused", message: told }
        : { entry: label, reason: "protocol", outcome: "closed", message: `${told}; ${privateAlone}` };
    });
  const echo: readonly CloudFirewallRule[] = policy.icmp.echo
    ? [{ direction: "in", protocol: "icmp", sourceIps: anySource, description: "icmp" }]
    : [];
  const fitted = fit(
    drafts.filter(({ entry }) => entry.protocol !== "sctp"),
    echo.length,
    beyondLimits,
  );
  gaps.push(...fitted.gaps);
  const refused = gaps.some(({ outcome }) => outcome === "refused");
  return { rules: refused ? [] : [...echo, ...fitted.drafts.flatMap(rulesOf)], gaps };
}

function draftsOf(kind: string, entries: readonly PolicyEntry[], { nodes }: CloudFirewallOptions): readonly Draft[] {
  const here = entries.filter((entry) => nodes === undefined || nodes.some((node) => appliesTo(entry, node)));
  const anywhere = here.map(({ protocol, port, endPort, sources }) => ({ protocol, port, endPort, sources }));
  return mergeEntries(anywhere).map((entry) => ({ label: `${kind} ${openingText(entry)}`, entry }));
}

/** Passes the longest lists to the host, or refuses them, until the rest is within the limits. */
function fit(
  drafts: readonly Draft[],
  otherRules: number,
  beyondLimits: "refuse" | "pass",
): { drafts: readonly Draft[]; gaps: readonly CloudFirewallGap[] } {
  const { rules, networks } = cloudFirewallLimits;
  const gaps: CloudFirewallGap[] = [];
  let fitted = drafts;
  for (;;) {
    const ruleCount = otherRules + fitted.flatMap(rulesOf).length;
    const networkCount = otherRules * anySource.length + sum(fitted.map(({ entry }) => entry.sources.length));
    if (ruleCount <= rules && networkCount <= networks) return { drafts: fitted, gaps };
    const longest = fitted.reduce((a, b) => (b.entry.sources.length > a.entry.sources.length ? b : a));
    if (longest.entry.sources.length <= anySource.length) {
      const message = `the policy needs ${ruleCount} rules over ${networkCount} networks; a Hetzner Cloud Firewall has ${rules} over ${networks}`;
      return { drafts: [], gaps: [...gaps, { entry: "policy", reason: "rules", outcome: "refused", message }] };
    }
    const { label: entry } = longest;
    const told = `${entry}: ${longest.entry.sources.length} networks are too many for a Hetzner Cloud Firewall, which has ${rules} rules over ${networks} networks in all`;
    gaps.push(
      beyondLimits === "refuse"
        ? { entry, reason: "networks", outcome: "refused", message: told }
        : { entry, reason: "networks", outcome: "hostOnly", message: `${told}; ${hostAlone}` },
    );
    fitted = fitted.map((draft) =>
      draft === longest ? { ...draft, entry: { ...draft.entry, sources: anySource } } : draft,
    );
  }
}

/** Whether it is a rule of SSH, which may have a firewall of its own. */
export function isSshRule({ description }: CloudFirewallRule): boolean {
  return description.startsWith("ssh ");
}

function rulesOf({ label, entry }: Draft): readonly CloudFirewallRule[] {
  const { protocol, port, endPort, sources } = entry;
  if (protocol === "sctp") return [];
  const size = cloudFirewallLimits.sourcesPerRule;
  const parts = Array.from({ length: Math.ceil(sources.length / size) }, (_, index) =>
    sources.slice(index * size, (index + 1) * size),
  );
  return parts.map((sourceIps, index) => ({
    direction: "in",
    protocol,
    port: port === endPort ? `${port}` : `${port}-${endPort}`,
    sourceIps,
    description: parts.length === 1 ? label : `${label} (${index + 1} of ${parts.length})`,
  }));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
