/** Pulumi mocks that play Hetzner Cloud and the hosts, and remember what the program asked them for. */
import * as pulumi from "@pulumi/pulumi";

export interface Asked {
  readonly type: string;
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: a mock sees the inputs of every kind of resource.
  readonly inputs: any;
}

export interface FakeCloud {
  readonly asked: Asked[];
  /** The inputs of one resource. */
  inputsOf(name: string): Asked["inputs"];
  ofType(type: string): readonly Asked[];
  /** Whether one resource was made before another one was begun. */
  isDoneBefore(earlier: string, later: string): boolean;
  /** Waits until every resource that the program made has been asked for. */
  settled(): Promise<void>;
}

export const hostKey = `ssh-ed25519 ${Buffer.concat([Buffer.from("0000000b7373682d6564323535313900000020", "hex"), Buffer.alloc(32, 7)]).toString("base64")}`;
export const tokens = { worker: "SWMTKN-1-ca-worker", manager: "SWMTKN-1-ca-manager", unlock: "SWMKEY-1-key" };

const secrets = { workerToken: tokens.worker, managerToken: tokens.manager, unlockKey: tokens.unlock };

/** A node of a swarm that is there, as its managers list it. */
export interface FakeMember {
  /** Its server's name, without the cluster's. */
  readonly name: string;
  /** Its host's name. Default: its server's. */
  readonly host?: string;
  /** What it is marked with. Default: nothing. */
  readonly mark?: { readonly founder: string; readonly server: string };
  readonly role: "manager" | "worker";
  readonly dead?: boolean;
  /** Its own Docker says that it is a member; the others do not hear of it. Default: false. */
  readonly unheard?: boolean;
}

export interface FakeOptions {
  /** No id and no output is known yet, as at a first preview. Default: false. */
  readonly preview?: boolean;
  /** The swarm as it was before this run; its first manager leads. Default: there is none. */
  readonly swarm?: readonly FakeMember[];
  /** Answers come in a random order, as far as the program lets them. Default: false. */
  readonly slow?: boolean;
  /**
   * Servers that are there: by id, for `getServer` and imports, or by the resource's name, for what Pulumi knows under another
   * one. They stay as they are, whatever the program says of them.
   */
  readonly servers?: Readonly<Record<string, object>>;
  /** Primary IPs that are there, by id, for `getPrimaryIp`; those that the program makes are at no server. */
  readonly primaryIps?: Readonly<Record<string, object>>;
  /** Names of servers of the cluster that are there and protected from deletion, for `getServers`. */
  readonly guarded?: readonly string[];
  /** What nodes say of their maintenance, by their servers' names. Default: it is to be done. */
  readonly maintenance?: Readonly<Record<string, string>>;
  /** What steps print, by their names, where it is not what the mocks think of. */
  readonly printed?: Readonly<Record<string, string>>;
  /** Id of the server that started the swarm. Default: what the program says. */
  readonly founder?: string;
}

export async function fakeCloud({
  preview = false,
  swarm = [],
  slow = false,
  founder,
  servers = {},
  primaryIps = {},
  guarded = [],
  maintenance = {},
  printed: told = {},
}: FakeOptions = {}): Promise<FakeCloud> {
  const asked: Asked[] = [];
  const leader = swarm.find((one) => one.role === "manager" && !one.dead && !one.unheard);
  const survey = (server: string): string => {
    const own = swarm.find((one) => `prod-${one.name}` === server && !one.dead);
    if (own === undefined) return JSON.stringify({ state: "inactive", nodeId: "", error: "" });
    const account = { state: "active", nodeId: `id-${own.name}`, error: "" };
    if (own.role === "worker" || own.unheard) return JSON.stringify(account);
    const members = swarm.map(({ name, host = `prod-${name}`, mark, role, dead, unheard }) => ({
      id: `id-${name}`,
      name: host,
      ...mark,
      role,
      availability: "active",
      state: dead || unheard ? "down" : "ready",
      leaving: false,
      ...(role === "manager"
        ? { leader: name === leader?.name, reachability: dead || unheard ? "unreachable" : "reachable" }
        : {}),
    }));
    const access = { swarmId: "swarm1", ...secrets };
    return [account, access, ...members].map((line) => JSON.stringify(line)).join("\n");
  };
  const begunAt = new Map<string, number>();
  const doneAt = new Map<string, number>();
  const addresses = new Map<string, object>(Object.entries(primaryIps));
  let clock = 0;
  let ids = 100;
  let hosts = 1;
  const stdoutOf = (name: string, inputs: Asked["inputs"]): string | undefined => {
    if (name.endsWith("-bootstrap")) return hostKey;
    if (name.endsWith("-policy"))
      return String(inputs.create).includes("survey") ? survey(name.replace("-policy", "")) : "";
    const [, maintained, part] = /^(.*)-maintenance-(.*)$/.exec(name) ?? [];
    if (part !== undefined && inputs.create === undefined) return undefined;
    if (part === "prepare") return `${maintenance[maintained ?? ""] ?? "todo"}\n`;
    if (part === "work" || part === "verify") return "ok\n";
    if (!/-(membership|verification)$/.test(name)) return "";
    const report = {
      version: 1,
      node: name,
      digest: /[0-9a-f]{64}/.exec(String(inputs.create))?.[0],
      time: "2026-01-01T00:00:00Z",
      passed: true,
      checks: [{ name: "peers", passed: true, expected: "", found: "" }],
    };
    if (name.endsWith("-verification")) return JSON.stringify(report);
    const told = plain(inputs.stdin).includes("settle_swarm");
    const id = `id-${name.replace(/^prod-|-membership$/g, "")}`;
    const member = {
      swarmId: "swarm1",
      nodeId: id,
      ...(told ? secrets : {}),
    };
    return [member, report].map((line) => `${JSON.stringify(line)}\n`).join("");
  };
  await pulumi.runtime.setMocks(
    {
      async newResource({ type, name, inputs, id: imported }) {
        refuseEmptySecrets(name, inputs);
        asked.push({ type, name, inputs });
        begunAt.set(name, ++clock);
        const there = servers[imported ?? ""] ?? servers[name];
        if (there !== undefined) return { id: imported || "77", state: { ...inputs, ...there } };
        if (preview) return { id: undefined, state: {} };
        if (slow) await new Promise((resolve) => setTimeout(resolve, Math.random() * 30));
        doneAt.set(name, ++clock);
        const id = String(ids++);
        if (type === "hcloud:index/server:Server") {
          const host = ++hosts;
          const networks = inputs.networks?.map((network: object) => ({ ...network, ip: `10.0.0.${host}` }));
          const isOpen = inputs.publicNets?.[0]?.ipv4Enabled !== false;
          const addresses = isOpen
            ? { ipv4Address: `203.0.113.${host}`, ipv6Address: `2001:db8:1:${host}::1` }
            : { ipv4Address: undefined, ipv6Address: undefined };
          return { id, state: { ...inputs, ...addresses, networks } };
        }
        if (type === "hcloud:index/primaryIp:PrimaryIp")
          addresses.set(id, { ...inputs, ipAddress: `198.51.100.${++hosts}`, assigneeId: 0 });
        if (type === "hcloud:index/loadBalancer:LoadBalancer")
          return { id, state: { ...inputs, ipv4: "203.0.113.200", ipv6: "2001:db8:1:200::1" } };
        if (type === "command:local:Command") return { id, state: { ...inputs, stdin: founder ?? inputs.stdin } };
        const printed =
          type === "command:remote:Command" ? { stdout: told[name] ?? stdoutOf(name, inputs), stderr: "" } : {};
        return { id, state: { ...inputs, ...printed } };
      },
      call({ token, inputs }) {
        if (token === "hcloud:index/getPrimaryIp:getPrimaryIp")
          return { ...addresses.get(String(inputs.id)), id: inputs.id };
        if (token === "hcloud:index/getServers:getServers") {
          const isOurs = inputs.withSelector === "hcloud-swarm-cluster=prod";
          return { servers: isOurs ? guarded.map((name) => ({ name, deleteProtection: true })) : [] };
        }
        if (token !== "hcloud:index/getServer:getServer") return {};
        const found = servers[String(inputs.id)];
        if (found === undefined) throw new Error(`there is no server ${inputs.id}`);
        return { ...found, id: inputs.id };
      },
    },
    "project",
    "stack",
    preview,
  );
  return {
    asked,
    isDoneBefore(earlier, later) {
      const [one, other] = [earlier, later].map((name) => asked.findIndex((request) => request.name === name));
      if (one === undefined || other === undefined || one < 0 || other < 0)
        throw new Error(`${earlier}, ${later}: not asked for`);
      return (doneAt.get(earlier) ?? Number.POSITIVE_INFINITY) <= (begunAt.get(later) ?? -1);
    },
    inputsOf(name) {
      const found = asked.filter((one) => one.name === name);
      if (found.length !== 1) throw new Error(`${found.length} resources are named ${name}`);
      return found[0]?.inputs;
    },
    ofType: (type) => asked.filter((one) => one.type === type),
    settled: () => pulumi.runtime.disconnect(),
  };
}

/** As the engine does: a secret that is `undefined` is "malformed RPC secret: missing value" to it. */
function refuseEmptySecrets(name: string, value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  if (isSecret(value) && (plain(value) ?? undefined) === undefined)
    throw new Error(`${name}: a secret without a value`);
  for (const part of Object.values(value)) refuseEmptySecrets(name, part);
}

/** What is in a value that may be marked as a secret. */
// biome-ignore lint/suspicious/noExplicitAny: see above.
export function plain(value: any): any {
  return isSecret(value) ? value.value : value;
}

export function isSecret(value: unknown): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    Reflect.get(value, pulumi.runtime.specialSigKey) === pulumi.runtime.specialSecretSig
  );
}

/** The value of an output, once it is known. */
export function known<T>(output: pulumi.Output<T>): Promise<T> {
  return new Promise((resolve) => output.apply(resolve));
}
