import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type SwarmWideSettings, swarmSettingsProgram } from "./swarmSettings";

/**
 * A swarm, played by files: `rotation`, `locks`, `version`. The Engine takes a request for the version that it is at only, and
 * Docker's own templates are told apart by what they ask for.
 */
const fakes = {
  docker: `case "$*" in
  *Version.Index*) cat "$FAKE/version"; [ ! -e "$FAKE/other" ] || { mv "$FAKE/other" "$FAKE/rotation"; echo 9 >"$FAKE/version"; } ;;
  *'"Name":'*) printf '%s' "$3" ;;
  *AutoLockManagers*) cat "$FAKE/locks" ;;
  *'with .Labels'*) cat "$FAKE/rotation" ;;
  'swarm unlock-key --quiet') echo SWMKEY-1-secret ;;
  *) exit 99 ;;
esac`,
  curl: `body=$(cat); for url; do :; done
case $* in *' --max-time '*) ;; *) exit 98 ;; esac
echo "$url" >>"$FAKE/requests"; echo "$body" >>"$FAKE/bodies"; echo "$*" >>"$FAKE/arguments"
case $url in *"version=$(cat "$FAKE/version")"*) ;; *) echo '{"message":"update out of sequence"}'; exit 0 ;; esac
[ ! -e "$FAKE/broken" ] || { echo '{"message":"no leader"}'; exit 0; }
echo "$body" | sed -n 's/.*join-token-rotation":"\\([0-9]*\\)"}.*/\\1/p' >"$FAKE/rotation"
echo "$body" | sed -n 's/.*"AutoLockManagers":\\([a-z]*\\)}}.*/\\1/p' >"$FAKE/locks"
echo $(($(cat "$FAKE/version") + 1)) >"$FAKE/version"`,
  sleep: ":",
};

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "settings-"));
  for (const [name, body] of Object.entries(fakes)) {
    writeFileSync(join(dir, name), `#!/bin/sh\n${body}\n`);
    chmodSync(join(dir, name), 0o755);
  }
  set({ locks: "false", rotation: "", version: "4" });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function set(files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text === "" ? "" : `${text}\n`);
}
const read = (name: string) => (existsSync(join(dir, name)) ? readFileSync(join(dir, name), "utf8") : "").trim();
function run(settings: Partial<SwarmWideSettings>, command = "settle_swarm") {
  const env = { ...process.env, PATH: `${dir}:${process.env.PATH}`, FAKE: dir };
  const program = swarmSettingsProgram({ joinTokenRotation: 0, ...settings });
  const shell = spawnSync("sh", ["-c", `set -eu\n${program}${command}`], { env, encoding: "utf8" });
  return { status: shell.status, stdout: shell.stdout, stderr: shell.stderr };
}
const quiet = { status: 0, stdout: "", stderr: "" };
const rotations = () => read("requests").match(/&rotateWorkerToken=true&rotateManagerToken=true$/gm)?.length ?? 0;

describe("join tokens", () => {
  it("are left alone at first", () => {
    expect(run({})).toEqual(quiet);
    expect(read("requests")).toBe("");
  });

  it("are both rotated once for each number, in one request, whoever runs it how often", () => {
    for (const _ of [1, 2, 3]) expect(run({ joinTokenRotation: 1 })).toEqual(quiet);
    expect(rotations()).toBe(1);
    expect(run({ joinTokenRotation: 3 })).toEqual(quiet);
    expect(rotations()).toBe(2);
    expect(read("rotation")).toBe("3");
  });

  it("are not rotated by a smaller number, which is not remembered either", () => {
    set({ rotation: "5" });
    expect(run({ joinTokenRotation: 2, autolock: true })).toEqual(quiet);
    expect(rotations()).toBe(0);
    expect([read("rotation"), read("locks")]).toEqual(["5", "true"]);
  });

  it("are not rotated twice by two managers at a time", () => {
    // Between this manager's look and its request, another one's request gets through.
    set({ other: "1" });
    expect(run({ joinTokenRotation: 1 })).toEqual(quiet);
    expect(read("rotation")).toBe("1");
    expect(read("requests").split("\n")).toHaveLength(1);
  });

  it("stay as they are where the swarm refuses, and that is told", () => {
    set({ broken: "yes" });
    const { status, stderr } = run({ joinTokenRotation: 1 });
    expect(status).toBe(1);
    expect(stderr).toBe('swarm: its settings could not be changed: {"message":"no leader"}\n');
    expect(read("requests").split("\n")).toHaveLength(10);
  });
});

describe("autolock", () => {
  it("goes on and off", () => {
    for (const autolock of [true, true, false, false]) {
      expect(run({ autolock })).toEqual(quiet);
      expect(read("locks")).toBe(String(autolock));
    }
    expect(read("requests").split("\n")).toHaveLength(2);
    expect(rotations()).toBe(0);
  });

  it("stays as the swarm has it where nothing is said", () => {
    set({ locks: "true" });
    expect(run({ joinTokenRotation: 1 })).toEqual(quiet);
    expect(read("locks")).toBe("true");
    expect(run({}, "unlock_key").stdout).toBe("SWMKEY-1-secret\n");
  });

  it("has a key only where it is on", () => {
    expect(run({}, "unlock_key")).toEqual(quiet);
  });
});

it("hands the rest of the swarm's settings back as they are, for the Engine sets what is left out to its defaults", () => {
  run({ joinTokenRotation: 1 });
  for (const part of ["Orchestration", "Raft", "Dispatcher", "CAConfig", "TaskDefaults"])
    expect(read("bodies")).toContain(`"${part}":{{json .${part}}}`);
  expect(read("bodies")).toContain("{{json .Name}}");
});

const shellcheck = spawnSync("shellcheck", ["--version"]).status === 0;
it.skipIf(!shellcheck)("leaves shellcheck nothing to say", () => {
  const input = `${swarmSettingsProgram({ joinTokenRotation: 1, autolock: true })}settle_swarm\nunlock_key\n`;
  expect(spawnSync("shellcheck", ["-s", "sh", "-"], { input, encoding: "utf8" }).stdout).toBe("");
});
