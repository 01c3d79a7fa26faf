import { expect, it } from "vitest";
import { reportOf } from "../preview.js";
import { stepEvent, stream, summary } from "../testing/events.js";
import { fired } from "../testing/gates.js";

const key = (letter: string) => `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${letter.repeat(43)}`;

async function trusted(before: object, after: object) {
  const step = { op: "update", type: "hcloud-swarm:index:SwarmCluster", name: "prod" };
  const events = [stepEvent({ ...step, old: { inputs: before }, new: { inputs: after } }), ...summary()];
  const { report } = await reportOf(stream(events));
  return {
    stops: fired(report).includes("trust"),
    changes: report.trust.map(({ what, before: was, after: is }) => [what, was, is]),
  };
}
const node = (hostKey?: string) => ({ nodes: { w1: { role: "worker", ...(hostKey && { hostKey }) } } });
const named = /^ssh-ed25519 SHA256:\S{43}$/;

it("is told where a person accepts another host key of a node, or takes that back", async () => {
  const accepted = await trusted(node(), node(key("A")));
  expect(accepted).toEqual({
    stops: true,
    changes: [["accepted for w1", "the host's own", expect.stringMatching(named)]],
  });
  const back = await trusted(node(key("A")), node());
  expect(back.changes).toEqual([["accepted for w1", expect.stringMatching(named), "the host's own"]]);
  const other = await trusted(node(key("A")), node(key("B")));
  expect(other.changes[0]?.[1]).not.toBe(other.changes[0]?.[2]);
});

it("is told of a server alone, too, and not where nothing changed", async () => {
  const server = (hostKey: string) => ({ server: { serverName: "web", hostKey } });
  expect((await trusted(server(key("A")), server(key("B")))).changes).toHaveLength(1);
  expect(await trusted(node(key("A")), node(key("A")))).toEqual({ stops: false, changes: [] });
});
