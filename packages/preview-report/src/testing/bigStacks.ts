/** Stacks of any size, as steps: what the report's cost is measured on. */
import { clusterSteps, type FakeSide, type FakeStep } from "./events.js";

const usual = { "ssh tcp/22": "from 192.0.2.0/24", "tcp/80": "from anywhere" };

/** Every second number: names that cannot be told as a series. */
const namesOf = (size: number): Record<string, "manager" | "worker"> =>
  Object.fromEntries(
    Array.from({ length: size }, (_, index) => [`n${index * 2}`, index < 7 ? "manager" : "worker"] as const),
  );

export const shapes = {
  /** Every node of a cluster is replaced, their commands run, a port opens to the world. */
  cluster: (size: number): FakeStep[] => {
    const policy = { before: usual, after: { ...usual, "tcp/8443": "from anywhere" } };
    return clusterSteps("update", policy, namesOf(size), () => ({ op: "replace", keys: ["image"] }));
  },
  /** Every node of a cluster gets an opening of its own. */
  openings: (size: number): FakeStep[] => {
    const own = Object.keys(namesOf(size)).map((name, index) => [
      `tcp/${1024 + index} on node ${name}`,
      `from 10.${index >> 8}.${index & 255}.0/24`,
    ]);
    return clusterSteps("update", { before: usual, after: { ...usual, ...Object.fromEntries(own) } }, namesOf(size));
  },
  /** Servers without our components, each behind a firewall of its own that changes, attached apart. */
  plain: (size: number): FakeStep[] =>
    Array.from({ length: size }, (_, index) => {
      const [firewall, server] = [size + index, index + 1];
      return [
        {
          ...kept("firewall:Firewall", `fw-${index * 2}`, { rules: [rule(443)] }, firewall),
          op: "update",
          new: side({ rules: [rule(443), rule(1024 + index)] }, firewall),
        },
        kept("server:Server", `web-${index * 2}`, { serverType: "cx23" }, server),
        kept(
          "firewallAttachment:FirewallAttachment",
          `at-${index * 2}`,
          { firewallId: firewall, serverIds: [server] },
          2 * size + index,
        ),
      ];
    }).flat(),
};

function kept(type: string, name: string, inputs: Record<string, unknown>, id: number): FakeStep {
  return { op: "same", type: `hcloud:index/${type}`, name, old: side(inputs, id), new: side(inputs, id) };
}
const side = (inputs: Record<string, unknown>, id: number): FakeSide => ({ inputs, id: String(id) });
const rule = (port: number) => ({ direction: "in", protocol: "tcp", port: String(port), sourceIps: ["0.0.0.0/0"] });
