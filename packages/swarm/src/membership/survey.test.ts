import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hangs, lateDate, shortTimeout } from "../testing/silentDocker";
import { parseSurvey, surveyProgram } from "./survey";
import { swarmSettingsProgram } from "./swarmSettings";

const settings = swarmSettingsProgram({ joinTokenRotation: 0, autolock: true });

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "survey-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function survey(docker: string) {
  writeFileSync(join(dir, "docker"), `#!/bin/sh\n${hangs}\n${docker}\n`);
  writeFileSync(join(dir, "timeout"), `#!/bin/sh\n${shortTimeout}\n`);
  writeFileSync(join(dir, "sleep"), "#!/bin/sh\n");
  // A second goes by with each look at the clock.
  const clock = join(dir, "clock");
  writeFileSync(join(dir, "date"), `#!/bin/sh\necho x >>'${clock}'\n${lateDate(`wc -l <'${clock}'`)}\n`);
  for (const name of ["docker", "timeout", "sleep", "date"]) chmodSync(join(dir, name), 0o755);
  const env = { ...process.env, PATH: `${dir}:${process.env.PATH}`, FAKE: dir };
  return spawnSync("sh", ["-c", `set -eu\n${settings}${surveyProgram}survey # servers 1 2`], { encoding: "utf8", env });
}

const own = (state: string) => `{"state":"${state}","nodeId":"n1","error":""}`;
const node = (id: string, more: string) =>
  `{"id":"${id}","name":"prod-${id}","role":"manager","availability":"active","state":"ready","leaving":false${more}}`;
/** Docker on a manager. */
const manager = (list: string) => `case "$*" in
  info) ;;
  *LocalNodeState*) echo '${own("active")}' ;;
  *ControlAvailable*) echo true ;;
  *Cluster.ID*) echo s1 ;;
  *AutoLock*) echo true ;;
  *unlock-key*) echo SWMKEY-1 ;;
  'node ls'*) ${list} ;;
  *join-token*) echo "SWMTKN-1-$4" ;;
  'node inspect m1'*) echo '${node("m1", ',"leader":true,"reachability":"reachable"')}' ;;
  'node inspect gone'*) echo 'no such node' >&2; exit 1 ;;
  *) exit 99 ;;
esac`;

describe("survey", () => {
  it("tells of a swarm: tokens and nodes; one that goes meanwhile is left out", () => {
    const done = survey(manager("echo m1; echo gone"));
    expect(done.status).toBe(0);
    expect(parseSurvey(done.stdout)).toEqual({
      state: "active",
      nodeId: "n1",
      error: "",
      swarm: {
        access: {
          swarmId: "s1",
          workerToken: "SWMTKN-1-worker",
          managerToken: "SWMTKN-1-manager",
          unlockKey: "SWMKEY-1",
        },
        members: [expect.objectContaining({ id: "m1", name: "prod-m1", leader: true, reachability: "reachable" })],
      },
    });
  });

  it("tells what a node is marked with", () => {
    const mark = ',"founder":"4711","server":"swarm-a"';
    const marked = survey(manager("echo m1").replace(',"leader"', `${mark},"leader"`));
    expect(parseSurvey(marked.stdout).swarm?.members).toEqual([
      expect.objectContaining({ name: "prod-m1", founder: "4711", server: "swarm-a" }),
    ]);
    for (const label of ["founder", "server"])
      expect(surveyProgram).toContain(
        `{{with index .Spec.Labels "hcloud-swarm.${label}"}},"${label}":{{json .}}{{end}}`,
      );
  });

  it("has no swarm to tell of where there is no leader, and on a node that is no manager", () => {
    const lost = survey(manager("echo 'The swarm does not have a leader' >&2; exit 1"));
    expect([lost.status, parseSurvey(lost.stdout)]).toEqual([0, { state: "active", nodeId: "n1", error: "" }]);
    const fresh = survey(`case "$*" in info) ;; *LocalNodeState*) echo '${own("inactive")}' ;; *) echo false ;; esac`);
    expect([fresh.status, parseSurvey(fresh.stdout).state]).toEqual([0, "inactive"]);
  });

  it("waits for an election, and until its new leader knows who is there, but not for ever", () => {
    const electing = (list: string) => `turn=$(cat '${join(dir, "turn")}' 2>/dev/null || echo 0)
case "$*" in 'node ls'*) echo $((turn + 1)) >'${join(dir, "turn")}' ;; esac
${manager(list)}`;
    const turns = () => Number(readFileSync(join(dir, "turn"), "utf8"));
    const elected = survey(
      electing(
        'case $turn in 0) exit 1 ;; 1) echo "m1 Ready"; echo "gone Unknown" ;; *) echo "m1 Ready"; echo "gone Down" ;; esac',
      ),
    );
    expect(parseSurvey(elected.stdout).swarm?.members).toHaveLength(1);
    expect(turns()).toBe(3);
    const unknown = survey(electing('echo "m1 Unknown"'));
    expect(parseSurvey(unknown.stdout).swarm?.members).toHaveLength(1);
    expect(turns()).toBe(3 + 30);
  });

  it("tells of the swarm, too, where its settings could not be changed", () => {
    const stubborn = survey(
      `case "$*" in *Version.Index*) exit 1 ;; *AutoLock*) echo false ;; esac\n${manager("echo m1")}`,
    );
    expect(stubborn.status).toBe(0);
    expect(stubborn.stderr).toMatch(/its settings could not be changed/);
    expect(parseSurvey(stubborn.stdout).swarm?.access.managerToken).toBe("SWMTKN-1-manager");
  });

  it("ends, when Docker is down", () => {
    const down = survey("exit 1");
    expect([down.status, parseSurvey(down.stdout).state]).toEqual([0, "unknown"]);
  });

  const silent = (requests: string) => {
    writeFileSync(join(dir, "hangs"), `${requests}\n`);
    const done = survey(manager("echo m1; echo m2"));
    return { ...done, told: parseSurvey(done.stdout) };
  };

  it("ends, when Docker takes every request and answers none", () => {
    expect(silent(".")).toMatchObject({ status: 0, told: { state: "unknown", error: "Docker does not answer" } });
    const bounds = readFileSync(join(dir, "bounds"), "utf8").trim().split("\n").map(Number);
    expect(bounds).toEqual([30]);
  });

  it.each([
    ["unknown", "ControlAvailable"],
    ["unknown", "Swarm.Error"],
    ["active", "^node ls"],
    ["active", "AutoLock"],
    ["active", "join-token"],
    ["active", "node inspect m1"],
  ])("says %s, and nothing of a swarm, when Docker stops answering at '%s'", (state, requests) => {
    const { status, told, stderr } = silent(requests);
    expect([status, told.state, told.swarm]).toEqual([0, state, undefined]);
    expect(stderr).toMatch(/no answer from Docker within \d+ s: docker (info|node ls|node inspect|swarm join-token)/);
  });

  it("reads nothing else, and quotes no token", () => {
    const token = "SWMTKN-1-secret";
    for (const text of ["", "{}", `${own("active")}\n{"swarmId":"${token}"}`, `${own("active")}\n${token}`]) {
      let message = "";
      try {
        parseSurvey(text);
      } catch (error) {
        message = String(error);
      }
      expect(message).toMatch(/cannot be read/);
      expect(message).not.toContain(token);
    }
  });

  const shellcheck = spawnSync("shellcheck", ["--version"]).status === 0;
  it.skipIf(!shellcheck)("leaves shellcheck nothing to say", () => {
    const done = spawnSync("shellcheck", ["-s", "sh", "-"], {
      input: `${settings}${surveyProgram}survey\n`,
      encoding: "utf8",
    });
    expect(done.stdout).toBe("");
  });
});
