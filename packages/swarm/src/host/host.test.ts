import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { agentScript } from "./agentSources";
import { bootstrapProgram } from "./bootstrap";
import { setupProgram } from "./setup";
import { userData } from "./userData";

const plan = {
  hostKey: {
    privateKey: "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----\n",
    publicKey: "ssh-ed25519 AAAA",
  },
  payload: "### hcloud-swarm payload 1\n### end\n",
  sshPort: 22,
  docker: { channel: "debian", daemonOptions: { "log-driver": "local", mtu: 1400 } },
} as const;

interface WrittenFile {
  path: string;
  permissions: string;
  encoding?: string;
  content: string;
}

function filesOf(text: string): Map<string, string> {
  const config = parse(text) as { write_files: WrittenFile[] };
  return new Map(
    config.write_files.map(({ path, encoding, content }) => [
      path,
      encoding === undefined ? content : gunzipSync(Buffer.from(content, "base64")).toString(),
    ]),
  );
}

describe("userData", () => {
  const text = userData(plan);

  it("carries the agent, its units, the payload and the order of Docker", () => {
    const files = filesOf(text);
    expect(text.startsWith("#cloud-config\n")).toBe(true);
    expect(files.get("/opt/hcloud-iptables.sh")).toBe(agentScript);
    expect(files.get("/etc/hcloud-iptables/payload")).toBe(plan.payload);
    expect(files.get("/etc/systemd/system/docker.service.d/10-hcloud-iptables.conf")).toContain(
      "Requires=hcloud-iptables.service",
    );
    expect(files.get("/etc/systemd/system/hcloud-iptables.service")).toContain(
      "Before=network-pre.target docker.service",
    );
  });

  it("has one secret only, and lets cloud-init install nothing by itself", () => {
    const config = parse(text) as Record<string, unknown>;
    expect(text.match(/PRIVATE KEY/g)).toHaveLength(2);
    expect(config).not.toHaveProperty("packages");
    expect(config.ssh_keys).toEqual({
      ed25519_private: plan.hostKey.privateKey,
      ed25519_public: plan.hostKey.publicKey,
    });
    // An empty list is against cloud-init's schema; where keys are given it makes no others.
    expect(config).not.toHaveProperty("ssh_genkeytypes");
  });

  it("puts the user's Docker options over its own", () => {
    const daemon = JSON.parse(filesOf(text).get("/etc/docker/daemon.json") ?? "{}");
    expect(daemon).toEqual({ "log-driver": "local", mtu: 1400, "cgroup-parent": "docker.slice" });
    expect(filesOf(text).get("/etc/hcloud-iptables/docker-options")).toContain("default-network-opts");
  });

  it("is refused when it is larger than Hetzner Cloud takes", () => {
    const noise = Array.from({ length: 60_000 }, (_, i) => ((i * 7919) % 9973).toString(36)).join("");
    expect(() => userData({ ...plan, payload: noise })).toThrow(/32768/);
  });
});

describe("setupProgram", () => {
  it.each(["debian", "docker"] as const)("loads the rules before anything of Docker is installed (%s)", (channel) => {
    const program = setupProgram({ channel });
    const at = (text: string) => {
      const index = program.indexOf(text);
      expect(index, text).toBeGreaterThan(0);
      return index;
    };
    expect(at("install --no-install-recommends iptables")).toBeLessThan(at("systemctl start hcloud-iptables.service"));
    expect(at("is-active --quiet hcloud-iptables.service || fail")).toBeLessThan(
      at(channel === "debian" ? "docker.io" : "docker-ce"),
    );
  });
});

describe("programs", () => {
  const shellcheck = spawnSync("shellcheck", ["--version"]).status === 0;
  it.skipIf(!shellcheck).each([
    ["agent", agentScript],
    ["setup from Debian", setupProgram({ channel: "debian" })],
    ["setup from Docker", setupProgram({ channel: "docker" })],
    ["bootstrap", `#!/bin/sh\n${bootstrapProgram({ cloudInitSeconds: 60 })}`],
  ])("shellcheck has nothing to say (%s)", (_name, text) => {
    const run = spawnSync("shellcheck", ["-s", "sh", "-e", "SC1091,SC2086", "-"], { input: text, encoding: "utf8" });
    expect(run.stdout).toBe("");
  });

  it("the embedded agent is the one in agent/ and units/", async () => {
    const { agentSources } = (await import(join(__dirname, "../../scripts/embed-agent.mjs"))) as {
      agentSources(): string;
    };
    expect(readFileSync(join(__dirname, "agentSources.ts"), "utf8")).toBe(agentSources());
  });
});
