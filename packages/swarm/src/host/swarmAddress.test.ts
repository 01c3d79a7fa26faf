/** Which addresses a swarm may run over, as the verification judges it. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { agentScript } from "./agentSources";

let home = "";
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "address-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

/** The checks of addresses that fail on a node that advertises `address` and has these peers. */
function failed(address: string, peers: string[], { ours = false } = {}): string[] {
  const etc = join(home, "etc/hcloud-iptables");
  const work = join(home, "work");
  for (const folder of [etc, work]) mkdirSync(folder, { recursive: true });
  writeFileSync(join(etc, "peers"), peers.map((peer) => `${peer}\n`).join(""));
  for (const fact of ["units", "cmdline", "environ", "networks", "listeners"]) writeFileSync(join(work, fact), "");
  writeFileSync(
    join(work, "info"),
    JSON.stringify({ DockerRootDir: "/docker", Swarm: { NodeAddr: address, LocalNodeState: "active" } }),
  );
  const judging = `${agentScript.replace(/\nmain "\$@"\n$/, "\n")}
    WORK=${work}
    cgroup_of() { ${ours ? "echo hcloud-swarm.slice" : ":"}; }
    ${ours ? `mkdir -p "$WORK/stored"; : >"$WORK/stored/4"` : ""}
    judge_docker`;
  const run = spawnSync("sh", ["-c", judging], { encoding: "utf8", env: { ...process.env, HC_ROOT: home } });
  expect([run.status, run.stderr]).toEqual([0, ""]);
  return run.stdout
    .split("\n")
    .map((line) => line.split("\t"))
    .filter(([name = "", must, is]) => /address/.test(name) && must !== is)
    .map(([name]) => name ?? "");
}
const both = ["swarm-address-private", "data-path-address-private"];

it("is a private one", () => {
  expect(failed("10.0.0.2", ["10.0.0.3"])).toEqual([]);
  expect(failed("203.0.113.2", ["10.0.0.3"])).toEqual(both);
});

it("may be a public one where the program names public ones", () => {
  expect(failed("203.0.113.2", ["203.0.113.3", "203.0.113.4"])).toEqual([]);
  expect(failed("2001:db8::2", ["2001:db8::3"])).toEqual([]);
});

it("may be a public one on a host that was there before and is alone, but not on a server of ours", () => {
  expect(failed("203.0.113.2", [])).toEqual([]);
  expect(failed("203.0.113.2", [], { ours: true })).toEqual(both);
});
