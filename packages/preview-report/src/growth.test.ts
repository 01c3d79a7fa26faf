import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { OperationCounter } from "./testing/operations.js";

const counter = new OperationCounter();
beforeAll(() => counter.start());
afterAll(() => counter.stop());

const CODE = /preview-report\/(src|dist)\/|mdast-util-/;

/** Everything that is done with a stack of a size, as a function; only now imported, so that it is counted. */
async function work(shape: string, size: number): Promise<() => Promise<string>> {
  const { shapes } = await import("./testing/bigStacks.js");
  const { stepEvent, stream, summary } = await import("./testing/events.js");
  const { evaluateGates, GATES } = await import("./gates/gates.js");
  const { reportOf } = await import("./preview.js");
  const { renderMarkdown } = await import("./render/markdown.js");
  const { renderText } = await import("./render/text.js");
  const steps = shapes[shape as keyof typeof shapes](size);
  const log = [...steps.map((step) => stepEvent(step)), ...summary()];
  const all = GATES.map(([name]) => name);
  return async () => {
    const { report } = await reportOf(stream(log));
    const gates = evaluateGates(report, all, [], "2030-01-01");
    renderMarkdown(report, { gates, maxChars: 0 });
    renderText(report, gates);
    return renderMarkdown(report, { gates });
  };
}

describe.each(["cluster", "openings", "plain"])("a stack of the shape %s", (shape) => {
  it("takes about five times the work for five times the nodes", { timeout: 300_000 }, async () => {
    await (await work(shape, 10))();
    const few = await counter.count(await work(shape, 60), CODE);
    const many = await counter.count(await work(shape, 300), CODE);
    expect(few).toBeGreaterThan(10_000);
    // Sorting adds a little; a loop over pairs would add a factor of five.
    expect(many / few).toBeGreaterThan(3);
    expect(many / few).toBeLessThan(6.5);
  });

  it("fits into a comment with a thousand nodes, danger and exposure first", { timeout: 300_000 }, async () => {
    const markdown = await (await work(shape, 1000))();
    expect(markdown.length).toBeLessThanOrEqual(60_000);
    expect(markdown).toContain("### Exposure");
    if (shape === "cluster") expect(markdown).toContain("Server replaced");
  });
});

it("would see a loop over pairs", async () => {
  const pairs = (size: number) => async () => {
    let equal = 0;
    for (let left = 0; left < size; left++) for (let right = 0; right < size; right++) if (same(left, right)) equal++;
    return equal;
  };
  await pairs(2)();
  const few = await counter.count(pairs(60), CODE);
  const many = await counter.count(pairs(300), CODE);
  expect(many / few).toBeGreaterThan(6.5);
});

function same(left: number, right: number): boolean {
  return left === right;
}
