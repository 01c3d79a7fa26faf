/** Where a region keeps its things, and what its namespaces are called. */
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const packageRoot = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/** Files of the package that are data: what goes into images. */
export const assetsDirectory = join(packageRoot, "assets");

/** `.cache` at the top of the repository, or the package's own when it stands alone. */
export const cacheDirectory = existsSync(resolve(packageRoot, "../../pnpm-workspace.yaml"))
  ? resolve(packageRoot, "../../.cache")
  : join(packageRoot, ".cache");

export const defaultName = "region";

/** Names are part of namespace names; without dashes no region's names are a prefix of another's. */
export function checkName(name: string): string {
  if (!/^[a-z0-9]{1,20}$/.test(name)) {
    throw new Error(`a region's name is 1 to 20 lower-case letters and digits, not ${JSON.stringify(name)}`);
  }
  return name;
}

export interface Layout {
  readonly name: string;
  readonly state: string;
  /** Pid and start time of the host process, options, endpoint. */
  readonly record: string;
  readonly token: string;
  readonly apiState: string;
  readonly control: string;
  readonly mirrorSocket: string;
  /** Where Networks' workers ask for metadata. */
  readonly metadataSocket: string;
  readonly log: string;
  /** Recorded requests and answers of the API, one JSON a line. */
  readonly exchanges: string;
  readonly servers: string;
  readonly volumes: string;
  readonly balancers: string;
  readonly checkpoints: string;
  readonly images: string;
  readonly mirror: string;
}

/** Longest path of a Unix socket that Linux takes, less the longest name that we put below the state directory. */
const MAX_STATE_PATH = 107 - "/servers/1234567890/agent.sock".length;

export function layoutOf(name: string, stateDirectory?: string): Layout {
  const state = resolve(stateDirectory ?? join(cacheDirectory, "region", checkName(name)));
  if (Buffer.byteLength(state) > MAX_STATE_PATH) {
    throw new Error(
      `the path ${state} is too long for the sockets in it (at most ${MAX_STATE_PATH} bytes): choose a shorter one with --state-dir`,
    );
  }
  return {
    name,
    state,
    record: join(state, "region.json"),
    token: join(state, "token"),
    apiState: join(state, "api.json"),
    control: join(state, "control.sock"),
    mirrorSocket: join(state, "mirror.sock"),
    metadataSocket: join(state, "metadata.sock"),
    log: join(state, "region.log"),
    exchanges: join(state, "exchanges.jsonl"),
    servers: join(state, "servers"),
    volumes: join(state, "volumes"),
    // Short, as HAProxy adds to the names of its sockets.
    balancers: join(state, "lb"),
    checkpoints: join(state, "checkpoints"),
    images: join(cacheDirectory, "images"),
    mirror: join(cacheDirectory, "mirror"),
  };
}
