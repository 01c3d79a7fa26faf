import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { settledProgram } from "./settled";

let directory: string;
const file = (name: string) => join(directory, name);
function executable(name: string, text: string): void {
  writeFileSync(file(name), `#!/bin/sh\n${text}`);
  chmodSync(file(name), 0o755);
}
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "settled-"));
});

/** What Docker says, one answer after the other; the last one again and again, until `seconds` have gone by. */
function run(seconds: number, role: "manager" | "worker", ...answers: string[]) {
  writeFileSync(file("answers"), answers.map((answer) => `${answer}\n`).join(""));
  const next = `head -n 1 ${file("answers")}; [ "$(wc -l <${file("answers")})" -eq 1 ] || sed -i 1d ${file("answers")}`;
  executable("docker", `[ "$1 $2" = 'info --format' ] || exit 2\n${next}\n`);
  const program = settledProgram(role, seconds);
  const environment = { ...process.env, PATH: `${directory}:${process.env.PATH}` };
  const { status, stderr } = spawnSync("sh", ["-s"], { input: program, encoding: "utf8", env: environment });
  return { status, stderr };
}

describe("a node, once others have come or gone", () => {
  it.each([["manager", "active true "] as const, ["worker", "active false "] as const])(
    "is what it is to be: a %s",
    (role, answer) => expect(run(60, role, answer)).toEqual({ status: 0, stderr: "" }),
  );

  it("waits for one that lost the swarm when its role changed, and finds back", () => {
    const lost = "error false manager stopped: rpc error";
    expect(run(60, "manager", lost, "active false ", lost, "active true ")).toMatchObject({ status: 0, stderr: "" });
  });

  it.each([
    ["manager", "error false manager stopped: context deadline exceeded"],
    ["manager", "active false "],
    ["worker", "active true "],
    ["worker", "inactive false "],
  ] as const)("fails with what a %s says where it stays so: %s", (role, answer) => {
    const { status, stderr } = run(3, role, answer);
    expect(status).toBe(1);
    expect(stderr).toContain(`swarm: this node is no ${role} of its swarm after 3 s. It says: ${answer.trim()}`);
  });

  it("says at once that a manager is locked, and what to do", () => {
    const { status, stderr } = run(60, "manager", "locked false ");
    expect(status).toBe(1);
    expect(stderr).toMatch(/run 'docker swarm unlock', with the output unlockKey/);
  });
});
