import { micromark } from "micromark";
import { gfm, gfmHtml } from "micromark-extension-gfm";
import { type DefaultTreeAdapterMap, parseFragment } from "parse5";
import { expect, it } from "vitest";
import { evaluateGates, GATES } from "../gates/gates.js";
import { reportOf } from "../preview.js";
import { diagnostic, stepEvent, stream, summary, urnOf } from "../testing/events.js";
import { renderMarkdown } from "./markdown.js";
import { renderText } from "./text.js";

type Node = DefaultTreeAdapterMap["node"];
type Element = DefaultTreeAdapterMap["element"];

/** Texts that end a table's cell, a row, a code span or block, an HTML comment or a fold, or that call somebody. */
const HOSTILE = [
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

function elements(node: Node, found: Element[] = []): Element[] {
  if ("tagName" in node) found.push(node);
  if ("childNodes" in node) for (const child of node.childNodes) elements(child, found);
  return found;
}
const textOf = (node: Node): string =>
  "value" in node ? node.value : "childNodes" in node ? node.childNodes.map(textOf).join("") : "";
const comments = (node: Node): number =>
  (node.nodeName === "#comment" ? 1 : 0) +
  ("childNodes" in node ? node.childNodes.reduce((sum, it) => sum + comments(it), 0) : 0);

/** As GitHub does: GFM with raw HTML let through, which is the worst case for us. */
function rendered(markdown: string) {
  return parseFragment(
    micromark(markdown, { extensions: [gfm()], htmlExtensions: [gfmHtml()], allowDangerousHtml: true }),
  );
}

async function reportWith(bad: string) {
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

it.each(HOSTILE.map((bad) => [bad]))("keeps %j where it belongs", async (bad) => {
  const report = await reportWith(bad);
  const gates = evaluateGates(
    report,
    GATES.map(([name]) => name),
    [{ gate: "reboot", reason: bad, expires: "2999-01-01" }],
    "2030-01-01",
  );
  const markdown = renderMarkdown(report, { gates });
  const tree = rendered(markdown);
  const all = elements(tree);
  const allowed = [
    "p",
    "strong",
    "code",
    "pre",
    "h3",
    "ul",
    "li",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "details",
    "summary",
  ];
  expect([...new Set(all.map((it) => it.tagName))].filter((it) => !allowed.includes(it))).toEqual([]);
  expect(comments(tree)).toBe(0);
  for (const element of all) {
    expect(element.attrs.map((it) => it.name).filter((it) => it !== "class" && it !== "align")).toEqual([]);
    if (element.tagName !== "table") continue;
    const widths = elements(element)
      .filter((it) => it.tagName === "tr")
      .map((row) => row.childNodes.filter((it) => /^t[dh]$/.test(it.nodeName)).length);
    expect(new Set(widths).size).toBe(1);
    expect(widths.length).toBeGreaterThan(1);
  }
  // The same skeleton as with a harmless name: nothing was added and nothing swallowed.
  const harmless = elements(
    rendered(
      renderMarkdown(await reportWith("fine"), {
        gates: evaluateGates(
          await reportWith("fine"),
          GATES.map(([name]) => name),
          [],
          "2030-01-01",
        ),
      }),
    ),
  );
  const count = (list: Element[], tag: string) => list.filter((it) => it.tagName === tag).length;
  for (const tag of ["details", "summary", "h3"]) expect(count(all, tag)).toBe(count(harmless, tag));
  const outside = all
    .filter((it) => !["code", "pre"].includes(it.tagName))
    .flatMap((it) => it.childNodes)
    .filter((it) => it.nodeName === "#text")
    .map(textOf)
    .join(" ");
  expect(outside).not.toMatch(/octocat|evil|onerror|:tada:|alert/);
  expect(renderText(report).replaceAll("\n", "")).not.toMatch(/\p{Cc}|\p{Cf}/u);
});
