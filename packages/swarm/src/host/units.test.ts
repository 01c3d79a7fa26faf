/** The unit files as systemd reads them, beside the units of this machine that they are ordered with. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { unitFiles } from "./agentSources";
import { unitPath } from "./userData";

const system = "/usr/lib/systemd/system";
const able = spawnSync("systemd-analyze", ["verify", "--help"]).status === 0;

/** Docker's own units, as far as order goes: started behind the network, its socket by itself. */
const standIns = {
  "docker.service": `[Unit]
Description=Docker's place in the order
Wants=network.target network-online.target
After=network-online.target docker.socket
Requires=docker.socket
[Service]
ExecStart=/opt/hcloud-iptables.sh
[Install]
WantedBy=multi-user.target
`,
  "docker.socket": `[Unit]
Description=Docker's socket
[Socket]
ListenStream=/run/docker.sock
[Install]
WantedBy=sockets.target
`,
};

const roots: string[] = [];
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true });
});

/** What `systemd-analyze verify` says of our units after a change to their text: nothing, when all is well. */
function complaints(change: (text: string, name: string) => string = (text) => text): string {
  const root = mkdtempSync(join(tmpdir(), "units-"));
  roots.push(root);
  const put = (path: string, text: string, mode = 0o644) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text, { mode });
  };
  put("/opt/hcloud-iptables.sh", "#!/bin/sh\n", 0o755);
  for (const [name, text] of Object.entries(unitFiles)) put(unitPath(name), change(text, name));
  for (const [name, text] of Object.entries(standIns)) put(`${system}/${name}`, text);
  for (const name of readdirSync(system).filter((file) => /^[a-z-]+\.(target|slice)$/.test(file)))
    copyFileSync(join(system, name), join(root, system, name));
  const units = Object.keys(unitFiles).filter((name) => !name.endsWith(".conf"));
  const run = spawnSync("systemd-analyze", ["verify", "--man=no", `--root=${root}`, "docker.service", ...units], {
    encoding: "utf8",
  });
  return `${run.stdout}${run.stderr}${run.status === 0 ? "" : `status ${run.status}`}`;
}

describe.skipIf(!able)(`systemd-analyze verify${able ? "" : " (skipped: it is not there)"}`, () => {
  it("has nothing to say about the units and the drop-in", () => {
    expect(complaints()).toBe("");
  });

  it.each([
    ["an unknown key in the drop-in", (text: string) => text.replace("Requires=", "Requirez="), "Requirez"],
    ["an unknown key in the timer", (text: string) => text.replace("OnActiveSec=", "OnActive="), "OnActive"],
    [
      "an order that goes round",
      (text: string, name: string) =>
        name === "hcloud-iptables.service" ? text.replace("After=", "After=network.target ") : text,
      "ordering cycle",
    ],
    [
      "a program that is not there",
      (text: string) => text.replace("ExecStart=/opt/", "ExecStart=/opt/no/"),
      "/opt/no/",
    ],
  ])("would tell %s", (_name, change, said) => {
    expect(complaints(change)).toContain(said);
  });
});
