import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startAction } from "./actions.js";
import { createEngine } from "./engine.js";
import { emptyState, parseState, printState, takeId } from "./state.js";
import { fileStore, memoryStore } from "./store.js";

const clock = () => new Date("2026-06-01T12:00:00Z");

describe("changes", () => {
  test("are kept and saved when they return", () => {
    const store = memoryStore();
    const engine = createEngine({ store, clock });
    expect(engine.change((draft) => takeId(draft))).toBe(1001);
    expect(engine.state.nextId).toBe(1002);
    expect(parseState(store.load() ?? "")).toEqual(engine.state);
  });

  test("leave nothing when they throw", () => {
    const store = memoryStore();
    const engine = createEngine({ store, clock });
    const before = engine.state;
    expect(() =>
      engine.change((draft) => {
        takeId(draft);
        throw new Error("no");
      }),
    ).toThrow("no");
    expect(engine.state).toBe(before);
    expect(store.load()).toBeUndefined();
  });

  test("are not kept when they cannot be saved", () => {
    const engine = createEngine({
      store: {
        load: () => undefined,
        save: () => {
          throw new Error("disk full");
        },
      },
      clock,
    });
    expect(() => engine.change((draft) => takeId(draft))).toThrow("disk full");
    expect(engine.state.nextId).toBe(1001);
  });
});

describe("jobs", () => {
  test("of one key run in turn, those of others beside them", async () => {
    const engine = createEngine({ store: memoryStore(), clock });
    const order: string[] = [];
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const first = engine.run("a", [], async () => {
      await gate;
      order.push("a1");
    });
    void engine.run("a", [], async () => void order.push("a2"));
    await engine.run("b", [], async () => void order.push("b1"));
    expect(order).toEqual(["b1"]);
    release();
    await first;
    await engine.idle();
    expect(order).toEqual(["b1", "a1", "a2"]);
  });

  test("finish their actions, well or not, and a failure does not stop the next", async () => {
    const engine = createEngine({ store: memoryStore(), clock });
    const start = () => engine.change((draft, now) => startAction(draft, now, { command: "c", resources: [] })).id;
    const [bad, good] = [start(), start()];
    void engine.run("a", [bad], async () => {
      throw new Error("the disk is full");
    });
    await engine.run("a", [good], async () => {});
    const byId = Object.fromEntries(engine.state.actions.map((action) => [action.id, action]));
    expect(byId[bad]).toMatchObject({ status: "error", error: { code: "action_failed", message: "the disk is full" } });
    expect(byId[good]).toMatchObject({ status: "success", progress: 100, finished: "2026-06-01T12:00:00.000Z" });
  });

  test("exclusive ones hand their error on", async () => {
    const engine = createEngine({ store: memoryStore(), clock });
    await expect(engine.exclusive("a", async () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    await engine.exclusive("a", async () => {});
  });
});

test("old finished actions are forgotten, running ones are not", async () => {
  const engine = createEngine({ store: memoryStore(), clock });
  engine.change((draft, now) => {
    startAction(draft, now, { command: "slow", resources: [] });
    for (let count = 0; count < 1500; count += 1) {
      const action = startAction(draft, now, { command: "quick", resources: [] });
      action.status = "success";
    }
  });
  expect(engine.state.actions.length).toBeLessThanOrEqual(1001);
  expect(engine.state.actions[0]).toMatchObject({ command: "slow", status: "running" });
});

describe("the file store", () => {
  let directory = "";
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "region-store-"));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  test("loads what was saved, leaves one file, readable by its owner only", () => {
    const path = join(directory, "deep", "api.json");
    expect(fileStore(path).load()).toBeUndefined();
    fileStore(path).save("one");
    fileStore(path).save("two");
    expect(fileStore(path).load()).toBe("two");
    expect(readdirSync(join(directory, "deep"))).toEqual(["api.json"]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test("other errors than a missing file are errors", () => {
    expect(() => fileStore(directory).load()).toThrow("EISDIR");
  });
});

test("a text that is no state is refused with the reason", () => {
  expect(parseState(printState(emptyState()))).toEqual(emptyState());
  expect(() => parseState(JSON.stringify({ ...emptyState(), version: 2 }))).toThrow(/not readable[\s\S]*version/);
  expect(() => createEngine({ store: memoryStore("{"), clock })).toThrow();
});
