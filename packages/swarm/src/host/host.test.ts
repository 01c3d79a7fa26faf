import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { compileRuleset, normalizePolicy, renderPayload } from "../firewall";
import { filesOf } from "../testing/userDataFiles";
import { agentScript } from "./agentSources";
import { bootstrapProgram } from "./bootstrap";
import { setupProgram, setupStamp } from "./setup";
import { userData, userDataBytes, userDataLimit } from "./userData";
import { keeperProgram } from "./wayOut";

const plan = {
  hostKey: {
    privateKey: "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----\n",
    publicKey: "ssh-ed25519 AAAA",
  },
  payload: "### hcloud-swarm payload 1\n### end\n",
  sshPort: 22,
  docker: { channel: "debian", daemonOptions: { "log-driver": "local", mtu: 1400 } },
} as const;

const wayOut = { gateway: "10.0.0.1", resolvers: ["185.12.64.1", "185.12.64.2"] };

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

  const noise = Array.from({ length: 60_000 }, (_, i) => ((i * 7919) % 9973).toString(36)).join("");

  it("carries the small payload only where the other does not fit", () => {
    const payloadOf = (text: string) => filesOf(text).get("/etc/hcloud-iptables/payload");
    expect(payloadOf(userData({ ...plan, smallPayload: "small" }))).toBe(plan.payload);
    expect(payloadOf(userData({ ...plan, payload: noise, smallPayload: "small" }))).toBe("small");
  });

  it("is readable with the default policy, and packed one that opens more leaves a kilobyte and a half over", () => {
    const ports = [80, 443, 8443, 9000, 9001].map((port) => ({ port }));
    const node = {
      name: "manager-1",
      pool: "manager",
      role: "manager",
      swarm: {},
      cgroupPath: "docker.slice",
    } as const;
    const payload = renderPayload(compileRuleset(normalizePolicy({ publishedPorts: ports }), node));
    // As long as the real ones are.
    const hostKey = { privateKey: `${"x".repeat(70)}\n`.repeat(6), publicKey: "x".repeat(80) };
    const usual = renderPayload(compileRuleset(normalizePolicy({}), node));
    expect(userData({ ...plan, hostKey, payload: usual })).toMatch(/^#cloud-config\n/);
    expect(userDataLimit - userDataBytes({ ...plan, hostKey, payload })).toBeGreaterThanOrEqual(1.5 * 1024);
    const egress = { network: "10.0.0.0/16", publicInterface: "eth0" };
    const led = renderPayload(compileRuleset(normalizePolicy({ publishedPorts: ports }), { ...node, egress }));
    expect(filesOf(userData({ ...plan, hostKey, payload: led })).get("/etc/hcloud-iptables/payload")).toBe(led);
    expect(filesOf(userData({ ...plan, hostKey, payload, wayOut })).get("/etc/hcloud-iptables/payload")).toBe(payload);
  });

  it("gives a server without a public address a route and name servers, and waits for them before the first package", () => {
    const files = filesOf(userData({ ...plan, wayOut: { gateway: "10.7.0.1", resolvers: ["192.0.2.53"] } }));
    const setup = files.get("/opt/hcloud-swarm-setup.sh") ?? "";
    expect(setup).toContain(keeperProgram({ gateway: "10.7.0.1", resolvers: ["192.0.2.53"] }));
    expect(setup).toContain("default via 10.7.0.1 ");
    expect(setup).toContain("DNS=192.0.2.53'");
    const at = (text: string) => setup.indexOf(text);
    expect(at("systemctl --no-reload mask nftables.service")).toBeLessThan(
      at("systemctl start hcloud-swarm-way-out.service"),
    );
    expect(at("until apt update")).toBeLessThan(at("\ninstall_packages iptables"));
    expect(setup).toMatch(/<<'EOF'\n#!\/bin\/sh\n/);
    expect(filesOf(text).get("/opt/hcloud-swarm-setup.sh")).not.toMatch(/way-out|until apt/);
  });

  it("is refused when it is larger than Hetzner Cloud takes whatever it carries", () => {
    expect(() => userData({ ...plan, payload: noise })).toThrow(/32768/);
    expect(() => userData({ ...plan, payload: noise, smallPayload: noise })).toThrow(/32768/);
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
    expect(at("install_packages iptables ")).toBeLessThan(at("systemctl start hcloud-iptables.service"));
    expect(at("is-active --quiet hcloud-iptables.service || fail")).toBeLessThan(
      at(channel === "debian" ? "docker.io" : "docker-ce"),
    );
  });
});

describe("the setup, run with stand-ins", () => {
  const home = mkdtempSync(join(tmpdir(), "setup-"));
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  /** What it called, in order, where Debian's Docker is of that version, and its status. */
  function calls(
    version: string,
    { rulesLoad = true, there = [] as readonly string[] } = {},
  ): { called: string[]; status: number | null; stamp: boolean } {
    const log = join(home, "log");
    const bodies: Record<string, string> = {
      "apt-get": "",
      "dpkg-query": `case " ${there.join(" ")} " in *" $4 "*) echo installed ;; esac`,
      "update-alternatives": "",
      systemctl: rulesLoad ? "" : '[ "$1 $2" != "start hcloud-iptables.service" ]',
      "apt-cache": `case "$*" in *docker-cli) [ ${version.startsWith("20.") ? 1 : 0} = 0 ] ;; *) echo 'Version: ${version}' ;; esac`,
    };
    for (const [name, body] of Object.entries(bodies))
      writeFileSync(join(home, name), `#!/bin/sh\necho "${name} $*" >>'${log}'\n${body}\n`, { mode: 0o755 });
    for (const name of ["docker", "dockerd"]) {
      rmSync(join(home, name), { force: true });
      if (there.includes(name)) writeFileSync(join(home, name), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
    }
    const stamp = join(home, "var", "setup-done");
    rmSync(log, { force: true });
    rmSync(stamp, { force: true });
    const text = setupProgram({ channel: "debian" }).replaceAll(
      setupStamp.replace("/setup-done", ""),
      join(home, "var"),
    );
    const run = spawnSync("sh", ["-s"], { input: text, env: { PATH: `${home}:/usr/bin:/bin` }, encoding: "utf8" });
    return { called: readFileSync(log, "utf8").trim().split("\n"), status: run.status, stamp: existsSync(stamp) };
  }
  const indexOf = (called: string[], pattern: RegExp) => called.findIndex((line) => pattern.test(line));

  it("masks nftables before any package changes, and has AppArmor's parser before a Docker that cannot do without", () => {
    const { called, status, stamp } = calls("20.10.24+dfsg1-1+deb12u1");
    expect({ status, stamp }).toEqual({ status: 0, stamp: true });
    const order = [
      /^systemctl --no-reload mask nftables/,
      /^systemctl --no-reload enable hcloud-iptables/,
      /^systemctl daemon-reload/,
      /^apt-get .* iptables/,
      /start hcloud-iptables/,
      /^apt-get .*apparmor$/,
      /^apt-get .*docker\.io/,
    ];
    const found = order.map((pattern) => indexOf(called, pattern));
    expect(found).not.toContain(-1);
    expect(found).toEqual([...found].sort((a, b) => a - b));
    expect(called.at(indexOf(called, /^apt-get .*docker\.io$/))).not.toContain("docker-cli");
  });

  it("installs the client where it is a package of its own, and no parser that Docker can do without", () => {
    const { called } = calls("26.1.5+dfsg1-9");
    expect(indexOf(called, /docker\.io docker-cli$/)).toBeGreaterThan(0);
    expect(indexOf(called, /apparmor/)).toBe(-1);
  });

  it("asks apt for nothing where the image has everything, and stops its Docker before the rules are loaded", () => {
    const there = [
      "iptables",
      "nftables",
      "ipset",
      "conntrack",
      "curl",
      "ca-certificates",
      "openssl",
      "docker",
      "dockerd",
    ];
    const { called, status, stamp } = calls("26.1.5+dfsg1-9", { there });
    expect({ status, stamp }).toEqual({ status: 0, stamp: true });
    expect(indexOf(called, /^apt/)).toBe(-1);
    // Else systemd takes all of its units for changed, and the verifier says so.
    const last = (pattern: RegExp) => called.findLastIndex((line) => pattern.test(line));
    expect(last(/--no-reload/)).toBeGreaterThan(0);
    expect(last(/daemon-reload/)).toBeGreaterThan(last(/--no-reload/));
    const order = [/stop docker\.\*/, /start hcloud-iptables/, /start docker\.service/].map((one) =>
      indexOf(called, one),
    );
    expect(order).not.toContain(-1);
    expect(order).toEqual([...order].sort((a, b) => a - b));
  });

  it("installs what the image lacks, with lists that are fetched once", () => {
    const { called } = calls("26.1.5+dfsg1-9", { there: ["iptables", "nftables", "conntrack", "curl", "openssl"] });
    expect(called.filter((line) => line.endsWith(" update"))).toHaveLength(1);
    expect(called.find((line) => line.startsWith("apt-get") && line.includes("ipset"))).toMatch(
      / ipset ca-certificates$/,
    );
  });

  it("installs no Docker where the rules could not be loaded", () => {
    const { called, status, stamp } = calls("26.1.5+dfsg1-9", { rulesLoad: false });
    expect({ status, stamp }).toEqual({ status: 1, stamp: false });
    expect(indexOf(called, /^apt-get .*docker/)).toBe(-1);
  });
});

describe("the keeper of the way out, run with stand-ins", () => {
  const home = mkdtempSync(join(tmpdir(), "keeper-"));
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  /** What it did until it slept that often. The link is up from the second look on; somebody drops the route once. */
  function run(resolvConf: string): { log: string[]; conf: string } {
    const path = (name: string) => join(home, name);
    const bodies = {
      ip: `echo "ip $*" >>'${path("log")}'
case "$*" in
  *'route show default') cat '${path("route")}' 2>/dev/null || : ;;
  *'route get '*) [ -e '${path("slept")}' ] && echo '10.0.0.1 dev enp7s0 src 10.0.0.3 uid 0' ;;
  *'route add default '*) echo route >'${path("route")}' ;;
esac`,
      sleep: `echo "sleep $*" >>'${path("log")}'
echo x >>'${path("slept")}'
case $(wc -l <'${path("slept")}') in 3) rm '${path("route")}' ;; 5) kill $PPID ;; esac`,
    };
    for (const [name, body] of Object.entries(bodies))
      writeFileSync(path(name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    for (const name of ["log", "slept", "route"]) rmSync(path(name), { force: true });
    writeFileSync(path("resolv.conf"), resolvConf);
    const text = keeperProgram(wayOut);
    spawnSync("sh", ["-s"], {
      input: text.replaceAll("/etc/resolv.conf", path("resolv.conf")),
      env: { PATH: `${home}:/usr/bin:/bin` },
      timeout: 20_000,
    });
    return {
      log: readFileSync(path("log"), "utf8").trim().split("\n"),
      conf: readFileSync(path("resolv.conf"), "utf8"),
    };
  }

  it("waits for the link, makes the route, and makes it again when somebody drops it", () => {
    const { log } = run("nameserver 127.0.0.53\n");
    const told = log.filter((line) => /add|sleep/.test(line));
    const added = "ip -4 route add default via 10.0.0.1 dev enp7s0 onlink";
    expect(told).toEqual(["sleep 1", added, "sleep 30", "sleep 30", added, "sleep 30", "sleep 30"]);
  });

  it("names name servers where there are none, once, and leaves those that are there", () => {
    const servers = "nameserver 185.12.64.1\nnameserver 185.12.64.2\n";
    expect(run("search example\n").conf).toBe(`search example\n${servers}`);
    expect(run("nameserver 127.0.0.53\n").conf).toBe("nameserver 127.0.0.53\n");
  });
});

describe("programs", () => {
  const shellcheck = spawnSync("shellcheck", ["--version"]).status === 0;
  it.skipIf(!shellcheck).each([
    ["agent", agentScript],
    ["setup from Debian", setupProgram({ channel: "debian" })],
    ["setup from Docker", setupProgram({ channel: "docker" })],
    ["setup without a public address", setupProgram({ channel: "debian", wayOut })],
    ["keeper of the way out", keeperProgram(wayOut)],
    ["bootstrap", `#!/bin/sh\n${bootstrapProgram({ cloudInitSeconds: 60 })}`],
  ])("shellcheck has nothing to say (%s)", (_name, text) => {
    // The agent's directives are comments, which are left out; `check` reads its own files, with them.
    const known = text === agentScript ? "SC1091,SC2086,SC2016,SC2034" : "SC1091,SC2086";
    const run = spawnSync("shellcheck", ["-s", "sh", "-e", known, "-"], { input: text, encoding: "utf8" });
    expect(run.stdout).toBe("");
  });

  it("the embedded agent is the one in agent/ and units/", async () => {
    const { agentSources } = (await import(join(__dirname, "../../scripts/embed-agent.mjs"))) as {
      agentSources(): Promise<string>;
    };
    expect(readFileSync(join(__dirname, "agentSources.ts"), "utf8")).toBe(await agentSources());
  });
});
