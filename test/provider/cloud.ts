/** Hetzner Cloud's API without machines, and the real engine and provider against it: what is done to servers, but for what runs on them. */
import { execFileSync } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createApi, memoryStore } from "../../packages/region/src/api/index.js";
import { recordingBackend } from "../../packages/region/src/api/testing/recordingBackend.js";
import { bootstrapHostKey } from "../../packages/swarm/src/remote/sshKey.js";
import { openProject } from "../engine/lib/stack.mjs";

const root = join(import.meta.dirname, "../..");

/** The programs' SSH key, and a host key. */
export const key = bootstrapHostKey("adoption", "without", "machines");
export const hostKey = bootstrapHostKey("adoption", "of a", "host").publicKey;

export interface Cloud {
  readonly endpoint: string;
  readonly token: string;
  // biome-ignore lint/suspicious/noExplicitAny: answers are JSON that each test knows the shape of
  call(method: string, path: string, body?: object): Promise<any>;
  /** Every request so far that would change something, as `POST /servers`. */
  changes(): readonly string[];
  /** Deletions of servers so far, `begun 4` when one is asked for and `ended 4` when it is done, by the servers' names. */
  deletions(): readonly string[];
  /** How often something was looked for by its name. */
  lookUps(): number;
  /** Runs something when the next such request has been carried out, before it is answered. */
  beforeAnswer(change: string, then: () => void): void;
  close(): Promise<void>;
}

/** How long the deletion of a server takes, in milliseconds. Default: 0. */
export interface CloudOptions {
  readonly deletionTakes?: number;
}

export async function openCloud({ deletionTakes = 0 }: CloudOptions = {}): Promise<Cloud> {
  const token = "t".repeat(64);
  const deleted: string[] = [];
  const backend = recordingBackend();
  const changed: string[] = [];
  let lookUps = 0;
  const waiting = new Map<string, () => void>();
  const api = createApi({
    backend: {
      ...backend,
      async deleteMachine(id) {
        const name = backend.machines.get(id)?.spec.name;
        deleted.push(`begun ${name}`);
        await new Promise((resolve) => setTimeout(resolve, deletionTakes));
        await backend.deleteMachine(id);
        deleted.push(`ended ${name}`);
      },
    },
    store: memoryStore(),
    token,
    onExchange: ({ method, path }) => {
      if (method === "GET" && path.includes("?name=")) lookUps += 1;
      if (method === "GET") return;
      const change = `${method} ${path.replace(/^\/v1/, "")}`;
      changed.push(change);
      waiting.get(change)?.();
      waiting.delete(change);
    },
  });
  const endpoint = `${await api.app.listen({ port: 0, host: "127.0.0.1" })}/v1`;
  return {
    endpoint,
    token,
    async call(method, path, body) {
      const answer = await fetch(`${endpoint}${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
      await api.idle();
      return text === "" ? undefined : JSON.parse(text);
    },
    changes: () => changed,
    deletions: () => deleted,
    lookUps: () => lookUps,
    beforeAnswer: (change, then) => void waiting.set(change, then),
    close: () => api.app.close(),
  };
}

/** The directory of the engine, with Terraform's provider where that is asked for. */
export function engine(...flags: string[]): string {
  const ensure = join(root, "test/engine/ensure.mjs");
  const stdio: ["ignore", "pipe", "inherit"] = ["ignore", "pipe", "inherit"];
  return execFileSync(process.execPath, [ensure, "--print-path", ...flags], { encoding: "utf8", stdio }).trim();
}

export interface Step {
  readonly op: string;
  /** Type and name, as `Server prod-manager-1`. */
  readonly resource: string;
}

export interface Project {
  readonly dir: string;
  /** Of every command that runs in it. */
  readonly env: Record<string, string>;
  run(args: readonly string[], env?: Record<string, string>): Promise<string>;
  /** Puts another program in place. */
  program(text: string): void;
  /** What `up` would do, but for providers and the stack. */
  preview(): Promise<readonly Step[]>;
  close(): Promise<void>;
}

/** Gives a program the modules behind the package's public face. */
const partOf = `const part = (name) => require(${JSON.stringify(join(root, "packages/swarm/dist"))} + "/" + name + ".js");\n`;

/** A Pulumi project of one JavaScript program that has this checkout's package. */
export async function openPulumi(cloud: Cloud, enginePath: string): Promise<Project> {
  const env = { HCLOUD_ENDPOINT: cloud.endpoint, HCLOUD_TOKEN: cloud.token, SSH_AUTH_SOCK: "" };
  const project = await openProject({ enginePath, files: { "index.js": "" }, env });
  symlinkSync(join(root, "packages/swarm"), join(project.dir, "node_modules/hcloud-swarm"));
  writeFileSync(join(project.dir, "key"), key.privateKey);
  return {
    ...project,
    program: (text) =>
      writeFileSync(
        join(project.dir, "index.js"),
        `const hcloud = require("@pulumi/hcloud");\nconst { SwarmCluster } = require("hcloud-swarm");\n${partOf}` +
          `const ssh = { privateKey: require("fs").readFileSync("key", "utf8") };\nconst hostKey = ${JSON.stringify(hostKey)};\n${text}`,
      ),
    async preview() {
      const output = await project.run(["preview", "--json", "--non-interactive"]);
      const steps: { op: string; urn: string }[] = JSON.parse(output.slice(output.indexOf("{"))).steps ?? [];
      return steps
        .map(({ op, urn }) => ({
          op,
          type: urn.split("::").at(-2)?.split("$").at(-1) ?? "",
          name: urn.split("::").at(-1),
        }))
        .filter(({ type }) => !type.startsWith("pulumi:"))
        .map(({ op, type, name }) => ({ op, resource: `${type.split(":").at(-1)} ${name}` }));
    },
  };
}

export interface Deployment {
  readonly cloud: Cloud;
  readonly project: Project;
  /** Deploys a program; gives what the preview had said that it would do, and ends with a look at the cloud that finds nothing to do. */
  apply(program: string, ...flags: string[]): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** A cloud, and a project of it; the engine, as `engine` takes its flags, is made where it is missing, which takes minutes. */
export async function openDeployment(options?: CloudOptions, ...flags: string[]): Promise<Deployment> {
  const path = engine(...flags);
  const cloud = await openCloud(options);
  const project = await openPulumi(cloud, path).catch(async (error: unknown) => {
    await cloud.close();
    throw error;
  });
  return {
    cloud,
    project,
    async apply(program, ...flags) {
      project.program(program);
      const steps = (await project.preview()).filter(({ op }) => op !== "same");
      await project.run(["up", "--yes", "--skip-preview", "--non-interactive", ...flags]);
      await project.run(["preview", "--refresh", "--expect-no-changes", "--non-interactive"]);
      return steps.map(({ op, resource }) => `${op} ${resource}`).sort();
    },
    async close() {
      await project.close();
      await cloud.close();
    },
  };
}

/** The steps that touch something that is not a component or something done on a host. */
export function onCloud(steps: readonly Step[]): readonly string[] {
  return steps
    .filter(({ op, resource }) => op !== "same" && !/^(SwarmCluster|Command) /.test(resource))
    .map(({ op, resource }) => `${op} ${resource}`)
    .sort();
}
