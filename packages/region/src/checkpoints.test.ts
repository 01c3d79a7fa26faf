import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CheckpointStore } from "./checkpoints.js";
import { checkName, layoutOf } from "./layout.js";

const machine = (serverId: number, disk: string) => ({
  record: {
    spec: { serverId, name: `s${serverId}`, image: "debian-13", cores: 1, memory: 1024, disk: 40 },
    privateInterfaces: [],
    disk,
    base: "/images/x",
  },
  running: true,
});

describe("CheckpointStore", () => {
  let directory: string;
  let store: CheckpointStore;
  const put = (name: string, ...machines: ReturnType<typeof machine>[]) =>
    store.put({ name, created: "2026-01-01T00:00:00.000Z", fingerprint: "tcg", api: "{}", machines });

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "checkpoints-"));
    store = new CheckpointStore(join(directory, "deep"));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it("is empty at first", () => {
    expect(store.list()).toEqual([]);
    expect(store.isKept(1, "disk-1.qcow2")).toBe(false);
  });

  it("keeps disks as long as one checkpoint names them", () => {
    put("a", machine(1, "disk-1.qcow2"));
    put("b", machine(1, "disk-1.qcow2"), machine(2, "disk-1.qcow2"));
    store.remove("b");
    expect(store.isKept(1, "disk-1.qcow2")).toBe(true);
    expect(store.isKept(1, "disk-2.qcow2")).toBe(false);
    expect(store.isKept(2, "disk-1.qcow2")).toBe(false);
  });

  it("keeps volumes as long as one checkpoint names them, and reads checkpoints of before there were any", () => {
    const checkpoint = { created: "2026-01-01T00:00:00.000Z", fingerprint: "tcg", api: "{}", machines: [] };
    store.put({ ...checkpoint, name: "old" });
    store.put({ ...checkpoint, name: "new", volumes: [7] });
    expect([store.isVolumeKept(7), store.isVolumeKept(8)]).toEqual([true, false]);
    store.remove("new");
    expect(store.isVolumeKept(7)).toBe(false);
  });

  it("says which checkpoint is missing, and refuses names that are paths", () => {
    expect(() => store.get("ready")).toThrow('there is no checkpoint "ready"');
    for (const name of ["../x", "a/b", "", ".hidden", "a b"])
      expect(() => store.get(name)).toThrow("a checkpoint's name");
  });
});

describe("layout", () => {
  it("takes names that cannot be mistaken for one another", () => {
    expect(checkName("demo1")).toBe("demo1");
    for (const name of ["a-b", "A", "", "a/b", "x".repeat(21)])
      expect(() => checkName(name)).toThrow("a region's name");
  });

  it("refuses state directories too deep for sockets", () => {
    expect(() => layoutOf("a", `/${"x".repeat(90)}`)).toThrow("--state-dir");
  });
});
