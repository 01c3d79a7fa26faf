import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type MountedVolume, mountProgram, systemPath, unmountArgument } from "./volumes";

describe("where volumes are mounted", () => {
  it.each(["/", "/etc", "/etc/x", "/var", "/var/lib", "/var/lib/docker", "/usr/local/x", "/run/x", "/mnt", "/lib64/x"])(
    "not %s",
    (path) => expect(path === "/" || systemPath.test(path)).toBe(true),
  );
  it.each(["/mnt/data", "/srv/data", "/data", "/var/lib/postgresql", "/var/log/app", "/opt/x", "/etcetera"])(
    "but %s",
    (path) => expect(path).not.toMatch(systemPath),
  );
});

describe("the program that mounts, run with stand-ins", () => {
  let home = "";
  const log = () => (existsSync(join(home, "log")) ? readFileSync(join(home, "log"), "utf8").trim().split("\n") : []);
  const at = (path: string) => join(home, path);
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "volumes-"));
    for (const directory of ["bin", "units", "disks", "mounted"]) mkdirSync(at(directory));
    const stands: Record<string, string> = {
      // A mount is a file in `mounted`, named after the directory's last part.
      systemctl: `case "$1" in
        start) d=$(sed -n 's/^What=//p' "${at("units")}/$2"); w=$(sed -n 's/^Where=//p' "${at("units")}/$2")
          echo "\${d##*Volume_}" >"${at("mounted")}/\${w##*/}" ;;
        stop) w=$(sed -n 's/^Where=//p' "${at("units")}/$2"); [ -e ${at("busy")} ] || rm -f "${at("mounted")}/\${w##*/}" ;;
      esac`,
      "systemd-escape": 'shift 2; echo "$1" | sed "s|^/||; s|/|-|g; s|$|.mount|"',
      mountpoint: `[ -e "${at("mounted")}/\${2##*/}" ]`,
      findmnt: `for w; do :; done; echo "8:$(cat "${at("mounted")}/\${w##*/}")"`,
      lsblk: `for d; do :; done; echo "8:\${d##*Volume_}"`,
      blkid: `for d; do :; done; cat "$d"; [ -s "$d" ]`,
      resize2fs: "",
      chattr: "",
      sleep: "",
    };
    for (const [name, text] of Object.entries(stands))
      writeFileSync(at(`bin/${name}`), `#!/bin/sh\necho "${name} $*" >>"${at("log")}"\n${text}\n`, { mode: 0o755 });
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  function disk(id: string, kind = "ext4") {
    writeFileSync(at(`disks/Volume_${id}`), kind);
  }
  const volume = (id: string, name: string, size = 10): MountedVolume => ({ id, mountPath: at(name), size });
  function run(volumes: readonly MountedVolume[], ...args: string[]) {
    const input = mountProgram(volumes)
      .replaceAll("/etc/systemd/system", at("units"))
      .replaceAll("/dev/disk/by-id/scsi-0HC_Volume_", at("disks/Volume_"))
      .replaceAll("[ -b ", "[ -e ")
      .replace("cat /proc/[0-9]*/mountinfo", `sed 's/^/1 2 8:/; s/$/ /' "${at("held")}"`)
      .replace("until_true 60", "until_true 1")
      .replace("until_true 15", "until_true 1");
    rmSync(at("log"), { force: true });
    const env = { PATH: `${at("bin")}:/usr/bin:/bin` };
    const { status, stderr } = spawnSync("sh", ["-s", ...args], { input, env, encoding: "utf8" });
    return { status, stderr, mounted: readdirSync(at("mounted")).sort(), units: readdirSync(at("units")).length };
  }

  it("mounts what is there, before Docker, and lets it grow; once more it changes nothing", () => {
    disk("7");
    disk("8");
    const volumes = [volume("7", "a"), volume("8", "b")];
    for (let round = 0; round < 2; round += 1)
      expect(run(volumes)).toMatchObject({ status: 0, mounted: ["a", "b"], units: 2 });
    const [unit = ""] = readdirSync(at("units")).map((name) => readFileSync(join(at("units"), name), "utf8"));
    expect(unit).toMatch(/Before=docker\.service[\s\S]*What=.*Volume_7\nWhere=.*\/a\nType=ext4/);
    expect(log().filter((line) => line.startsWith("resize2fs"))).toHaveLength(2);
    expect(log()).not.toContainEqual(expect.stringMatching(/^(chattr|systemctl stop)/));
  });

  it("unmounts what is not named any more, and what moves to another path", () => {
    for (const id of ["7", "8"]) disk(id);
    run([volume("7", "a"), volume("8", "b")]);
    expect(run([volume("8", "c")])).toMatchObject({ status: 0, mounted: ["c"], units: 1 });
    expect(existsSync(at("a"))).toBe(false);
    expect(run([volume("8", "c")], unmountArgument)).toMatchObject({ status: 0, mounted: [], units: 0 });
  });

  it("lets units of others be", () => {
    writeFileSync(at("units/other.mount"), "[Mount]\nWhere=/other\n");
    expect(run([], unmountArgument)).toMatchObject({ status: 0, units: 1 });
  });

  it("does not take away what somebody uses, and mounts it again", () => {
    disk("7");
    run([volume("7", "a")]);
    writeFileSync(at("held"), "7\n");
    const done = run([], unmountArgument);
    expect(done).toMatchObject({ status: 1, mounted: ["a"], units: 1, stderr: expect.stringMatching(/a is in use/) });
  });

  it.each([
    ["a disk that does not come", () => undefined, /has not come within/],
    ["a disk without a file system", () => disk("7", ""), /has no file system/],
    [
      "a directory with something in it",
      () => {
        disk("7");
        mkdirSync(at("a"));
        writeFileSync(at("a/file"), "");
      },
      /is there already, and is no empty directory/,
    ],
    [
      "another mount",
      () => {
        disk("7");
        mkdirSync(at("a"));
        writeFileSync(at("mounted/a"), "1");
        // The unit is up in systemd's eyes as soon as something is mounted there.
        writeFileSync(at("bin/systemctl"), "#!/bin/sh\n", { mode: 0o755 });
      },
      /something else is mounted/,
    ],
  ])("fails over %s", (_, prepare, message) => {
    prepare();
    expect(run([volume("7", "a")])).toMatchObject({ status: 1, stderr: expect.stringMatching(message) });
  });

  const shellcheck = spawnSync("shellcheck", ["--version"]).status === 0;
  it.skipIf(!shellcheck)("leaves shellcheck nothing to say", () => {
    const input = mountProgram([{ id: "7", mountPath: "/mnt/data", size: 10 }]);
    expect(spawnSync("shellcheck", ["-s", "sh", "--severity=style", "-"], { input, encoding: "utf8" }).stdout).toBe("");
  });
});
