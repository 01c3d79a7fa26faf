import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  evaluateGates,
  GATES,
  type Report,
  renderMarkdown,
  reportOf,
} from "../../packages/preview-report/src/index.js";
import { clusterSteps, stepEvent, stream, summary } from "../../packages/preview-report/src/testing/events.js";
import { HOSTILE, reportWith } from "../../packages/preview-report/src/testing/hostile.js";
import { launch, newView, type View } from "./src/browser.js";
import { expectedTables } from "./src/expected.js";
import { type Html, page as pageOf } from "./src/github.js";
import { draw, inspect, type PageContent } from "./src/inspect.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const output = join(root, "test-output", "pages");
const mermaidScript = createRequire(import.meta.url).resolve("mermaid/dist/mermaid.min.js");
const recorded = join(root, "test", "preview", "recorded");

let browser: Browser;
let view: View;
beforeAll(async () => {
  mkdirSync(output, { recursive: true });
  browser = await launch();
  view = await newView(browser);
});
afterAll(async () => browser?.close());

const ALLOWED = "article code details h3 li p pre strong summary table tbody td th thead tr ul".split(" ");

/** The Markdown as a page that has done nothing by itself. */
async function shown<T>(
  markdown: string,
  html: Html,
  use: (page: Page, content: PageContent) => T | Promise<T>,
): Promise<T> {
  const { page, deeds } = view;
  await view.show(pageOf(markdown, html));
  const content = await page.evaluate(inspect);
  const result = await use(page, content);
  expect(deeds).toEqual([]);
  return result;
}

/** Nothing is there but what a report is made of, and its tables are whole. */
function expectHarmless(content: PageContent): void {
  expect(content.tags.filter((it) => !ALLOWED.includes(it))).toEqual([]);
  expect(content.attributes.filter((it) => it !== "class" && it !== "align")).toEqual([]);
  expect([content.comments, content.openFolds, content.overflows]).toEqual([0, 0, false]);
  for (const { head, rows, inside } of content.tables) {
    expect(rows.filter((cells) => cells !== head.length)).toEqual([]);
    expect(rows.length).toBeGreaterThan(0);
    expect(inside).toBe(true);
  }
}

const sizes = (content: PageContent) => content.tables.map(({ head, rows }) => ({ head, rows: rows.length }));
const wanted = (report: Report) => expectedTables(report).map(({ head, rows }) => ({ head, rows }));
const gatesOf = (report: Report) =>
  evaluateGates(
    report,
    GATES.map(([name]) => name),
    [],
    "2030-01-01",
  );

const office = "from 192.0.2.0/24";
const before = { "ssh tcp/22": office, "tcp/80": "from anywhere", "udp/51820": office };
const three = { "manager-1": "manager", "manager-2": "manager", "worker-1": "worker" } as const;
async function clusterReport(
  nodes: Record<string, "manager" | "worker">,
  op = "update",
  replaced: string[] = [],
): Promise<Report> {
  const after = {
    "ssh tcp/22": "from anywhere",
    "tcp/80": "from anywhere",
    "tcp/8443": "from anywhere",
    "tcp/9000-9100 on pool worker": office,
  };
  const steps = clusterSteps(op, { before, after }, nodes, (name) =>
    replaced.includes(name) ? { op: "replace", keys: ["image"] } : {},
  );
  return (await reportOf(stream([...steps.map((step) => stepEvent(step)), ...summary()]))).report;
}
const many = (count: number) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) => [
      `node-${index * 2}`,
      index < 7 ? ("manager" as const) : ("worker" as const),
    ]),
  );

it("sees what a page does: the same texts in a page that lets them do it", async () => {
  const hostile =
    "<script>alert(1)</script>\n\n<img src='http://evil.example/x.png' onerror='alert(2)'>\n\n| a |\n| - |\n| b | c |\n";
  await view.show(pageOf(hostile, "raw"));
  expect(view.deeds).toContain("dialog 1");
  expect(view.deeds.some((it) => it.startsWith("request http://evil.example"))).toBe(true);
  const content = await view.page.evaluate(inspect);
  expect(content.tags).toContain("script");
  expect(() => expectHarmless(content)).toThrow();
  await view.show(pageOf(hostile, "sanitised"));
  expect(view.deeds.filter((it) => it.startsWith("dialog"))).toEqual([]);
});

describe("a cluster's report", () => {
  const reports: [string, () => Promise<Report>][] = [
    ["creation", () => clusterReport(three, "create")],
    ["ports", () => clusterReport(three)],
    ["managers-replaced", () => clusterReport(three, "update", ["manager-1", "manager-2"])],
    ["hundred-nodes", () => clusterReport(many(100), "update", ["node-0", "node-40"])],
  ];
  it.each(reports)("%s: its tables are those of its JSON, its picture is drawn", async (name, make) => {
    const report = await make();
    const markdown = renderMarkdown(report, { gates: gatesOf(report) });
    await shown(markdown, "raw", (_page, content) => expectHarmless(content));
    await shown(markdown, "sanitised", async (page, content) => {
      expectHarmless(content);
      expect(sizes(content)).toEqual(wanted(report));
      await page.screenshot({ path: join(output, `${name}.png`), fullPage: true });
      await expectDrawn(page, content, join(output, `${name}-open.png`));
    });
  });

  it("a thousand nodes: cut to its size, and each table whole all the same", async () => {
    const report = await clusterReport(many(1000), "create");
    const full = renderMarkdown(report, { maxChars: 0 });
    const markdown = renderMarkdown(report);
    expect(full.length).toBeGreaterThan(60_000);
    expect(markdown.length).toBeLessThanOrEqual(60_000);
    await shown(markdown, "sanitised", async (page, content) => {
      expectHarmless(content);
      const expected = wanted(report);
      for (const { head, rows } of sizes(content))
        expect(expected.some((it) => it.head.join() === head.join() && rows <= it.rows)).toBe(true);
      expect(content.words).toMatch(/Cut to fit the size of a comment/);
      const cut = [...content.words.matchAll(/(\d+) more rows? cut/g)].map(([, count]) => Number(count));
      const missing = (all: { rows: number }[]) => all.reduce((sum, { rows }) => sum + rows, 0);
      const dropped = expected.filter((it) => !content.tables.some(({ head }) => head.join() === it.head.join()));
      expect(missing(sizes(content)) + missing(dropped) + cut.reduce((sum, it) => sum + it, 0)).toBe(missing(expected));
      await page.screenshot({ path: join(output, "thousand-nodes.png"), fullPage: true });
    });
  });
});

async function expectDrawn(page: Page, content: PageContent, screenshot: string): Promise<void> {
  const text = content.code.find((it) => it.startsWith("flowchart LR"));
  if (text === undefined) return;
  // GitHub draws no more than that.
  expect(text.length).toBeLessThan(50_000);
  await page.addScriptTag({ path: mermaidScript });
  const picture = await page.evaluate(draw);
  const lines = text.trimEnd().split("\n").slice(1);
  const labels = lines.flatMap((line) => /^ {2}\w+\(?\["(.*?)"\]\)?$/.exec(line)?.[1] ?? []);
  expect([...picture.nodes].sort()).toEqual([...labels].sort());
  expect(picture.edges).toBe(lines.length - labels.length);
  expect(picture.active).toEqual([]);
  await page.screenshot({ path: screenshot, fullPage: true });
}

describe("hostile text", () => {
  it("changes nothing of the page, whatever HTML is let through", async () => {
    const harmless = await reportWith("fine");
    const skeleton = await shown(
      renderMarkdown(harmless, { gates: gatesOf(harmless) }),
      "sanitised",
      (_page, it) => it,
    );
    expect(sizes(skeleton)).toEqual(wanted(harmless));
    for (const bad of HOSTILE) {
      const report = await reportWith(bad);
      const markdown = renderMarkdown(report, { gates: gatesOf(report) });
      for (const html of ["raw", "sanitised"] as const) {
        await shown(markdown, html, (_page, content) => {
          expectHarmless(content);
          expect([bad, sizes(content)]).toEqual([bad, wanted(report)]);
          expect([bad, content.folds]).toEqual([bad, skeleton.folds]);
          // Nobody is called, nothing is linked, no issue is named: that happens outside code only.
          expect(content.words).not.toMatch(/octocat|evil|onerror|alert|:tada:|#1\b/);
        });
      }
    }
  });

  it("is still to be read", async () => {
    for (const bad of ["a|b", "</details>", "-->", "<script>alert(1)</script>", "@octocat", "```"]) {
      const report = await reportWith(bad);
      await shown(renderMarkdown(report), "sanitised", (_page, content) => {
        expect(content.code.some((it) => it.includes(bad))).toBe(true);
      });
    }
  });

  it("is drawn as text in the picture", async () => {
    const name = 'x"]:::a --> y["<script>alert(1)</script><img src=x onerror=alert(2)>|%%{init: {}}%%';
    const report = await clusterReport({ [name]: "manager", "worker-1": "worker" }, "create");
    await shown(renderMarkdown(report), "sanitised", async (page, content) => {
      expectHarmless(content);
      await expectDrawn(page, content, join(output, "hostile-open.png"));
    });
  });
});

/** Reports of previews that the engine really ran, with their JSON beside them. */
const names = existsSync(recorded) ? readdirSync(recorded).filter((it) => it.endsWith(".md")) : [];
describe.runIf(names.length > 0)("recorded reports", () => {
  it.each(names.map((it) => it.slice(0, -3)))("%s", async (name) => {
    const markdown = readFileSync(join(recorded, `${name}.md`), "utf8");
    const report: Report = JSON.parse(readFileSync(join(recorded, `${name}.json`), "utf8"));
    await shown(markdown, "raw", (_page, content) => expectHarmless(content));
    await shown(markdown, "sanitised", async (page, content) => {
      expectHarmless(content);
      if (!content.words.includes("Cut to fit the size")) expect(sizes(content)).toEqual(wanted(report));
      await page.screenshot({ path: join(output, `recorded-${name}.png`), fullPage: true });
      await expectDrawn(page, content, join(output, `recorded-${name}-open.png`));
    });
  });
});
