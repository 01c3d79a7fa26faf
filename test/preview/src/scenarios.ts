/** The changes that are previewed, as data: which program, on which state, with which settings. */

export type ProgramName = "cluster" | "plain" | "adoption" | "secrets";

export interface Scenario {
  readonly name: string;
  /** What a reader of the golden report is to know. */
  readonly title: string;
  readonly program: ProgramName;
  /** Settings with which the program is brought up before it is previewed. Absent: nothing is there yet. */
  readonly start?: Settings;
  readonly settings?: Settings;
  /** Secret settings: encrypted in the stack's file as `pulumi config set --secret` does. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Debug messages that hold a planted secret are kept: the SDK writes properties into them in plain text. Default: false. */
  readonly debug?: boolean;
  /**
   * Previewed anew by the tests, which compare the whole, or only what the report says of danger and exposure where our own components
   * make resources that may change any day. Default: not at all.
   */
  readonly live?: "whole" | "judgement";
}

/** Values of a stack's settings; what is no text is kept as JSON. */
export type Settings = Readonly<Record<string, unknown>>;

const web = [{ port: 80 }, { port: 443 }];
const pools = { manager: { role: "manager", count: 3 }, worker: { role: "worker", count: 2 } };
const usual = { pools, policy: { publishedPorts: web } };

const creation = (name: string, title: string, args: object): Scenario => ({
  name,
  title,
  program: "cluster",
  settings: { args },
});
const cluster = (name: string, title: string, args: object, start: object = usual): Scenario => ({
  ...creation(name, title, args),
  start: { args: start },
});

const shape = {
  publicKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAblW2M0gfe7BylX6rzxEMly6GaRw8/tq+CIAkv/5C8j operator",
  userData: "#cloud-config\npackages: [nginx]\nruncmd:\n  - [systemctl, enable, --now, nginx]\n",
  rules: [
    { port: "22", sources: ["192.0.2.0/24"] },
    { port: "443", sources: ["0.0.0.0/0", "::/0"] },
  ],
  protected: true,
  address: true,
};
const plain = (name: string, title: string, changed: object): Scenario => ({
  name,
  title,
  program: "plain",
  start: { shape },
  settings: { shape: { ...shape, ...changed } },
});

/** Made up; looked for in every report. */
export const planted = {
  token: "Zq7planted-token/9f8e7d6c5b4a+XyZ",
  password: "correct horse Zq8 battery",
  // As long as a token of Hetzner Cloud and as random, so that it must be known by its looks.
  apiToken: "q7Gd0cW3xV9bN2mK5jH8fS1aP4oI6uY7tR3eL0zQ9wE2kJ5hG8dB1vC4xM6nA3sF",
};

const hundred = {
  pools: { manager: { role: "manager", count: 7 }, worker: { role: "worker", count: 93 } },
  policy: { publishedPorts: web },
  placementGroups: { enabled: false },
};

export const scenarios: readonly Scenario[] = [
  creation("first-creation", "Three managers and two workers, where nothing was", usual),
  {
    ...cluster("port-opened", "8443 is opened for everybody on every node", {
      ...usual,
      policy: { publishedPorts: [...web, { port: 8443 }] },
    }),
    live: "judgement",
  },
  cluster("sources-narrowed", "443 and SSH are left to one network, which closes them over IPv6", {
    ...usual,
    policy: {
      publishedPorts: [{ port: 80 }, { port: 443, sources: ["192.0.2.0/24"] }],
      ssh: { sources: ["192.0.2.0/24"] },
    },
  }),
  cluster("node-removed", "worker-1 goes, worker-2 stays", {
    ...usual,
    pools: { ...pools, worker: { role: "worker", nodes: { "worker-2": {} } } },
  }),
  cluster("manager-replaced", "One of three managers makes way for a new one with another image", {
    ...usual,
    pools: {
      ...pools,
      manager: {
        role: "manager",
        image: "debian-12",
        nodes: { "manager-1": {}, "manager-2": { replacement: 1 }, "manager-3": {} },
      },
    },
  }),
  cluster("managers-too-few", "Two of three managers go, and with them what the swarm can lose", {
    ...usual,
    pools: { ...pools, manager: { role: "manager", count: 1 } },
  }),
  cluster("server-type-changed", "The workers get a bigger server type, and so are powered off", {
    ...usual,
    pools: { ...pools, worker: { role: "worker", count: 2, serverType: "cx33" } },
  }),
  cluster("nothing-changed", "The same program once more", usual),
  {
    name: "adoption",
    title: "A server that is there already is imported and hardened",
    program: "adoption",
    live: "judgement",
  },
  {
    name: "plain-creation",
    title: "A stack without our components",
    program: "plain",
    settings: { shape },
  },
  plain("plain-opened", "The same, with SSH and Docker's port opened, without protection, and its address gone", {
    rules: [
      { port: "22", sources: ["0.0.0.0/0", "::/0"] },
      { port: "443", sources: ["0.0.0.0/0", "::/0"] },
      { port: "2375", sources: ["198.51.100.7/32"] },
    ],
    protected: false,
    address: false,
  }),
  {
    ...plain("user-data-changed", "Another user-data, which replaces the server", {
      userData: `${shape.userData}users: [default]\n`,
    }),
    live: "whole",
  },
  cluster("failed", "A policy that names a pool that is not there: the program refuses", {
    ...usual,
    policy: { publishedPorts: [...web, { port: 8080, pools: ["proxy"] }] },
  }),
  plain("failed-by-provider", "A source that is no network: the provider refuses", {
    rules: [...shape.rules, { port: "8443", sources: ["not-a-network"] }],
  }),
  plain("port-unreadable", "A port that nobody can read, which the provider lets pass", {
    rules: [...shape.rules, { port: "8443-https", sources: ["0.0.0.0/0"] }],
  }),
  {
    name: "secrets",
    title: "Secrets in names, labels, commands, user-data, outputs and messages",
    program: "secrets",
    secrets: planted,
    debug: true,
  },
  {
    name: "secrets-refused",
    title: "The same, and errors of the program and of a provider that quote them",
    program: "secrets",
    settings: { refused: "true" },
    secrets: planted,
    debug: true,
    live: "whole",
  },
  cluster(
    "hundred-nodes",
    "Seven managers and 93 workers: a manager and ten workers go, the workers are powered off, a port opens",
    {
      ...hundred,
      pools: {
        manager: {
          role: "manager",
          nodes: { ...named("manager", 7), "manager-7": { replacement: 1 } },
        },
        worker: { role: "worker", count: 83, serverType: "cx33" },
      },
      policy: {
        publishedPorts: [...web, { port: 8443 }, { port: 9000, sources: ["192.0.2.0/24"], pools: ["worker"] }],
      },
    },
    hundred,
  ),
  creation("hundred-nodes-creation", "Seven managers and 93 workers, where nothing was", hundred),
];

function named(pool: string, count: number): Record<string, object> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`${pool}-${index + 1}`, {}]));
}
