/** Members of a swarm as a manager lists them, and the servers of the cluster `prod`. */
import type { Cluster, Server } from "../membership/ownership";
import type { Member } from "../membership/survey";

export const member = (name: string, role: Member["role"], more: Partial<Member> = {}): Member => ({
  id: `id-${name}`,
  name: `prod-${name}`,
  role,
  availability: "active",
  state: "ready",
  leaving: false,
  leader: false,
  ...(role === "manager" ? { reachability: "reachable" } : {}),
  ...more,
});

export const cluster: Cluster = { founder: "1", prefix: "prod-" };

/** The server of that name: made, where it begins as the cluster's do. */
export const asServer = ({ name }: Pick<Member, "name">): Server => ({
  name,
  part: name.startsWith(cluster.prefix) ? name.slice(cluster.prefix.length) : undefined,
});
