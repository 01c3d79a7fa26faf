/** Untrusted text at its worst, and a report that has it wherever a preview can put text. */
import { reportOf } from "../preview.js";
import type { Report } from "../report/report.js";
import { diagnostic, stepEvent, stream, summary, urnOf } from "./events.js";

/** Texts that end a table's cell, a row, a code span or block, an HTML comment or a fold, or that call somebody. */
export const HOSTILE = [
  "a|b",
  "a\n\n| x | y |\n| - | - |",
  "`",
  "``",
  "```",
  "```\n# out\n",
  "~~~\n",
  "\\`",
  "\\|",
  "\\",
  "<b>x</b>",
  "<script>alert(1)</script>",
  "</details>",
  "</summary>",
  "<!--",
  "-->",
  "<img src=x onerror=y>",
  "[l](javascript:x)",
  "![i](http://evil/x.png)",
  "@octocat",
  "#1",
  "http://evil.example",
  "&lt;i&gt;",
  "\u202eabc\u202c",
  "\u2028x",
  "a\rb",
  "\u0000",
  "\u001b]8;;http://evil\u0007link\u001b]8;;\u0007",
  "x\u200by",
  "- [ ] task",
  "$$x$$",
  ":tada:",
  "<details>",
  "| - |",
  "*a*",
  "__proto__",
];

export async function reportWith(bad: string): Promise<Report> {
  const docker = { version: bad, daemonOptions: { [bad]: bad } };
  const policy = { "ssh tcp/22": "from anywhere", [`tcp/80 on node ${bad}`]: `from ${bad}`, [bad]: bad };
  const events = [
    stepEvent({
      op: "replace",
      type: "hcloud:index/server:Server",
      name: bad,
      old: { inputs: { image: bad, userData: bad } },
      new: { inputs: { image: `${bad}2`, userData: `${bad}\n${bad}` } },
      keys: [bad],
    }),
    stepEvent({
      op: "update",
      type: "hcloud-swarm:index:SwarmCluster",
      name: bad,
      old: { inputs: {} },
      new: { inputs: { docker, policy, nodes: { [bad]: { role: "manager" }, w: { role: bad } } } },
      diffs: [bad],
    }),
    stepEvent({ op: "create", type: "command:remote:Command", name: bad, new: { inputs: { create: bad } } }),
    stepEvent({ op: "update", type: bad, name: bad, old: {}, new: {}, diffs: [bad, bad] }),
    {
      sequence: 1,
      timestamp: 1,
      policyEvent: {
        resourceUrn: urnOf(bad, bad),
        message: bad,
        policyName: bad,
        policyPackName: bad,
        policyPackVersion: bad,
        enforcementLevel: "advisory",
      },
    },
    diagnostic(bad, "error", urnOf("a:b:C", bad)),
    diagnostic(bad, "warning"),
  ];
  return (await reportOf(stream([...events, ...summary()]))).report;
}
