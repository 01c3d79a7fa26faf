import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { claim, readHost } from "./hostRecord.js";
import { identify } from "./support/processes.js";

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "host-record-"));
  path = join(directory, "region.json");
});
afterEach(() => rmSync(directory, { recursive: true }));

function self() {
  const host = identify(process.pid);
  if (!host) throw new Error("this process is not there");
  return host;
}
const gone = { pid: process.pid, startTime: "1" };

describe("readHost", () => {
  it("knows a region that another version started, whatever else its record holds", () => {
    writeFileSync(path, JSON.stringify({ settings: { name: "x", unheardOf: 1 }, host: self() }));
    expect(readHost(path)).toEqual(self());
  });

  it("tells a stopped region from one that nobody knows about", () => {
    expect(readHost(path)).toBeUndefined();
    for (const text of ["", "{}", '{"host":{"pid":"x"}}']) {
      writeFileSync(path, text);
      expect(() => readHost(path), text).toThrow(/does not say which process/);
    }
  });
});

describe("claim", () => {
  it("takes over from a process that is gone, never from one that lives", () => {
    claim(path, gone);
    claim(path, self());
    expect(readHost(path)).toEqual(self());
    expect(() => claim(path, { pid: 1, startTime: "2" })).toThrow(/runs already/);
    expect(readHost(path)).toEqual(self());
    expect(readdirSync(directory)).toEqual(["region.json"]);
  });
});
