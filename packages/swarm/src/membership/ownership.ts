/**
 * Which of a swarm's nodes are the program's. A server that the program makes is called as its host is, and begins with the cluster's
 * name; one that was there before has a host name of its own, and hosts keep theirs when the cluster gets another name. Such nodes
 * bear two labels in the swarm, of which the first tells apart the programs that share one. Plain data in, plain data out.
 */
import type { Member } from "./survey";

/** A cluster as its nodes know it. */
export interface Cluster {
  /** What it marks its nodes with: the id of the server that it began with, the same for its whole life. */
  readonly founder: string;
  /** What the names of the servers that it makes begin with: `prod-`. */
  readonly prefix: string;
}

/** A server of the program. */
export interface Server {
  readonly name: string;
  /** What stands behind the prefix in its name; none where the program did not make it. */
  readonly part?: string | undefined;
}

/** The program's, by its mark; where it has none, by its name. */
export function isOwn({ founder, name }: Pick<Member, "founder" | "name">, cluster: Cluster): boolean {
  return founder === undefined ? name.startsWith(cluster.prefix) : founder === cluster.founder;
}

/** What the members are called in the program: as they are marked, and as their hosts are. */
export function namesOf({ founder, server, name }: Member, cluster: Cluster): readonly string[] {
  return founder === cluster.founder && server !== undefined ? [server, name] : [name];
}

/** Whether a member is that server, which may have had another prefix when it was made. */
export function isServer(
  member: Member,
  { name, part }: Server,
  cluster: Cluster,
  prefixes: readonly string[],
): boolean {
  const names = namesOf(member, cluster);
  return names.includes(name) || (part !== undefined && prefixes.some((prefix) => names.includes(`${prefix}${part}`)));
}

/** Whether it is clear already that the member is the server of that name. */
export function isKnownAs({ founder, server, name }: Member, wanted: string, cluster: Cluster): boolean {
  return (founder === cluster.founder ? server : name) === wanted;
}

/** Prefixes that the cluster had when members came that are known by their ids, and are not known by their names of today yet. */
export function formerPrefixes(
  members: readonly Member[],
  known: readonly (Server & { readonly id?: string | undefined })[],
  cluster: Cluster,
): readonly string[] {
  const found = known.flatMap(({ id, name, part }) => {
    const member = members.find((one) => one.id === id);
    if (member === undefined || part === undefined || isKnownAs(member, name, cluster)) return [];
    return namesOf(member, cluster)
      .filter((former) => former.endsWith(`-${part}`))
      .map((former) => former.slice(0, -part.length));
  });
  return [...new Set(found)].filter((prefix) => prefix !== cluster.prefix);
}

/** Whether the name of its host alone would not tell, when the program has it no more, that a node was this server. */
export function needsMark({ name, part }: Server, member: Pick<Member, "name"> | undefined): boolean {
  // One that was seen before it had come has no name yet.
  return part === undefined || ![undefined, "", name].includes(member?.name);
}
