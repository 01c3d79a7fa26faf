/**
 * Docker's configuration on a fresh server. A daemon refuses to start over a key that it does not know, and which version a
 * server gets is known on the server alone: what only newer versions know is handed to the host agent, which puts it into
 * `daemon.json` before each start of Docker, or leaves it out.
 */

/** Entries of `daemon.json` by their names. */
export type DaemonOptions = Readonly<Record<string, unknown>>;

/** Keys that do not go to every version that Debian ships, each with the first major version that knows it. */
const since: Readonly<Record<string, number>> = { "default-network-opts": 24 };

/** Bounded logs. They belong together: another driver does not take the options of this one. */
const logDefaults: DaemonOptions = { "log-driver": "json-file", "log-opts": { "max-size": "10m", "max-file": "3" } };

/** Overlays that fit a network of 1450 bytes. */
const networkDefaults: DaemonOptions = {
  "default-network-opts": { overlay: { "com.docker.network.driver.mtu": "1450" } },
};

function completed(asked: DaemonOptions): DaemonOptions {
  return { ...(asked["log-driver"] === undefined ? logDefaults : {}), ...networkDefaults, ...asked };
}

/** Text of `daemon.json`: what every version knows, and what the user asked for, who then knows the version. */
export function daemonJson(asked: DaemonOptions): string {
  const everywhere = Object.entries(completed(asked)).filter(([key]) => since[key] === undefined || key in asked);
  return `${JSON.stringify(Object.fromEntries(everywhere), null, 2)}\n`;
}

/** The agent's `docker-options`: `FIRST-MAJOR KEY VALUE` a line, the value as JSON. */
export function versionedOptions(asked: DaemonOptions): string {
  return Object.entries(completed(asked))
    .flatMap(([key, value]) => {
      const first = since[key];
      return first === undefined || key in asked ? [] : [`${first} ${key} ${JSON.stringify(value)}\n`];
    })
    .join("");
}
