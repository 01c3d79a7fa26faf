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
  /** Waits until every resource that the program made has been asked for. */
  settled(): Promise<void>;
}

export const hostKey = `ssh-ed25519 ${Buffer.concat([Buffer.from("0000000b7373682d6564323535313900000020", "hex"), Buffer.alloc(32, 7)]).toString("base64")}`;
export const tokens = { worker: "SWMTKN-1-ca-worker", manager: "SWMTKN-1-ca-manager" };

export interface FakeCloudSettings {
  /** No id and no output is known yet, as at a first preview. Default: false. */
  readonly preview?: boolean;
  /**
   * Servers that are there: by id, for `getServer` and imports, or by the resource's name, for what Pulumi knows under another
   * one. They stay as they are, whatever the program says of them.
   */
  readonly servers?: Readonly<Record<string, object>>;
}

export async function fakeCloud({ preview = false, servers = {} }: FakeCloudSettings = {}): Promise<FakeCloud> {
  const asked: Asked[] = [];
  let ids = 100;
  let hosts = 1;
  const stdoutOf = (name: string, inputs: Asked["inputs"]): string => {
    if (name.endsWith("-bootstrap")) return hostKey;
    const report = {
      version: 1,
      node: name,
      digest: /[0-9a-f]{64}/.exec(String(inputs.create))?.[0],
      time: "2026-01-01T00:00:00Z",
      passed: true,
      checks: [{ name: "peers", passed: true, expected: "", found: "" }],
    };
    const swarm = { swarmId: "swarm1", workerToken: tokens.worker, managerToken: tokens.manager };
    const started = plain(inputs.stdin).includes("action='init'");
    return [...(started ? [swarm] : []), report].map((line) => `${JSON.stringify(line)}\n`).join("");
  };
  await pulumi.runtime.setMocks(
    {
      newResource({ type, name, inputs, id: imported }) {
        asked.push({ type, name, inputs });
        const there = servers[imported ?? ""] ?? servers[name];
        if (there !== undefined) return { id: imported || "77", state: { ...inputs, ...there } };
        if (preview) return { id: undefined, state: {} };
        const id = String(ids++);
        if (type === "hcloud:index/server:Server") {
          const host = ++hosts;
          const networks = inputs.networks?.map((network: object) => ({ ...network, ip: `10.0.0.${host}` }));
          const addresses = { ipv4Address: `203.0.113.${host}`, ipv6Address: `2001:db8:1:${host}::1` };
          return { id, state: { ...inputs, ...addresses, networks } };
        }
        const printed = type === "command:remote:Command" ? { stdout: stdoutOf(name, inputs), stderr: "" } : {};
        return { id, state: { ...inputs, ...printed } };
      },
      call({ token, inputs }) {
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
    inputsOf(name) {
      const found = asked.filter((one) => one.name === name);
      if (found.length !== 1) throw new Error(`${found.length} resources are named ${name}`);
      return found[0]?.inputs;
    },
    ofType: (type) => asked.filter((one) => one.type === type),
    settled: () => pulumi.runtime.disconnect(),
  };
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
