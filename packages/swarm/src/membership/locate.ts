/** Where the swarm is, from what the program's managers say. Plain data in, plain data out. */
import type { Survey, SwarmAccess } from "./survey";
import { QuorumError } from "./transition";

/** What to do instead of a change after which no manager of before would be one. */
export const wayToStay =
  "Let at least one of today's managers stay: with one manager, go to three first, replace or remove the old one with a second " +
  "deployment, and go back to one";

export interface ManagerAccount {
  /** Of its server in Hetzner Cloud. */
  readonly name: string;
  readonly survey: Survey;
}

/**
 * The first manager that can speak for the swarm; none when there is no swarm yet and the one that may start it is among them.
 * @throws QuorumError when there is a swarm, or was one, that none of them can speak for.
 */
export function spokesman(accounts: readonly ManagerAccount[], founderIsHere: boolean): number | undefined {
  const index = accounts.findIndex(({ survey }) => survey.swarm !== undefined);
  if (index >= 0) return index;
  const of = (...states: string[]) => accounts.filter(({ survey }) => states.includes(survey.state));
  const names = (some: readonly ManagerAccount[]) => some.map(({ name }) => name).join(", ");
  const locked = of("locked");
  if (locked.length > 0)
    throw new QuorumError(
      `the swarm is locked on ${names(locked)}: run 'docker swarm unlock' there, with the output unlockKey, then deploy again`,
    );
  const members = of("active", "pending", "error");
  if (members.length > 0)
    throw new QuorumError(
      `the swarm has no leader as far as ${members.map(describe).join(", ")} can tell: its quorum is lost, or only these ` +
        "workers of it are among the program's managers. Bring its managers back and let at least one of them stay a " +
        "manager. Nothing has been changed",
    );
  if (founderIsHere) return undefined;
  throw new QuorumError(
    `none of the program's managers (${accounts.map(describe).join(", ")}) is in the swarm that this cluster has, and a second ` +
      `one is not started. ${wayToStay}. Nothing has been changed`,
  );
}

function describe({ name, survey }: ManagerAccount): string {
  return `${name}: ${survey.state}${survey.error === "" ? "" : ` (${survey.error})`}`;
}

/** What nodes join with; none when there is no swarm yet. */
export function accessOf(accounts: readonly ManagerAccount[]): SwarmAccess | undefined {
  return accounts.flatMap(({ survey }) => survey.swarm ?? [])[0]?.access;
}
