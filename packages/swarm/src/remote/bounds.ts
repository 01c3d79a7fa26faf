/** How long a step may take: what it does on the host, and all of it. */
import { type LaterTarget, longestDial } from "./connection";

/** What a program does between its waits, in seconds. Much, for a host may be small and busy: it is for what hangs. */
const workSeconds = 900;
/** For the provider, and for what a program that was ended leaves running: a request to Docker. */
const slackSeconds = 120;

/** A command that ends, whatever hangs in it. When the bound is hit, `timeout` says so; what was waited for, the command has said. */
export function bounded(commandText: string, waitSeconds = 0): string {
  return `timeout --verbose ${waitSeconds + workSeconds} ${commandText}`;
}

/**
 * For a step of so many bounded commands, one after the other. The official Command provider (1.2.1) heeds it while it dials, and lets a
 * session run that has begun: that one ends with the command's own bound, or, on a host that is frozen, when TCP's keep-alive has
 * had no answer for some three minutes. Over a bastion nobody sends a keep-alive to the host: a session there ends with the bastion.
 */
export function stepTimeouts(target: LaterTarget, waitSeconds = 0, commands = 1) {
  const whole = `${longestDial(target) + waitSeconds + commands * workSeconds + slackSeconds}s`;
  return { customTimeouts: { create: whole, update: whole, delete: whole } };
}
