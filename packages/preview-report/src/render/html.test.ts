import { micromark } from "micromark";
import { gfm, gfmHtml } from "micromark-extension-gfm";
import { type DefaultTreeAdapterMap, parseFragment } from "parse5";
import { expect, it } from "vitest";
import { evaluateGates, GATES } from "../gates/gates.js";
import { HOSTILE, reportWith } from "../testing/hostile.js";
import { renderMarkdown } from "./markdown.js";
import { renderText } from "./text.js";

type Node = DefaultTreeAdapterMap["node"];
type Element = DefaultTreeAdapterMap["element"];

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
